package cluster

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/health"
)

// A Member is an edge, as this one knows it.
type Member struct {
	Name     string         `json:"name"`
	Self     bool           `json:"self,omitempty"`
	Address  netip.AddrPort `json:"address"`
	Alive    bool           `json:"alive"`
	Since    time.Time      `json:"since"` // when it came or went
	Region   string         `json:"region,omitempty"`
	Country  string         `json:"country,omitempty"`
	Program  string         `json:"program"`
	Snapshot uint64         `json:"snapshot"`
	Data     time.Time      `json:"data,omitzero"` // when its snapshot was made
	Probes   bool           `json:"probes"`
	Leaving  bool           `json:"leaving,omitempty"`
	OverTCP  bool           `json:"over_tcp,omitempty"` // it answers over TCP and not over UDP, so gossip does not reach it
	Drained  bool           `json:"drained,omitempty"`  // by order: its votes do not count
	Abstains []string       `json:"abstains,omitempty"`
	Keys     []KeyID        `json:"keys,omitempty"` // that it accepts, the one it encrypts with first

	meta Meta
}

// Announces reports whether the member announces a prefix.
func (m *Member) Announces(p netip.Prefix) bool { return m.meta.Announces(p) }

// Members returns the edges that are alive or not long gone, by name.
func (c *Cluster) Members() []Member {
	c.mu.Lock()
	var all []Member
	for _, m := range c.members {
		meta := m.meta
		if m.name == c.Name {
			meta = c.meta // which the others may be yet to hear
		}
		all = append(all, Member{
			Name: m.name, Self: m.name == c.Name, Address: m.address, Alive: m.alive, Since: m.since, Region: meta.Region,
			Country: meta.Country, Program: meta.Program, Snapshot: meta.Snapshot, Data: meta.Data, Probes: meta.Probes,
			Leaving: meta.Leaving, OverTCP: m.overTCP, Keys: meta.keys, meta: meta,
		})
	}
	c.mu.Unlock()
	slices.SortFunc(all, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	now := time.Now()
	c.council.mu.Lock()
	defer c.council.mu.Unlock()
	for i := range all {
		m := &all[i]
		m.Drained = c.council.drains.Has(now, m.Name, true)
		for k := range health.Kind(health.Kinds) {
			if c.council.book.Abstains(m.Name, k) {
				m.Abstains = append(m.Abstains, k.String())
			}
		}
	}
	return all
}

// Status is how the cluster is.
type Status struct {
	Name    string    `json:"name"`
	Members []Member  `json:"members"`
	Hosts   int       `json:"hosts"` // that are probed
	Down    []string  `json:"down"`  // targets, by votes
	Kept    []string  `json:"kept"`  // targets that the cap keeps up: somebody should look
	Unseen  int       `json:"unseen"`
	Drained []Drained `json:"drained"`

	Absent []Absentee `json:"absent,omitempty"` // who is to be joined, and cannot be
	Closed string     `json:"closed,omitempty"` // why the sockets are not open, without which this edge is a cluster of its own
}

// Status returns how the cluster is.
func (c *Cluster) Status() Status {
	out := Status{Name: c.Name, Members: c.Members(), Down: []string{}, Kept: []string{}, Drained: c.Drains(), Closed: c.whyClosed()}
	c.mu.Lock()
	out.Absent = c.absent
	c.mu.Unlock()
	s := c.council
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Hosts, out.Unseen = len(s.hosts), s.decision.Unseen
	for _, t := range s.decision.Down {
		out.Down = append(out.Down, t.Host+" "+t.Kind().String())
	}
	for _, t := range s.decision.Kept {
		out.Kept = append(out.Kept, t.Host+" "+t.Kind().String())
	}
	return out
}
