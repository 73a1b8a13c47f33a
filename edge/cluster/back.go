package cluster

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/waypost/waypost/edge/cluster/vote"
)

// What an edge said before it was gone does not count when it is back: it may
// have seen other things meanwhile. So it is forgotten at once, and not learnt
// from others who still remember it. Until the edge is heard anew it has no
// opinion, which changes nothing of what was decided; and that is soon, since
// some compare with it all that they know, and pass on what is of it.

const (
	compares = 8           // how many edges, on average, compare with one that is back
	backFor  = time.Minute // for how long what an edge says that is back is passed on, however it was heard
)

// gone drops what a member said that is gone.
func (c *council) gone(observer string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.book.Forget(observer)
}

// ofMembers returns those reports whose observers are alive.
func (c *Cluster) ofMembers(all []vote.Report) []vote.Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(all, func(r vote.Report) bool {
		m := c.members[r.Observer]
		return r.Observer != c.Name && (m == nil || !m.alive)
	})
}

// ofBack returns those reports whose observers have just come back: all have
// forgotten them, and few compare before it is their time.
func (c *Cluster) ofBack(all []vote.Report) []vote.Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(all), func(r vote.Report) bool {
		m := c.members[r.Observer]
		return m == nil || m.back.IsZero() || time.Since(m.back) > backFor
	})
}

// compare compares with members that are back, until ctx ends. Of several that
// come together one is enough: it knows what they all know.
func (c *Cluster) compare(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-c.back:
			if rand.N(max(c.alive.Load(), 1)) >= compares { //nolint:gosec // so that not all do
				continue
			}
			done := make(chan struct{})
			go func() {
				_, _ = c.network.list.Join([]string{at.String()}) // else they compare at their time
				close(done)
			}()
			select {
			case <-ctx.Done(): // it ends with its timeout
				return
			case <-done:
			}
		}
	}
}
