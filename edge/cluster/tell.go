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
// twice so long: the library's own queue has the flaw that [anchor] mends in
// ours, and it shows when two edges have something to tell at one moment.
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
	var last Meta
	left := 0 // repeats
	again := time.NewTimer(time.Hour)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			left--
		case <-c.renamed:
			c.mu.Lock()
			now := c.meta
			c.mu.Unlock()
			old := last
			last = now
			now.Snapshot, now.Data = old.Snapshot, old.Data
			if string(now.encode()) != string(old.encode()) {
				left = repeats
			} else if !c.dawdle(ctx) { // a thousand edges have a new snapshot at once
				return
			}
		}
		if left > 0 {
			again.Reset(repeat + rand.N(repeat)) //nolint:gosec // only so that they come apart
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
