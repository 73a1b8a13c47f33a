package cluster

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"
)

// metaPace is the time over which edges tell of a new snapshot, for each member:
// gossip has room for some tens of such messages a second.
const metaPace = 100 * time.Millisecond

// What is urgent is told again, so many times, after a random time of up to
// twice so long. For when the library's own queue becomes empty while a message
// takes the place of an older one, it starts to count anew, and then takes the
// next message of the same length for that one, and loses it: memberlist v0.7.0,
// TransmitLimitedQueue.deleteItem. It shows when two edges have something to
// tell at one moment.
const (
	repeats = 2
	repeat  = 1500 * time.Millisecond
)

// SetMeta tells the others what has changed of this edge: all but what
// [Options] say. Snapshots alone are told with a delay, the longer the larger
// the cluster.
func (c *Cluster) SetMeta(m Meta) {
	c.mu.Lock()
	own := c.meta
	c.meta.Snapshot, c.meta.Data, c.meta.Leaving, c.meta.Announce = m.Snapshot, m.Data, m.Leaving, m.Announce
	c.meta.Share, c.meta.Group = m.Share, m.Group
	same := string(own.encode()) == string(c.meta.encode())
	c.mu.Unlock()
	if !same {
		signal(c.renamed)
	}
}

// tell tells the others what this edge is, when that changes, until ctx ends.
func (c *Cluster) tell(ctx context.Context) {
	var news news
	due := time.NewTimer(0)
	due.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-due.C:
			if err := c.network.list.UpdateNode(settle); err != nil && !strings.Contains(err.Error(), "timeout") {
				c.Log.Error("cluster: telling others of this edge", "error", err)
			}
			if news.left--; news.left > 0 {
				due.Reset(repeat + apart(repeat))
			}
		case <-c.renamed:
			c.mu.Lock()
			now := c.meta
			c.mu.Unlock()
			if wait, ok := news.come(now, int(c.alive.Load())); ok {
				due.Reset(wait)
			}
		}
	}
}

// News is what others have yet to be told of this edge.
type news struct {
	last Meta // that was known
	left int  // times to tell it
}

// come takes in what the edge is now, and returns after which time to tell it
// to a cluster of so many; not ok where the time that is set stays.
func (n *news) come(now Meta, members int) (wait time.Duration, ok bool) {
	urgent := now.isUrgent(&n.last)
	n.last = now
	switch {
	case urgent:
		n.left = 1 + repeats
		return 0, true
	case n.left == 0: // a thousand edges have a new snapshot at once
		n.left = 1
		return apart(time.Duration(max(members, 1)) * metaPace), true
	}
	return 0, false
}

// isUrgent reports whether more than the snapshot has changed.
func (m Meta) isUrgent(before *Meta) bool {
	m.Snapshot, m.Data = before.Snapshot, before.Data
	return string(m.encode()) != string(before.encode())
}

// apart returns a random time below limit, so that edges come apart.
func apart(limit time.Duration) time.Duration { return rand.N(limit) } //nolint:gosec // no secret
