// Package cluster is the gossip between edges: who is alive, what each sees of
// the mirrors, and what follows from that.
//
//	probes of this edge ─► See ─► council ─► Decided ─► health of the request path
//	                               ▲    │
//	              what others say ─┘    └─► what others are told
//
// The library hashicorp/memberlist keeps the members and carries messages;
// edge/cluster/vote is what they say and what it means. A report is told when
// it changes, by gossip: each edge passes on what is news to it. Every half
// minute or more, two edges compare all they know, so that nothing stays lost.
// Nobody leads, and no clock of another edge is believed: after a split, both
// sides go on by the votes they have, and when it heals they merge.
//
// An edge that is alone is a cluster of one, and decides by its own probes, also
// before [Cluster.Open] has opened the network.
// When half or more of the others are gone at once, it may be this edge that is
// cut off: then it has all mirrors probed anew before its votes count again.
//
// What is sent is encrypted with the first key; what comes is accepted with any
// key of the ring. What is not encrypted with one of them is refused, and
// counted. Of a stream, no more is read than a handshake before its other side has
// shown such a key.
package cluster

import (
	"context"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
)

const (
	joinTimeout = 10 * time.Second // for one exchange of all that is known
	reclaim     = 30 * time.Second // after which a name that died may come back from another address
	remember    = time.Hour        // members that are gone, and what they said
	settle      = 50 * time.Millisecond
	leaveWithin = 2 * time.Second
	tellWithin  = time.Second // that it is about to

	// retransmit is how often a member tells of a piece of news, for each digit
	// of the number of members. With the library's 4, each of seven members is
	// told 4.7 times on average, and one of them misses one of ten pieces.
	retransmit = 8
)

// times returns how often each of so many members tells a piece of news, as the
// library has it for its own.
func times(members int) int { return retransmit * len(strconv.Itoa(members)) }

// A Prober looks at mirrors; edge/health/probe does. Its methods are called
// from any goroutine.
type Prober interface {
	// Assign tells which hosts to look at from now on, and at which turn of
	// how many within the interval.
	Assign(of func(host string) (turn, turns int, mine bool))

	// Retell has all that was seen told again: others remember what the process
	// before has told, and not what this one has inherited of it.
	Retell()

	// Look has a target looked at within a second, for it fails elsewhere.
	Look(target health.Target)

	// Confirm makes a target that has failed here fail for good: others have
	// seen it too, and it is down.
	Confirm(target health.Target)

	// Doubt has all targets looked at anew, and abstains until that is done.
	Doubt()
}

// Options are what a [Cluster] works with.
type Options struct {
	Config  Config
	Name    string       // of this edge; no other has it
	Program string       // its version
	Prober  Prober       // nil: this edge does not probe, and does not vote
	Fall    int          // failures in a row after which a mirror is down
	MaxDown float64      // the largest share of a country's or continent's hosts that votes may call down
	Log     *slog.Logger // nil: nobody is told

	Verdict func(uint8) string // names a verdict of probes, for the log; nil: it is a number

	// Decided is called with what was decided, whenever that changes, and once at
	// first. It is never called twice at once.
	Decided func(d *vote.Decision)

	Before       []health.Target  // what the process before had decided; votes are weighed by it until the first decision
	Known        []netip.AddrPort // edges that the process before could reach: joined by these, too, while this one is alone
	OrdersBefore []byte           // of operators, as [Cluster.Orders] of the process before returned them
	File         string           // keeps the orders of operators over restarts; "": nothing does
}

// A Cluster is this edge's part in a cluster. [Cluster.Run] does the work, what
// needs the others once [Cluster.Open] has opened the network; all other methods
// are safe for any number of goroutines.
type Cluster struct {
	Options

	council  *council
	network  network
	keys     *keyring
	queue    *queue
	direct   *queue // what is urgent, for those whom gossip does not reach
	refusals refusals
	counters counters
	alive    atomic.Int32  // members, with this one
	overTCP  atomic.Int32  // of these, those whom gossip does not reach
	silent   atomic.Bool   // end without a word
	unsaved  atomic.Bool   // orders that could not be written
	dirty    chan struct{} // there is something to decide
	moved    chan struct{} // members have changed
	renamed  chan struct{} // what this edge tells of itself has changed
	ordered  chan struct{} // there is an order to keep

	back chan netip.AddrPort // a member that was gone is there again

	deciding sync.Mutex // held while it decides and tells of it

	mu      sync.Mutex // guards what follows; the library calls back with locks of its own, so it is never called under mu
	members map[string]*member
	meta    Meta
	absent  []Absentee // who could not be joined
}

// New makes a cluster of which the edge is at first the only member it knows. It
// opens no sockets.
func New(o Options) (*Cluster, error) {
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	o.Config = o.Config.WithDefaults()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Cluster{
		Options: o, back: make(chan netip.AddrPort, 1), ordered: make(chan struct{}, 1), council: newCouncil(o.Name, o.Fall, o.MaxDown), members: map[string]*member{},
		dirty: make(chan struct{}, 1), moved: make(chan struct{}, 1), renamed: make(chan struct{}, 1),
		network: network{opened: make(chan struct{})},
		meta: Meta{
			Region: o.Config.Region, Country: strings.ToUpper(o.Config.Country), Cell: o.Config.Location.cell(),
			Program: o.Program, Probes: o.Prober != nil,
		},
	}
	var err error
	if c.keys, err = newKeyring(o.Config.KeyFiles); err != nil {
		return nil, err
	}
	c.meta.keys = c.keys.ids()
	c.queue = newQueue(func() int { return times(int(c.alive.Load())) })
	c.direct = newQueue(func() int { return 1 })
	c.council.inherit(o.Before)
	c.inherit(time.Now())
	c.restore(time.Now())
	c.addSelf()
	c.warnExposed()
	return c, nil
}

// Run takes part until ctx ends. Then it tells the others that it leaves,
// unless [Cluster.Silence] was called. It is called once.
func (c *Cluster) Run(ctx context.Context) error {
	var work sync.WaitGroup
	for _, part := range []func(context.Context){c.decide, c.follow, c.keep, c.save} {
		work.Go(func() { part(ctx) })
	}
	for _, part := range []func(context.Context){c.join, c.compare, c.tell, c.tellOverTCP} { // which need the others
		work.Go(func() {
			select {
			case <-c.network.opened:
				part(ctx)
			case <-ctx.Done():
			}
		})
	}
	work.Wait()
	return c.Close()
}

// Silence has the edge end without a word, for another process is to take its
// place under the same name and address.
func (c *Cluster) Silence() { c.silent.Store(true) }

// Address returns where the others reach this edge.
func (c *Cluster) Address() netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.members[c.Name].address
}

// signal wakes up who waits for a channel.
func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default: // it was not yet seen: once is enough
	}
}

// See takes in what this edge has seen, and from which kinds it abstains.
func (c *Cluster) See(seen []vote.Seen, abstains [health.Kinds]bool) {
	tell := c.council.see(seen, abstains)
	c.pass(&tell)
	signal(c.dirty)
}

// SetHosts tells which hosts there are; of each, Observers is not looked at. It
// has decided on them when it returns.
func (c *Cluster) SetHosts(hosts []vote.Host) {
	c.council.setHosts(hosts)
	c.decideNow(time.Now()) // at a start, before clients come: what is drained is out from the first one
	signal(c.dirty)
}

// decide decides when something has changed, until ctx ends.
func (c *Cluster) decide(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	drains := orders{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.dirty:
		case <-timer.C:
		}
		now := time.Now()
		next := c.decideNow(now)
		drains.report(c.Log, c.council.orders(now))
		wait := time.Hour
		if !next.IsZero() {
			wait = min(wait, max(next.Sub(now), time.Millisecond))
		}
		timer.Reset(wait)
	}
}

// keep does what is due now and then, until ctx ends.
func (c *Cluster) keep(ctx context.Context) {
	second, minute := time.NewTicker(time.Second), time.NewTicker(time.Minute)
	defer second.Stop()
	defer minute.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-second.C:
			if c.keys.changed() {
				c.reloadKeys()
			}
		case now := <-minute.C:
			c.bury(now)
			c.council.forget(now, c.living())
		}
	}
}
