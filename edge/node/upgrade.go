package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/edge/anycast"
	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/distance"
	"github.com/waypost/waypost/edge/dns/wire"
	"github.com/waypost/waypost/edge/handover"
	"github.com/waypost/waypost/edge/health"
)

// A legacy is what an edge tells the process that takes its place: what that one
// would have to learn anew, and what clients would notice until it has.
type legacy struct {
	// Edge is the edge's name in its cluster; "" where it is in none.
	Edge string `json:"edge"`

	// Generation is that of the keeper of anycast prefixes.
	Generation uint64 `json:"generation"`

	Anycast []anycast.Inheritance `json:"anycast"`

	// Seen is what this edge's probes see, Down what the cluster has decided,
	// DrainedUntil when the order ends by which this edge is drained, and Trips
	// the round-trip times by which hosts are near.
	Seen         []vote.Seen     `json:"seen"`
	Down         []health.Target `json:"down"`
	Drained      []string        `json:"drained,omitempty"`
	DrainedUntil time.Time       `json:"drained_until,omitzero"`
	Trips        []distance.Time `json:"trips,omitempty"`

	// Secrets sign DNS cookies.
	Secrets wire.Secrets `json:"secrets"`
}

// inherit reads what the process before told. What cannot be read, which another
// version may have written, is as if there had been nothing. The error says what
// only a restart can change.
func (n *Node) inherit() error {
	if n.process = n.config.Process; n.process == nil {
		n.process = &handover.Process{}
	}
	n.process.Tell(n.bequeath)
	text := n.process.State()
	if n.follows = len(text) > 0; !n.follows {
		return nil
	}
	if err := json.Unmarshal(text, &n.before); err != nil {
		n.before = legacy{}
		n.log.Warn("what the process before told is of no use", "error", err)
	}
	if was := n.before.Edge; was != "" && n.config.Cluster != nil && n.config.Name != was {
		// it ends without a word to the cluster, which would take it for lost
		return fmt.Errorf("edge.name has changed from %q to %q: restart the edge instead", was, n.config.Name)
	}
	n.peers.decision.Store(&vote.Decision{Down: n.before.Down, Drained: n.before.Drained})
	return nil
}

// bequeath returns what the next process is told.
func (n *Node) bequeath() ([]byte, error) {
	l := legacy{Generation: n.before.Generation, DrainedUntil: n.drainedUntil()}
	if n.config.Cluster != nil {
		l.Edge = n.config.Name
	}
	if n.keeper != nil {
		l.Generation, l.Anycast = n.keeper.Generation, n.keeper.Leave()
	}
	if n.prober != nil {
		l.Seen = n.prober.Sights()
	}
	l.Down, l.Drained = n.decision().Down, n.decision().Drained
	if times := n.trips.Load(); times != nil {
		l.Trips = *times
	}
	if n.dns != nil {
		l.Secrets = n.dns.Secrets()
	}
	return json.Marshal(&l)
}

// generation is above that of all processes before, also if the clock was set back.
func (n *Node) generation() uint64 {
	return max(uint64(time.Now().UnixMilli()), n.before.Generation+1)
}

// holdOn starts hold, and returns what ends it and waits for that.
func (n *Node) holdOn(ctx context.Context, fail context.CancelCauseFunc) (end func(cause error) error) {
	ctx, stop := context.WithCancelCause(ctx)
	done := make(chan error, 1)
	go func() { done <- n.hold(ctx, fail) }()
	return func(cause error) error {
		stop(cause)
		return <-done
	}
}

// hold does what only one process of an edge may do, until ctx ends: it holds
// sessions and writes into data_dir. It begins once this process is the only
// one. fail ends the edge if a part cannot go on.
func (n *Node) hold(ctx context.Context, fail context.CancelCauseFunc) error {
	select {
	case <-ctx.Done():
		return nil
	case <-n.process.Alone():
	}
	if n.follows {
		n.restoreFeed() // anew: the process before has saved its tables just now
	}
	group, ctx := errgroup.WithContext(ctx)
	if n.feeds.monitor != nil {
		group.Go(func() error { return n.insist(ctx, func() error { return n.feeds.monitor.Run(ctx) }) })
	}
	if n.feeds.feed != nil {
		group.Go(func() error { return n.insist(ctx, func() error { return n.feeds.feed.Run(ctx) }) })
	}
	if n.tally != nil {
		group.Go(func() error { n.sendCounts(ctx); return nil })
	}
	err := group.Wait()
	if err != nil {
		fail(err)
	}
	return err
}

// How often a part that could not begin is tried again, and why is logged again.
const (
	insistEvery = time.Second
	sayWhyEvery = 5 * time.Minute
)

// insist does a part that begins late in a process that follows another one. If
// it cannot begin, such as while its port is in use, it is tried again until ctx
// ends: this process answers already, and there is no other to go back to. A
// process that follows none ends with the error, as at any start.
func (n *Node) insist(ctx context.Context, part func() error) error {
	said, last := "", time.Time{}
	for {
		err := part()
		if err == nil || !n.follows {
			return err
		}
		if ctx.Err() == nil && (err.Error() != said || time.Since(last) >= sayWhyEvery) {
			said, last = err.Error(), time.Now()
			n.log.Error("a part of the edge cannot begin; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(insistEvery):
		}
	}
}

// upgradePages are the pages for upgrades.
func (n *Node) upgradePages(mux *http.ServeMux) {
	mux.HandleFunc("POST /upgrade", func(w http.ResponseWriter, r *http.Request) {
		done := upgraded{Old: handover.Successor{PID: os.Getpid(), Version: Version()}}
		err := obey(r, func(p url.Values) (err error) {
			done.New, err = n.upgrade(r.Context(), p)
			return err
		})
		switch {
		case errors.Is(err, handover.ErrTakenOver):
			http.Error(w, err.Error(), http.StatusServiceUnavailable) // the next one will hear it if asked again
		case err != nil:
			refuse(w, err)
		default:
			writePage(w, done)
		}
	})
}

// upgrade hands over to a next process, within= a time.
func (n *Node) upgrade(ctx context.Context, p url.Values) (handover.Successor, error) {
	o := handover.Order{Within: handover.Within, Force: p.Has("force")}
	if text := p.Get("within"); text != "" {
		var err error
		if o.Within, err = time.ParseDuration(text); err != nil || o.Within <= 0 {
			return handover.Successor{}, misput{fmt.Errorf("within: want a time such as 30s, got %.60q", text)}
		}
	}
	return n.process.Upgrade(ctx, o)
}

// upgraded is what an edge answers that was upgraded.
type upgraded struct {
	Old handover.Successor `json:"old"`
	New handover.Successor `json:"new"`
}
