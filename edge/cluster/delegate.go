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
func (d *delegate) NotifyMsg(b []byte) { d.c.hear(b, true) }

// GetBroadcasts returns what is to be gossiped now.
func (d *delegate) GetBroadcasts(overhead, limit int) [][]byte {
	messages := d.c.queue.GetBroadcasts(overhead, limit)
	d.c.counters.told.Add(uint64(len(messages)))
	return messages
}

// LocalState returns all that is known.
func (d *delegate) LocalState(bool) []byte {
	return d.c.council.all(time.Now()).Append([]byte{reports})
}

// MergeRemoteState takes in all that another edge knows. It is not passed on:
// the others compare by themselves.
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

// hear takes in a message, and passes news on.
func (c *Cluster) hear(b []byte, pass bool) {
	c.counters.heard.Add(1)
	if len(b) == 0 || b[0] != reports {
		return
	}
	m, err := vote.Parse(b[1:])
	if err != nil {
		c.refusals.malformed.Add(1)
		return
	}
	m.Reports = c.ofMembers(m.Reports)
	h := c.council.hear(m, time.Now())
	news := len(h.news.Reports) + len(h.news.Drains)
	c.counters.news.Add(uint64(news))
	if pass {
		c.pass(&h.news)
	}
	c.pass(&vote.Message{Reports: h.renewed})
	if c.Prober != nil {
		for _, t := range h.look {
			c.Prober.Look(t)
		}
	}
	if len(h.news.Drains) > 0 {
		signal(c.ordered)
	}
	if news > 0 {
		signal(c.dirty)
	}
}

// pass has each report and order gossiped.
func (c *Cluster) pass(m *vote.Message) { enqueue(&c.queue, m) }

// enqueue queues each report and order by itself, so that a newer one takes the
// place of an older one that waits.
func enqueue(q *memberlist.TransmitLimitedQueue, m *vote.Message) {
	for i := range m.Reports {
		r := &m.Reports[i]
		q.QueueBroadcast(newBroadcast("r\x00"+r.Observer+"\x00"+r.Host, &vote.Message{Reports: m.Reports[i : i+1]}))
	}
	for i := range m.Drains {
		name := "host\x00"
		if m.Drains[i].Edge {
			name = "edge\x00"
		}
		q.QueueBroadcast(newBroadcast(name+m.Drains[i].Name, &vote.Message{Drains: m.Drains[i : i+1]}))
	}
}

// A broadcast is a message that waits to be gossiped.
type broadcast struct {
	name    string // of what it is about
	message []byte
}

var _ memberlist.NamedBroadcast = (*broadcast)(nil)

func newBroadcast(name string, m *vote.Message) *broadcast {
	return &broadcast{name, m.Append([]byte{reports})}
}

// An anchor is a broadcast that is too long for any packet, and so stays in the
// queue for ever. Without it, a queue that becomes empty while a message takes
// the place of an older one starts to count anew, and then takes the next
// message of the same length for that one, and loses it: memberlist v0.7.0,
// TransmitLimitedQueue.deleteItem.
func anchor() *broadcast { return &broadcast{"anchor", make([]byte, 1<<16)} }

// Name returns what the message is about: one at a time waits.
func (b *broadcast) Name() string { return b.name }

// Invalidates reports whether b takes the place of another.
func (b *broadcast) Invalidates(other memberlist.Broadcast) bool {
	o, ok := other.(*broadcast)
	return ok && o.name == b.name
}

// Message returns the message.
func (b *broadcast) Message() []byte { return b.message }

// Finished does nothing.
func (b *broadcast) Finished() {}
