package probe

import (
	"slices"
	"time"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
)

// A Status is what is known of one target, for people.
type Status struct {
	Target health.Target
	URL    string    // that is asked for, without a password
	Down   bool      // as published
	Since  time.Time // when Down last changed, or the target was new
	Kept   bool      // failing, but kept up by the cap

	// Failing says that probes have failed often enough, whatever came of it.
	// Where edges decide together, it is what this one thinks.
	Failing bool

	Result Result // of the last probe; its verdict is [Unknown] before the first
}

// Statuses returns the status of all targets, by host and kind.
func (p *Prober) Statuses() []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Status, 0, len(p.targets))
	for _, t := range p.targets {
		all = append(all, Status{
			Target: t.name, URL: t.plan.url.Redacted(), Down: t.down, Since: t.since,
			Kept: t.failing && !t.down && p.config.Tell == nil, Failing: t.failing, Result: t.result,
		})
	}
	slices.SortFunc(all, func(a, b Status) int { return vote.CompareTargets(a.Target, b.Target) })
	return all
}

// Counters are what a prober counts, for metrics.
type Counters struct {
	Results  [Verdicts]uint64 // probes by verdict, since the start
	Running  int              // probes now
	Expiring int              // targets whose certificate has less than a tenth of its life left
	Kinds    []KindCounters   // always the same four, in the same order
}

// Probes returns the number of probes since the start.
func (c *Counters) Probes() uint64 {
	sum := uint64(0)
	for _, n := range c.Results {
		sum += n
	}
	return sum
}

// KindCounters are those of one scheme over one family.
type KindCounters struct {
	Scheme  index.Schemes
	Family  index.Family
	Targets int // those whose name is known to lack the family do not count
	Failing int // whose last probe failed
	Down    int // as published

	// Late is for how long the target has been due that waits longest for one of the
	// probes that run to end; see [Config.Concurrency].
	Late time.Duration

	// Capped is how many targets are failing, but kept up by [Config.MaxDown].
	// Above 0, somebody should look: either a country is in trouble or this edge is.
	Capped int

	// Abstaining says that at least nine of ten targets fail, and at least
	// three, or that there is no route to any: then probes of this kind call
	// nothing down, until fewer than eight of ten fail.
	Abstaining bool
}

// Counters returns the counters as they are now. It costs a look at every target.
func (p *Prober) Counters() Counters {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	c := Counters{Results: p.results, Kinds: make([]KindCounters, health.Kinds)}
	for k := range c.Kinds {
		kind := health.Kind(k)
		c.Kinds[k] = KindCounters{
			Scheme: kind.Scheme(), Family: kind.Family(),
			Capped: p.kinds[k].capped, Abstaining: p.kinds[k].abstaining, Late: p.late(kind, now),
		}
		for _, l := range p.lanes[k] {
			c.Running += l.running
		}
	}
	for _, t := range p.targets {
		of := &c.Kinds[t.kind()]
		if t.exists() {
			of.Targets++
		}
		if t.counts() && t.result.Verdict.Failed() {
			of.Failing++
		}
		if t.down {
			of.Down++
		}
		if t.result.Expiring {
			c.Expiring++
		}
	}
	return c
}
