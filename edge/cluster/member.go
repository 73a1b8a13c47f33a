package cluster

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/waypost/waypost/edge/cluster/vote"
)

// A member is an edge, alive or not long gone.
type member struct {
	name    string
	address netip.AddrPort
	meta    Meta
	alive   bool
	since   time.Time // when it came or went
	back    time.Time // when it was there again after it was gone; zero: it never was
	format  uint8     // of what it says
	overTCP bool      // it does not answer over UDP
}

// note notes what the library says of a member. It holds locks while it calls.
func (c *Cluster) note(n *memberlist.Node, alive bool) {
	ip, _ := netip.AddrFromSlice(n.Addr)
	meta, err := parseMeta(n.Meta)
	if err != nil {
		c.refusals.malformed.Add(1)
	}
	if !alive {
		defer c.council.gone(n.Name) // at the end, when no more is heard of it
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.members[n.Name]
	if m == nil {
		m = &member{name: strings.Clone(n.Name)}
		c.members[m.name] = m
	}
	back := alive && !m.alive && !m.since.IsZero()
	if m.alive != alive || m.since.IsZero() {
		m.alive, m.since = alive, time.Now()
		if n.Name != c.Name {
			c.Log.Info("cluster member", "name", m.name, "alive", alive, "address", netip.AddrPortFrom(ip.Unmap(), n.Port))
		}
	}
	m.address, m.meta, m.format = netip.AddrPortFrom(ip.Unmap(), n.Port), meta, n.DCur
	count := int32(0)
	for _, each := range c.members {
		if each.alive {
			count++
		}
	}
	c.alive.Store(count)
	m.overTCP = m.overTCP && alive
	c.countOverTCP()
	signal(c.moved)
	if back {
		m.back = m.since
		select {
		case c.back <- m.address:
		default: // another one is, too
		}
	}
}

// voters returns the members that are alive, probe, and are of this edge's
// format, and how many are alive. While a cluster is upgraded from one format to
// another, the edges of each decide by what they see themselves: who counted the
// others, too, of whom nothing is heard, would find no majority.
func (c *Cluster) voters() (voters []vote.Member, alive int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		if m.alive {
			alive++
			if m.meta.Probes && m.format == vote.Format {
				voters = append(voters, vote.Member{Name: m.name, Region: m.meta.Region})
			}
		}
	}
	slices.SortFunc(voters, func(a, b vote.Member) int { return strings.Compare(a.Name, b.Name) })
	return voters, alive
}

// follow follows the members, until ctx ends: who probes what, and whether so
// many are gone that it is rather this edge that is cut off.
func (c *Cluster) follow(ctx context.Context) {
	var known []vote.Member
	var lost losses
	before := 0
	quiet := time.NewTimer(calm)
	defer quiet.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-quiet.C:
			lost = losses{}
			lost.see(c.staying())
			continue
		case <-c.moved:
		}
		pause.Reset(settle) // several come and go together
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		voters, alive := c.voters()
		if alive != before { // it may be only what a member tells of itself
			before = alive
			quiet.Reset(calm)
		}
		if lost.see(c.staying()) && c.Prober != nil {
			c.Log.Warn("half of the cluster is gone, or this edge is cut off: all mirrors are looked at anew", "alive", alive, "of", len(lost.most))
			c.Prober.Doubt()
		}
		if !slices.Equal(voters, known) {
			known = voters
			c.council.setMembers(voters)
			if c.Prober != nil {
				c.Prober.Assign(c.council.turns())
			}
		}
		signal(c.dirty)
	}
}

// bury forgets members that are long gone.
func (c *Cluster) bury(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.members, func(_ string, m *member) bool { return !m.alive && now.Sub(m.since) > remember })
}

// living returns which members are alive, with this one.
func (c *Cluster) living() func(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := map[string]bool{c.Name: true}
	for name, m := range c.members {
		if m.alive {
			names[name] = true
		}
	}
	return func(name string) bool { return names[name] }
}
