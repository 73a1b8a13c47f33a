package cluster

import (
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/waypost/waypost/edge/cluster/vote"
)

// What a message is, as its first byte says. Other bytes are of versions to
// come, and passed over.
const reports = 'r'

// A delegate is what the library calls.
type delegate struct{ c *Cluster }

var (
	_ memberlist.Delegate      = (*delegate)(nil)
	_ memberlist.EventDelegate = (*delegate)(nil)
)

// NodeMeta returns what this edge tells of itself.
func (d *delegate) NodeMeta(int) []byte {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	return d.c.meta.encode()
}

// NotifyMsg takes in what was gossiped. The library may use b again.
func (d *delegate) NotifyMsg(b []byte) {
	d.c.counters.heard.Add(1)
	d.c.hear(b, true)
}

// GetBroadcasts returns what is to be gossiped now.
func (d *delegate) GetBroadcasts(overhead, limit int) [][]byte {
	message := d.c.queue.take(limit - overhead)
	if message == nil {
		return nil
	}
	d.c.counters.told.Add(1)
	return [][]byte{message}
}

// LocalState returns all that is known.
func (d *delegate) LocalState(bool) []byte {
	return d.c.council.all(time.Now()).Append([]byte{reports})
}

// MergeRemoteState takes in all that another edge knows. It is not passed on,
// but for what is of edges that have just come back: the others compare by
// themselves.
func (d *delegate) MergeRemoteState(b []byte, _ bool) {
	d.c.counters.compared.Add(1)
	d.c.hear(b, false)
}

// NotifyJoin notes a member that is alive.
func (d *delegate) NotifyJoin(n *memberlist.Node) { d.c.note(n, true) }

// NotifyUpdate notes what a member tells of itself.
func (d *delegate) NotifyUpdate(n *memberlist.Node) { d.c.note(n, true) }

// NotifyLeave notes a member that is gone.
func (d *delegate) NotifyLeave(n *memberlist.Node) { d.c.note(n, false) }

// hear takes in a message, and passes news on; if not pass, only what is of edges
// that have just come back.
func (c *Cluster) hear(b []byte, pass bool) {
	if len(b) == 0 || b[0] != reports {
		return
	}
	m, err := vote.Parse(b[1:])
	if err != nil {
		c.refusals.malformed.Add(1)
		if c.refusals.pace.allows("reports", time.Minute) {
			c.Log.Warn("cluster: what another edge sees cannot be read; more of it is only counted for a minute", "error", err)
		}
		return
	}
	m.Reports = c.ofMembers(m.Reports)
	h := c.council.hear(m, time.Now())
	news := h.news.len()
	c.counters.news.Add(uint64(news))
	tell := h.news
	if !pass {
		tell = bulletin{urgent: c.ofBack(h.news.urgent), rest: c.ofBack(h.news.rest)}
	}
	c.passOn(&tell)
	c.pass(&h.renewed)
	if c.Prober != nil {
		if h.again {
			c.Prober.Retell()
		}
		for _, t := range h.look {
			c.Prober.Look(t)
		}
	}
	if len(h.news.drains) > 0 {
		signal(c.ordered)
	}
	if news > 0 {
		signal(c.dirty)
	}
}
