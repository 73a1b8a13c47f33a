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

// SetMeta tells the others what has changed of this edge: all but what
// [Options] say. Snapshots alone are told with a delay, the longer the larger
// the cluster.
func (c *Cluster) SetMeta(m Meta) {
	c.mu.Lock()
	own := c.meta
	c.meta.Snapshot, c.meta.Data, c.meta.Leaving, c.meta.Announce = m.Snapshot, m.Data, m.Leaving, m.Announce
	same := string(own.append(nil)) == string(c.meta.append(nil))
	c.mu.Unlock()
	if !same {
		signal(c.renamed)
	}
}

// tell tells the others what this edge is, when that changes, until ctx ends.
func (c *Cluster) tell(ctx context.Context) {
	var last Meta
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.renamed:
		}
		c.mu.Lock()
		now := c.meta
		c.mu.Unlock()
		urgent := now
		urgent.Snapshot, urgent.Data = last.Snapshot, last.Data
		if string(urgent.append(nil)) == string(last.append(nil)) { // a thousand edges have a new snapshot at once
			timer.Reset(rand.N(time.Duration(c.alive.Load()) * metaPace))
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		}
		last = now
		if err := c.list.UpdateNode(settle); err != nil && !strings.Contains(err.Error(), "timeout") {
			c.Log.Error("cluster: telling others of this edge", "error", err)
		}
	}
}
