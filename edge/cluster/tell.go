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

// repeat is after how long what is urgent is told once more.
const repeat = 2 * time.Second

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
// What is urgent is told once more after a while: the library's own queue has
// the flaw that [anchor] mends in ours.
func (c *Cluster) tell(ctx context.Context) {
	var last Meta
	again := time.NewTimer(time.Hour)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		case <-c.renamed:
			c.mu.Lock()
			now := c.meta
			c.mu.Unlock()
			old := last
			last = now
			now.Snapshot, now.Data = old.Snapshot, old.Data
			if string(now.encode()) != string(old.encode()) {
				again.Reset(repeat)
			} else if !c.dawdle(ctx) { // a thousand edges have a new snapshot at once
				return
			}
		}
		if err := c.list.UpdateNode(settle); err != nil && !strings.Contains(err.Error(), "timeout") {
			c.Log.Error("cluster: telling others of this edge", "error", err)
		}
	}
}

// dawdle waits for a random time, longer in a larger cluster; false: ctx has ended.
func (c *Cluster) dawdle(ctx context.Context) bool {
	timer := time.NewTimer(rand.N(time.Duration(max(c.alive.Load(), 1)) * metaPace)) //nolint:gosec // only so that they come apart
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
