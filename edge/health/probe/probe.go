// Package probe looks which mirrors are up, from where this edge stands.
//
//	index ──► plans ──► probe ──► rise and fall ──► abstain ──► cap ──► down
//	          what to   within    of each target    of a kind   of an   published
//	          ask of    seconds                                 area
//	          a target
//
// A target is one host by one scheme over one address family: not a category,
// since a server that is dead is dead for all its trees. A probe resolves the
// name where the snapshot has no addresses, connects, verifies the certificate
// and asks HEAD for a file that the host should hold, whose size is compared,
// or else for a directory. Where that does not settle it, it asks on, each time
// over a connection of its own:
//
//   - GET, for the first kilobyte, where a host refuses HEAD or does not say the
//     size. What cannot be found to be of the known size is an error page.
//   - GET, for all of it up to 32 kB, where the body is coded, which was not asked
//     for, and its size is not the file's. Decoded it has to be; where that cannot
//     be found out, it must not be HTML in place of another file.
//   - GET, where HTML comes in place of a file of which no size is known.
//   - where a redirect leads, as long as that is the same host: with another path
//     it may lead to an error page, with https to a bad certificate.
//   - another file, of another directory, where the first is missing or of
//     another size: it may have been archived, and the mirrors that lack it first
//     are the best ones.
//
// That is one connection for nearly all probes, and thirteen at most: for each of the
// two files HEAD, GET twice and three redirects, or for a directory HEAD and GET, a
// name that cannot exist and the directory again, each with three redirects and
// within [Config.Timeout].
//
// Every tenth probe, and each that follows a failure until all is well, is
// thorough: it asks GET at once. Of hosts of which only directories are known it is
// every twentieth, and then it asks for a name that cannot exist, too: an answer
// of success to that makes the one to the directory worthless, if the two are
// one page that says what it shows, and no redirect led to it. What a probe found is a [Verdict].
//
// From verdicts to what is down there are three steps:
//
//   - Rise and fall: a target is failing after [Config.Fall] failures in a row,
//     and well after [Config.Rise] successes in a row. After a first failure the
//     next probe follows within a second, so that a host that refuses is down a
//     second after its turn came, at most an interval and a second after it died.
//   - Abstaining: where nearly all targets of a kind (a scheme over a family)
//     fail, it is rather this machine that is cut off. Then what went down
//     meanwhile is taken back (that of the last two intervals, or of the time
//     that so many timeouts take), and nothing of the kind goes down until
//     probes succeed again. See [KindCounters].
//   - The cap: never more than [Config.MaxDown] of the hosts of a country or a
//     continent are down at once. Those that failed first are down; the rest
//     stay up until there is room, or they recover.
//
// New targets are up. A private host is often out of an edge's reach while its
// own clients see it: its failures count only once it has answered. A verdict
// that says nothing of the host ([Local]) counts for nothing; by [NoAddress] there
// is no such target, which is not down, whatever failed before.
//
// A [Prober] is safe for any number of goroutines; what it calls back is called
// from the goroutine of [Prober.Run]. A thousand hosts of four targets cost some
// 130 probes a second, and where addresses are not known twice as many
// questions to the resolver. Where none of one family answers, some 200 probes run
// at once, and 600 at times after a start; those of the other are not late by that. From the result of a probe to what is published it
// takes 0.2 ms at 450 hosts.
package probe

import (
	"context"
	"sync"
	"time"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
)

// A Prober probes the hosts of an index. Make one with [New].
type Prober struct {
	config  Config
	probe   func(context.Context, plan, index.Family) Result
	room    int           // for probes in a lane, unless configured
	done    chan outcome  // results on their way to Run
	updated chan struct{} // a new index came

	mu      sync.Mutex // guards what follows
	targets map[health.Target]*target
	lanes   [health.Kinds][lanes]lane
	kinds   [health.Kinds]kind
	down    []health.Target // replaced, never changed
	changed bool            // since down was published
	notes   []note          // not yet logged
	results [Verdicts]uint64

	inherited map[health.Target]vote.Sight // what the process before has seen last

	plans    map[health.Target]plan // of all hosts, also those that others probe; replaced, never changed
	assigned func(host string) (turn, turns int, mine bool)
	seen     []vote.Seen        // not yet told
	told     [health.Kinds]bool // from which kinds this edge abstains
}

// An outcome is the result of a probe.
type outcome struct {
	target *target
	result Result
}

// New returns a prober without targets. The error is that of [Config.Validate].
func New(c Config) (*Prober, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.WithDefaults()
	p := newProber(c, newChecker(c).probe)
	p.room = roomIn(descriptors())
	return p, nil
}

func newProber(c Config, probe func(context.Context, plan, index.Family) Result) *Prober {
	return &Prober{
		config: c, probe: probe, room: mostAtOnce,
		done: make(chan outcome), updated: make(chan struct{}, 1),
		targets: map[health.Target]*target{},
	}
}

// Update tells which hosts there are. Targets that were there before keep their
// state, by the host's name; new ones are up, and probed first within a tenth of
// the interval. It may be called before and while Run runs; it costs as much
// as finding a file to ask each host for: 15 ms for 450 hosts × 60,000
// directories.
func (p *Prober) Update(ix *index.Index) {
	plans := plansFor(ix)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plans = plans
	p.replan(time.Now())
	p.inherited = nil // it was for these targets; one that goes and comes is new
}

// replan makes targets of those plans that are this edge's. The caller holds
// the mutex.
func (p *Prober) replan(now time.Time) {
	phases := p.phases()
	for name, t := range p.targets {
		if _, ok := phases[name]; !ok {
			p.forget(t)
		}
	}
	for name, phase := range phases {
		t := p.targets[name]
		if t == nil {
			t = newTarget(name, now, phase)
			t.plan = p.plans[name]
			t.brief = int(time.Duration(t.plan.every()) * phase / p.config.Interval) // thorough ones are even, too
			t.inherit(p.inherited[name])
			p.targets[name] = t
			p.kinds[t.kind()].targets++
			p.wait(t, t.due, t.place())
		}
		t.plan = p.plans[name]
		if t.phase != phase {
			t.phase = phase
			if due := t.next(now, &p.config); t.at >= 0 && due.Before(t.due) {
				p.wait(t, due, t.place())
			}
		}
	}
	for k := range p.kinds {
		p.weigh(health.Kind(k), now)
	}
	p.decide(now)
	p.wake()
}

// forget drops a target. A probe that is on it comes to nothing.
func (p *Prober) forget(t *target) {
	delete(p.targets, t.name)
	p.kinds[t.kind()].targets--
	t.gone = true
	p.settled(t)
	p.tell(t)
	p.leave(t)
}

// State returns the state of health of ix by what is down now: what Swap and
// SetHealth of edge/answer's Engine ask for. It costs 12 µs at 450 hosts.
func (p *Prober) State(ix *index.Index) *health.State {
	p.mu.Lock()
	down := p.down
	p.mu.Unlock()
	return health.New(ix, down)
}

// Run probes until ctx is done; then it returns nil, after its last probe has
// returned. It is called once.
func (p *Prober) Run(ctx context.Context) error {
	var probes sync.WaitGroup
	defer probes.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-p.updated:
		case o := <-p.done:
			if ctx.Err() == nil { // else it may have failed by that
				p.settle(o, time.Now())
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		p.publish()
		timer.Reset(p.start(ctx, &probes))
	}
}

// settle works out what follows from a result, unless the target is gone.
func (p *Prober) settle(o outcome, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o.target.lane.running--
	p.results[o.result.Verdict]++
	t := o.target
	if t.gone {
		return
	}
	p.noteCertificate(t, &o.result)
	t.result, t.seen = o.result, now
	if o.result.RoundTrip > 0 {
		t.trips.add(o.result.RoundTrip)
	}
	p.settled(t)
	t.answered = t.answered || o.result.Verdict == OK
	p.weigh(t.kind(), now)
	if t.note(p.abstains(t), &p.config, now) {
		p.decide(now)
	}
	p.tell(t)
	p.wait(t, t.next(now, &p.config), t.place())
}

// publish tells what is down, if that has changed, and then logs why: a log
// that is slow holds nobody up.
func (p *Prober) publish() {
	p.mu.Lock()
	down, changed, notes := p.down, p.changed, p.notes
	p.changed, p.notes = false, nil
	p.mu.Unlock()
	if changed && p.config.Publish != nil {
		p.config.Publish(down)
	}
	p.share()
	for _, n := range notes {
		p.config.Log.LogAttrs(context.Background(), n.level, n.text, n.about...)
	}
}
