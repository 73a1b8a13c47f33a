package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
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
	// DataDir is where it keeps what it must not lose.
	DataDir string `json:"data_dir,omitempty"`

	// Ports are those that it frees only at its end; nil: it does not say.
	Ports []netip.AddrPort `json:"ports"`

	// Generation is that of the keeper of anycast prefixes.
	Generation uint64 `json:"generation"`

	Anycast []anycast.Inheritance `json:"anycast"`

	// Seen is what this edge's probes see, Down what is down by votes of the
	// cluster, Drained which hosts operators have drained, DrainedUntil when the
	// order ends by which this edge is drained, and Trips the round-trip times by
	// which hosts are near. Orders are all orders of operators, for the cluster.
	Seen         []vote.Seen     `json:"seen"`
	Down         []health.Target `json:"down"`
	Drained      []string        `json:"drained,omitempty"`
	DrainedUntil time.Time       `json:"drained_until,omitzero"`
	Trips        []distance.Time `json:"trips,omitempty"`
	Orders       []byte          `json:"orders,omitempty"`

	// Members are where other edges of the cluster of that label can be joined.
	Label   string           `json:"label,omitempty"`
	Members []netip.AddrPort `json:"members,omitempty"`

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
	n.process.Introduce(n.config.member())
	text := n.process.State()
	if n.follows = len(text) > 0; !n.follows {
		return nil
	}
	if err := json.Unmarshal(text, &n.before); err != nil {
		n.before = legacy{}
		n.log.Warn("what the process before told is of no use", "error", err)
	}
	if was := n.before.DataDir; was != "" && n.config.DataDir != was {
		// what is in use was read there, and orders and counts are kept there to the end
		return fmt.Errorf("edge.data_dir has changed from %q to %q: restart the edge instead", was, n.config.DataDir)
	}
	if n.before.Label != n.config.label() {
		n.before.Members = nil
	}
	n.peers.decision.Store(&vote.Decision{Down: n.before.Down, Drained: n.before.Drained})
	return nil
}

// bequeath returns what the next process is told.
func (n *Node) bequeath() ([]byte, error) {
	l := legacy{
		DataDir: n.config.DataDir, Ports: []netip.AddrPort{}, Generation: n.before.Generation,
		DrainedUntil: n.drainedUntil(), Orders: n.before.Orders, Label: n.config.label(), Members: n.before.Members,
	}
	for _, late := range n.config.late() {
		l.Ports = append(l.Ports, late.at)
	}
	if c := n.peers.cluster(); c != nil {
		l.Members, l.Orders = c.Reachable(), c.Orders()
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

// own does what only one process of an edge may do, until ctx ends: it is the edge
// in the cluster, holds sessions, and follows the control plane, which unfollow
// ends. Then the next process may, though clients are still answered here.
func (n *Node) own(ctx context.Context, unfollow func()) error {
	working, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	group, working := errgroup.WithContext(working)
	if n.config.Cluster != nil {
		group.Go(func() error { return n.gossip(working) })
	}
	group.Go(func() error { return n.hold(working) })
	select {
	case <-ctx.Done():
	case <-working.Done():
	}
	unfollow() // that may take as long as a snapshot to compile: until then others need not miss this edge
	stop(context.Cause(ctx))
	err := group.Wait()
	n.process.Free()
	return err //nolint:wrapcheck // all name themselves
}

// hold holds the sessions by which routing tables come, until ctx ends, once this
// process is the only one.
func (n *Node) hold(ctx context.Context) error {
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
	return group.Wait()
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
