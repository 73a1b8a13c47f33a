// Package anycast keeps an edge's service prefixes announced exactly while the
// edge answers well.
//
//	checks of the service addresses ─┐
//	operators: drain, resume        ─┼─► machine, one a prefix ─► order ─► speaker ─► BGP
//	other edges: who has newer data ─┘      down, up, draining,        (a process of its own)
//	                                        maintenance
//
// A check goes the way of clients, to the service address, once a second. A
// prefix is announced after [Config.UpAfter] good ones and some time more, and
// withdrawn after [Config.DownAfter] bad ones; one that fails again and again
// stays down for longer each time. IPv4 and IPv6 go separate ways.
//
// Old data is no reason to leave: when the control plane is away, all edges
// are old, and they must not leave the world empty one by one. A prefix is
// withdrawn for its data only while another edge that the cluster knows
// announces it and is newer by more than [Config.MaxBehind]. And the last one
// that announces a prefix stays, for operators too, unless it fails to answer.
//
// Draining announces with GRACEFUL_SHUTDOWN (RFC 8326), so that neighbours move
// traffic away while the route still works; then the prefix is withdrawn. A
// process that is told to stop does so for all prefixes before it closes its
// listeners. One that dies has its prefixes withdrawn by the speaker once its
// lease ends, after 3 seconds ([speaker.Lease]).
package anycast

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/waypost/waypost/edge/anycast/speaker"
	"github.com/waypost/waypost/edge/handover"
)

// Other is another edge that is alive, as the cluster knows it.
type Other struct {
	Name      string
	Announces []netip.Prefix
	Data      time.Time // when its snapshot was made
}

// A Speaker carries out orders; [speaker.Client] does.
type Speaker interface {
	Give(ctx context.Context, o *speaker.Order) (speaker.Report, error)
	Close() error
}

var _ Speaker = (*speaker.Client)(nil)

// Options are what a [Keeper] works with. Others and Data may be nil.
type Options struct {
	// Config was checked, and has its defaults.
	Config Config

	// Check asks the service at an address as a client would; nil is a good
	// answer. It is called for all addresses at once.
	Check func(ctx context.Context, service netip.Addr) error

	// Others are the other edges that are alive. Nil: no cluster is there, and
	// whether this edge is the last one cannot be told.
	Others func() []Other

	// Drained reports whether operators drained this edge in the cluster: then
	// it is as if they had drained all prefixes, except that those that no other
	// edge announces stay until one does. Nil: there is no cluster.
	Drained func() bool

	// Data is when the snapshot in use was made; zero: none is.
	Data func() time.Time

	// Speaker is the speaker, or what stands for one in a test.
	Speaker Speaker

	// Generation is that of this process; it is higher than that of those before.
	Generation uint64

	// File keeps what operators ordered, over restarts.
	File string

	// Before is how the keeper of the process before left the prefixes; nil:
	// there was none.
	Before []Inheritance

	Log *slog.Logger
}

// A Keeper keeps prefixes announced. [Keeper.Run] does the work; the other
// methods are for any goroutine.
type Keeper struct {
	Options

	sessions speaker.Sessions
	orders   chan speaker.Order // to the herald; at most the newest waits

	mu       sync.Mutex
	machines map[netip.Prefix]*machine // guarded by mu
	wishes   wishes                    // guarded by mu
	leaving  bool                      // guarded by mu; the process ends
	report   speaker.Report            // guarded by mu; the last one
	lost     error                     // guarded by mu; why there is no newer one
	checks   checkCounters             // guarded by mu
}

type checkCounters struct{ Good, Bad uint64 }

// New makes a keeper. The error is that of a file which cannot be read.
func New(o Options) (*Keeper, error) {
	sessions, err := o.Config.sessions()
	if err != nil {
		return nil, err
	}
	k := &Keeper{
		Options: o, sessions: sessions, orders: make(chan speaker.Order, 1),
		machines: map[netip.Prefix]*machine{},
	}
	if k.wishes, err = readWishes(o.File); err != nil {
		return nil, err
	}
	now := time.Now()
	for _, p := range o.Config.Prefixes {
		k.machines[p] = newMachine(&k.Config, rand.Float64, now)
		for i := range o.Before {
			if o.Before[i].Prefix == p {
				k.machines[p].inherit(&o.Before[i], now)
			}
		}
	}
	return k, nil
}

// renew is how often an order is given, well within its lease.
const renew = speaker.Lease / 6

// settle is how long a withdrawal is given to reach those who send packets.
const settle = time.Second

// Run keeps the prefixes until ctx ends. Then it drains and withdraws all of
// them, and returns: only then may listeners be closed. If the next process has
// taken over ([handover.TakenOver]), it gives no more orders, and that is all:
// those of the next one count already.
func (k *Keeper) Run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	var done sync.WaitGroup
	defer done.Wait()
	defer stop()
	done.Go(func() { k.herald(work) })
	results := make(chan map[netip.Prefix]error)
	done.Go(func() { k.look(work, results) })
	tick := time.NewTicker(renew)
	defer tick.Stop()
	end := ctx.Done()
	if k.Before != nil { // this is the first order of a process that answers already
		k.step(time.Now())
	}
	for {
		select {
		case <-end:
			if handover.TakenOver(ctx) {
				return nil
			}
			end = nil // once
			k.leave()
		case r := <-results:
			k.take(time.Now(), r)
		case <-tick.C:
		}
		if k.step(time.Now()) {
			return k.farewell()
		}
	}
}

// look checks the service addresses again and again.
func (k *Keeper) look(ctx context.Context, to chan<- map[netip.Prefix]error) {
	tick := time.NewTicker(k.Config.CheckEvery)
	defer tick.Stop()
	for {
		found := k.round(ctx)
		if ctx.Err() != nil {
			return
		}
		select {
		case to <- found:
		case <-ctx.Done():
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// round checks all addresses once. A prefix is as good as the worst of them. A
// check that does not come back in time has failed, whatever it does.
func (k *Keeper) round(ctx context.Context) map[netip.Prefix]error {
	ctx, cancel := context.WithTimeout(ctx, k.Config.CheckTimeout)
	defer cancel()
	results := make([]chan error, len(k.Config.Addresses))
	for i, a := range k.Config.Addresses {
		results[i] = make(chan error, 1)
		go func() { results[i] <- k.Check(ctx, a) }()
	}
	limit, stop := context.WithTimeout(context.WithoutCancel(ctx), k.Config.CheckTimeout+grace)
	defer stop()
	found := map[netip.Prefix]error{}
	for i, a := range k.Config.Addresses {
		err := result(limit, results[i])
		if err != nil {
			err = fmt.Errorf("%s: %w", a, err)
		}
		for _, p := range k.Config.Prefixes {
			if p.Contains(a) {
				found[p] = errors.Join(found[p], err)
			}
		}
	}
	return found
}

// grace is what a check has to see that its time is over.
const grace = 100 * time.Millisecond

var errHangs = errors.New("the check hangs")

// result waits for the result of a check. One that is there counts, also if
// the wait for another one has taken all the time.
func result(limit context.Context, from <-chan error) error {
	select {
	case err := <-from:
		return err
	case <-limit.Done():
	}
	select {
	case err := <-from:
		return err
	default:
		return errHangs
	}
}

// take takes in a round of checks.
func (k *Keeper) take(now time.Time, found map[netip.Prefix]error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for p, err := range found {
		k.machines[p].check(now, err)
		if err == nil {
			k.checks.Good++
		} else {
			k.checks.Bad++
		}
	}
}

// step decides on all prefixes and has the order given. It reports whether the
// process may leave.
func (k *Keeper) step(now time.Time) (gone bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.decide(now)
}

// decide is step, with the lock held.
func (k *Keeper) decide(now time.Time) (gone bool) {
	var others []Other
	if k.Others != nil {
		others = k.Others()
	}
	drained := k.Drained != nil && k.Drained()
	order := speaker.Order{Generation: k.Generation, Sessions: k.sessions}
	gone = k.leaving
	for _, p := range k.Config.Prefixes {
		m := k.machines[p]
		if m.step(now, k.outlook(p, others, drained)) {
			k.Log.Warn("anycast", "prefix", p, "state", m.state, "reason", m.reason)
		}
		if k.leaving && m.state != Draining {
			continue
		}
		gone = false
		if r, ok := k.Config.route(p, k.Config.announcement(m.state)); ok {
			order.Routes = append(order.Routes, r)
		}
	}
	k.give(order)
	return gone
}

// outlook returns what else counts for a prefix.
func (k *Keeper) outlook(p netip.Prefix, others []Other, drained bool) outlook {
	o := outlook{wish: k.wishes.of(p), last: k.Others != nil && !k.wishes.forced(p)}
	if drained && o.wish == run {
		o.wish = yield
	}
	if k.leaving {
		o.wish, o.last = leave, false
	}
	for _, other := range others {
		if !slices.Contains(other.Announces, p) {
			continue
		}
		o.last = false
		if k.Data != nil && !k.Data().IsZero() {
			o.behind = max(o.behind, other.Data.Sub(k.Data()))
		}
	}
	return o
}

// give hands an order to the herald, in the place of one that waits.
func (k *Keeper) give(o speaker.Order) {
	select {
	case <-k.orders:
	default:
	}
	k.orders <- o // there is room: nobody else sends
}

// leave makes all prefixes drain, for the process is to end.
func (k *Keeper) leave() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.leaving = true
}

// herald gives orders to the speaker as they come, and none of its own: if the
// keeper hangs, so must the lease end.
func (k *Keeper) herald(ctx context.Context) {
	defer k.Speaker.Close() //nolint:errcheck // the lease ends by itself
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-k.orders:
			k.say(ctx, &o)
		}
	}
}

// say gives an order and notes the report.
func (k *Keeper) say(ctx context.Context, o *speaker.Order) {
	ctx, cancel := context.WithTimeout(ctx, speaker.Lease)
	defer cancel()
	r, err := k.Speaker.Give(ctx, o)
	if err == nil && r.Error != "" {
		err = errors.New(r.Error)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil && (k.lost == nil || k.lost.Error() != err.Error()) {
		k.Log.Error("anycast speaker", "error", err)
	}
	if r.Superseded && !k.report.Superseded {
		k.Log.Warn("another process of this edge, or one with the same data_dir, gives the anycast speaker its orders; those of this one wait", "generation", k.Generation)
	}
	k.lost = err
	if r.PID != 0 {
		k.report = r
	}
}

// farewell waits until the speaker announces nothing any more, and a little
// longer for the network to hear of it.
func (k *Keeper) farewell() error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(2 * speaker.Lease)
	for k.lingers() {
		select {
		case <-tick.C:
		case <-limit:
			return errors.New("leaving: the speaker still announces prefixes; its lease will end")
		}
	}
	<-time.After(settle)
	return nil
}

// lingers has everything withdrawn, and reports whether the speaker is there
// and has not done so yet. What another process has it announce is not ours.
func (k *Keeper) lingers() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.give(speaker.Order{Generation: k.Generation, Sessions: k.sessions})
	return len(k.report.Routes) > 0 && !k.report.Superseded && k.lost == nil
}
