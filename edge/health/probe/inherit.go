package probe

import (
	"slices"
	"time"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
)

// Sights returns what this edge sees of its targets, in their order, for the
// prober of the next process of this edge.
func (p *Prober) Sights() (all []vote.Seen) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, t := range p.targets {
		s := t.sight()
		if t.failing {
			s.State = vote.Failing // whatever the last probe was
		}
		if s.State != vote.Unseen {
			all = append(all, vote.Seen{Target: name, Sight: s})
		}
	}
	slices.SortFunc(all, func(a, b vote.Seen) int { return vote.CompareTargets(a.Target, b.Target) })
	return all
}

// Inherit has targets begin as the process before has seen them last: clients are
// not sent to failing ones before this one has seen that, too, and the votes and
// round-trip times of this edge are there. Call it before the first Update.
func (p *Prober) Inherit(seen []vote.Seen) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inherited = map[health.Target]vote.Sight{}
	for _, s := range seen {
		p.inherited[s.Target] = s.Sight
	}
}

// inherit has a new target be as it was seen by the process before, which may be
// a newer one, with verdicts that this one does not know: what fails by such a one
// fails.
func (t *target) inherit(s vote.Sight) {
	if s.Verdict >= uint8(Verdicts) && s.State == vote.Failing {
		s.Verdict = uint8(Protocol)
	}
	if s.State == vote.Unseen || s.Verdict == uint8(Unknown) || s.Verdict >= uint8(Verdicts) {
		return
	}
	t.result.Verdict = Verdict(s.Verdict)
	if t.failing = s.State == vote.Failing; t.failing {
		t.turned = time.Time{} // long ago: had all failed by then, the process before had taken it back
	}
	t.answered = t.failing || s.State == vote.Good || s.State == vote.Doubtful
	if s.State == vote.Doubtful {
		t.streak = 1
	}
	if s.RoundTrip > 0 {
		t.trips.add(time.Duration(s.RoundTrip) * time.Millisecond)
	}
}
