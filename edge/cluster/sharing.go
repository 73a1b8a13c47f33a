package cluster

import (
	"bytes"
	"context"
	"net/netip"
)

// A Sharer is another edge that is alive and shares snapshots.
type Sharer struct {
	Name     string
	Region   string
	Address  netip.AddrPort // where it shares
	Snapshot uint64         // version of the one it has; 0: none
}

// Sharers returns the other edges of a group that share snapshots, in no order.
// It costs a microsecond for each ten members.
func (c *Cluster) Sharers(group uint32) (all []Sharer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		if m.alive && m.meta.Share != 0 && m.meta.Group == group && m.name != c.Name {
			all = append(all, Sharer{m.name, m.meta.Region, netip.AddrPortFrom(m.address.Addr(), m.meta.Share), m.meta.Snapshot})
		}
	}
	return all
}

// Seeds returns where the edges of Join may share snapshots: at ports that are as
// far from those of Join as this edge's own are from one another. It asks for
// names for five seconds at most.
func (c Config) Seeds(ctx context.Context) (all []netip.AddrPort) {
	c = c.WithDefaults()
	joined, _ := c.joined(ctx) // one that does not resolve is no seed
	for _, a := range joined {
		at := netip.AddrPortFrom(a.Addr(), a.Port()+c.Share.Port()-c.Listen.Port())
		if at.Addr() != c.Advertise.Addr() || at.Port() != c.Share.Port() {
			all = append(all, at)
		}
	}
	return all
}

// Secrets returns the keys of the gossip, this edge's own first; none if nothing
// is encrypted. They are never told to anybody.
func (c *Cluster) Secrets() (keys [][]byte) {
	if c.keys.ring == nil {
		return nil
	}
	for _, key := range c.keys.ring.GetKeys() {
		keys = append(keys, bytes.Clone(key))
	}
	return keys
}
