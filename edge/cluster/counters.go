package cluster

import (
	"sync/atomic"
	"time"
)

// Counters are what a cluster counts, for metrics.
type Counters struct {
	Members, Alive                int
	Down, Kept, Unseen            int // targets, by votes
	HostsDrained, EdgesDrained    int
	Told, Heard, News, Compared   uint64 // messages of gossip that were sent, and heard; reports that were news; exchanges of all that is known
	Packets, PacketBytes          uint64 // sent
	Streams, StreamBytes          uint64 // opened; both ways
	WrongKey, WrongLabel, Busy    uint64 // refused; the last are streams that were too many
	OverTCP                       int    // members that answer over TCP and not over UDP
	Malformed, Conflicts, Waiting uint64 // refused; edges of one name; reports and orders that wait to be gossiped
	KeysFailed                    bool   // the key files are of no use; the keys of before stay in use
	DrainsUnsaved                 bool   // what is drained could not be written
}

// Counters returns the counters as they are now.
func (c *Cluster) Counters() Counters {
	t := c.transport()
	out := Counters{
		Alive: int(c.alive.Load()), Told: c.counters.told.Load(), Heard: c.counters.heard.Load(), News: c.counters.news.Load(),
		Compared: c.counters.compared.Load(), Packets: t.packets.Load(), PacketBytes: t.packetBytes.Load(),
		Streams: t.streams.Load(), StreamBytes: t.streamBytes.Load(), WrongKey: c.refusals.key.Load(),
		WrongLabel: c.refusals.label.Load(), Malformed: c.refusals.malformed.Load(), Conflicts: c.refusals.conflicts.Load(), Busy: t.busy(), OverTCP: int(c.overTCP.Load()),
		Waiting: uint64(c.queue.len()), KeysFailed: c.keys.failed.Load(), DrainsUnsaved: c.unsaved.Load(),
	}
	c.mu.Lock()
	out.Members = len(c.members)
	c.mu.Unlock()
	s := c.council
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &s.decision
	out.Down, out.Kept, out.Unseen = len(d.Down), len(d.Kept), d.Unseen
	out.HostsDrained, out.EdgesDrained = s.drains.Count(time.Now())
	return out
}

// counters are of messages.
type counters struct {
	told, heard, news, compared atomic.Uint64
}
