package probe

import (
	"cmp"
	"slices"
	"time"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
)

const (
	cutOff      = 0.9 // a kind abstains when this share of its targets fails …
	cutOffLeast = 3   // … and it is this many targets
	backAgain   = 0.8 // it ends when fewer than this share fail
)

// A kind is the state of one scheme over one family.
type kind struct {
	targets    int
	abstaining bool
	capped     int  // failing targets that stay up
	doubted    int  // targets to be probed anew
	unable     bool // to probe any: this machine lacks the family
}

// abstains reports whether the target's kind abstains.
func (p *Prober) abstains(t *target) bool { return p.kinds[t.kind()].abstaining }

// weigh decides whether a kind abstains, by the last results of its targets.
// While it does, failures do not count: when it ends, each target has to fail
// anew. The caller holds the mutex.
func (p *Prober) weigh(k health.Kind, now time.Time) {
	counted, failed, unrouted, local := 0, 0, 0, 0
	for _, t := range p.targets {
		if t.kind() == k && t.result.Verdict == Local {
			local++
		}
		if t.kind() != k || !t.counts() {
			continue
		}
		counted++
		if t.result.Verdict.Failed() {
			failed++
		}
		if t.result.Verdict == NoRoute {
			unrouted++
		}
	}
	p.kinds[k].unable = counted == 0 && local > 0
	share := cutOff
	if p.kinds[k].abstaining {
		share = backAgain
	}
	noRoute := counted > 0 && unrouted == counted
	abstain := noRoute || counted >= cutOffLeast && float64(failed) >= share*float64(counted)
	if abstain == p.kinds[k].abstaining {
		return
	}
	p.kinds[k].abstaining = abstain
	p.noteAbstention(k, failed, counted)
	if abstain {
		p.takeBack(k, now)
	}
}

// takeBack calls up what was called down in the time that it took to see that
// all fail.
func (p *Prober) takeBack(k health.Kind, now time.Time) {
	since := now.Add(-p.sweep(k))
	for _, t := range p.targets {
		if t.kind() != k {
			continue
		}
		t.streak = 0
		if t.failing && t.turned.After(since) {
			t.turn(false, now)
		}
	}
	p.decide(now)
}

// sweep returns the time in which all targets of a kind can have fallen: two
// intervals, and what it takes where the number of probes that may wait for a
// timeout at once is the limit.
func (p *Prober) sweep(k health.Kind) time.Duration {
	waits := p.config.Fall * p.kinds[k].targets / p.atOnce(k)
	return 2*p.config.Interval + time.Duration(waits)*p.config.Timeout
}

// decide works out which failing targets are down. The caller holds the mutex.
func (p *Prober) decide(now time.Time) {
	if p.config.Tell != nil {
		return // others decide
	}
	admitted := p.admit()
	down := make([]health.Target, 0, len(admitted))
	for _, t := range p.targets {
		called := admitted[t]
		if called {
			down = append(down, t.name)
		}
		if t.down != called {
			p.noteChange(t, called, now)
			t.down, t.since = called, now
		}
	}
	slices.SortFunc(down, vote.CompareTargets)
	if !slices.Equal(down, p.down) {
		p.down, p.changed = down, true
	}
}

// admit returns the failing targets that the cap leaves room for, those that
// failed first before the others, and counts the rest.
func (p *Prober) admit() map[*target]bool {
	var failing []*target
	limit := vote.NewCap(p.config.MaxDown)
	for _, t := range p.targets {
		if t.exists() {
			limit.At(t.plan.country, t.plan.continent).Add(t.kind())
		}
		if t.failing {
			failing = append(failing, t)
		}
	}
	slices.SortFunc(failing, func(a, b *target) int {
		return cmp.Or(a.turned.Compare(b.turned), vote.CompareTargets(a.name, b.name))
	})
	admitted := make(map[*target]bool, len(failing))
	capped := [health.Kinds]int{}
	for _, t := range failing {
		if limit.Take(limit.At(t.plan.country, t.plan.continent), t.kind()) {
			admitted[t] = true
		} else {
			capped[t.kind()]++
		}
	}
	for k, n := range capped {
		p.noteCap(health.Kind(k), n)
		p.kinds[k].capped = n
	}
	return admitted
}
