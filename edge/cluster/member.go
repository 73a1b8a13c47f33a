package cluster

import (
	"context"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
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
}

// note notes what the library says of a member. It holds locks while it calls.
func (c *Cluster) note(n *memberlist.Node, alive bool) {
	ip, _ := netip.AddrFromSlice(n.Addr)
	meta, err := parseMeta(n.Meta)
	if err != nil {
		c.refusals.malformed.Add(1)
	}
	if !alive {
		c.council.gone(n.Name)
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
	m.address, m.meta = netip.AddrPortFrom(ip.Unmap(), n.Port), meta
	count := int32(0)
	for _, each := range c.members {
		if each.alive {
			count++
		}
	}
	c.alive.Store(count)
	signal(c.moved)
	if back {
		select {
		case c.back <- m.address:
		default: // another one is, too
		}
	}
}

// voters returns the members that are alive and probe, and how many are alive.
func (c *Cluster) voters() (voters []vote.Member, alive int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		if m.alive {
			alive++
			if m.meta.Probes {
				voters = append(voters, vote.Member{Name: m.name, Region: m.meta.Region})
			}
		}
	}
	slices.SortFunc(voters, func(a, b vote.Member) int { return strings.Compare(a.Name, b.Name) })
	return voters, alive
}

// calm is for how long members must stay as many until these are what losses
// are measured by.
const calm = 5 * time.Minute

// follow follows the members, until ctx ends: who probes what, and whether so
// many are gone that it is rather this edge that is cut off.
func (c *Cluster) follow(ctx context.Context) {
	var known []vote.Member
	before, most, lost := 0, 1, false
	quiet := time.NewTimer(calm)
	defer quiet.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-quiet.C:
			_, most = c.voters()
			lost = false
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
		most = max(most, alive)
		if gone := 2*alive <= most; gone != lost {
			lost = gone
			if gone && c.Prober != nil {
				c.Log.Warn("half of the cluster is gone, or this edge is cut off: all mirrors are looked at anew", "alive", alive, "of", most)
				c.Prober.Doubt()
			}
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

// known returns which members there are, also of those that are not long gone.
func (c *Cluster) known() func(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := make(map[string]bool, len(c.members))
	for name := range c.members {
		names[name] = true
	}
	return func(name string) bool { return names[name] }
}

// join joins those that are configured, and those that were lost, until ctx
// ends: soon where nobody is there, now and then otherwise.
func (c *Cluster) join(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		missing := c.missing(ctx)
		var tries sync.WaitGroup
		limit := make(chan struct{}, 8)
		for _, at := range missing {
			tries.Go(func() {
				limit <- struct{}{}
				defer func() { <-limit }()
				if ctx.Err() == nil {
					_, _ = c.list.Join([]string{at.String()}) // it says so itself, and is tried again
				}
			})
		}
		done := make(chan struct{})
		go func() { tries.Wait(); close(done) }()
		select {
		case <-ctx.Done(): // those who wait for an answer end with their timeouts
			return
		case <-done:
		}
		wait := 30 * time.Second
		switch {
		case c.alive.Load() < 2:
			wait = time.Second
		case len(missing) > 0:
			wait = 5 * time.Second
		}
		timer.Reset(wait + rand.N(wait/2)) //nolint:gosec // only so that edges come apart
	}
}

// missing returns the addresses of edges that are configured or were there not
// long ago, and are not alive now.
func (c *Cluster) missing(ctx context.Context) (missing []netip.AddrPort) {
	wanted := c.Config.joined(ctx, func(name string, err error) {
		c.Log.Warn("cluster: a name to join does not resolve", "name", name, "error", err)
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	there := map[netip.AddrPort]bool{c.Config.Advertise: true, c.Config.Listen: true}
	for _, m := range c.members {
		if m.alive {
			there[m.address] = true
		} else if !m.meta.Leaving {
			wanted = append(wanted, m.address)
		}
	}
	for _, at := range wanted {
		if !there[at] {
			there[at] = true
			missing = append(missing, at)
		}
	}
	return missing
}

// joined returns the addresses of Join. It asks for names for five seconds at
// most; failed is called with those that do not resolve.
func (c *Config) joined(ctx context.Context, failed func(name string, err error)) (all []netip.AddrPort) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, where := range c.Join {
		host, port, err := splitJoin(where, c.Listen.Port())
		if err != nil {
			continue // it was checked
		}
		addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			failed(where, err)
		}
		for _, a := range addresses {
			all = append(all, netip.AddrPortFrom(a.Unmap(), port))
		}
	}
	return all
}
