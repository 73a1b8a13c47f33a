package node

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/waypost/waypost/edge/distance"
	"github.com/waypost/waypost/edge/index"
)

// roundTrips are those that edges of the cluster measured, as they are in use.
type roundTrips struct {
	atomic.Pointer[[]distance.Time]
}

// distances returns how far the hosts of an index are by these times; nil if
// there are none.
func (t *roundTrips) distances(ix *index.Index) *distance.Table {
	if times := t.Load(); times != nil {
		return distance.New(ix, *times)
	}
	return nil
}

// newDistances has the answers go by round-trip times, where that is wanted.
func (n *Node) newDistances() {
	if n.config.Cluster == nil || !n.config.Cluster.RoundTrips {
		return
	}
	n.engine.Distances = n.trips.distances
	if len(n.before.Trips) > 0 {
		n.trips.Store(&n.before.Trips)
	}
}

// betweenTrips is how often it is looked whether edges have measured other times.
const betweenTrips = 10 * time.Second

// measure keeps the distances of hosts up to date, until ctx ends.
func (n *Node) measure(ctx context.Context) {
	if n.engine.Distances == nil {
		return
	}
	tick := time.NewTicker(betweenTrips)
	defer tick.Stop()
	if n.trips.Load() != nil { // of the process before: they count until others can be joined, and all is probed anew
		tick.Reset(betweenTrips + n.probing().Interval)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c := n.peers.cluster()
		if tick.Reset(betweenTrips); !c.IsOpen() {
			continue // only its own are here
		}
		times := c.RoundTrips()
		if before := n.trips.Load(); before == nil || !slices.Equal(*before, times) {
			n.trips.Store(&times)
			n.engine.UpdateDistances()
		}
	}
}
