package probe

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
)

// failing returns the targets that are failing by what a prober sees.
func failing(p *Prober) (all []health.Target) {
	for _, s := range p.Sights() {
		if s.Sight.State == vote.Failing {
			all = append(all, s.Target)
		}
	}
	return all
}

// What the process before saw fail is down from the first index on.
func TestInherit(t *testing.T) {
	ix := bigIndex()
	p := newProber(Config{}.WithDefaults(), nil)
	p.Update(ix)
	if got := p.Sights(); len(got) != 0 || len(p.targets) == 0 {
		t.Fatalf("%d of %d targets are seen at first", len(got), len(p.targets))
	}
	var one health.Target
	for one = range p.targets {
		break
	}
	next := newProber(Config{}.WithDefaults(), nil)
	next.Inherit([]vote.Seen{
		{Target: one, Sight: vote.Sight{State: vote.Failing, Verdict: uint8(Refused)}},
		{Target: health.Target{Host: "gone", Scheme: index.HTTP, Family: index.V4}, Sight: vote.Sight{State: vote.Failing}},
	})
	next.Update(ix)
	if diff := cmp.Diff([]health.Target{one}, failing(next)); diff != "" {
		t.Error(diff)
	}
	if !next.changed || len(next.down) != 1 {
		t.Errorf("%d are down, want 1", len(next.down))
	}
	next.Assign(func(string) (turn, turns int, mine bool) { return 0, 1, false })
	next.Assign(nil)
	if got := next.Sights(); len(got) != 0 || len(next.targets) == 0 {
		t.Errorf("%v are seen that others probed meanwhile", got)
	}
}

// TestInheritAll: of whatever was seen, the next process sees the same, before it
// has probed.
func TestInheritAll(t *testing.T) {
	ix := compile(t, mirrors("DE", "absent", "blind", "doubtful", "failing", "good", "mending", "unseen", "wrong")...)
	seen := []vote.Seen{
		{Target: newName("absent"), Sight: vote.Sight{State: vote.Absent, Verdict: uint8(NoAddress)}},
		{Target: newName("blind"), Sight: vote.Sight{State: vote.Blind, Verdict: uint8(Local)}},
		{Target: newName("doubtful"), Sight: vote.Sight{State: vote.Doubtful, Verdict: uint8(Missing), RoundTrip: 3}},
		{Target: newName("failing"), Sight: vote.Sight{State: vote.Failing, Verdict: uint8(Timeout), RoundTrip: 9}},
		{Target: newName("good"), Sight: vote.Sight{State: vote.Good, Verdict: uint8(OK), RoundTrip: 120}},
		{Target: newName("mending"), Sight: vote.Sight{State: vote.Failing, Verdict: uint8(OK), RoundTrip: 7}},
		{Target: newName("unseen")},
		{Target: newName("wrong"), Sight: vote.Sight{State: vote.Good, Verdict: uint8(Verdicts)}}, // of a version to come
	}
	p := newProber(Config{Tell: func([]vote.Seen, [health.Kinds]bool) {}}.WithDefaults(), nil)
	p.Inherit(seen)
	p.Update(ix)
	if diff := cmp.Diff(seen[:6], p.Sights()); diff != "" {
		t.Error(diff)
	}
	if at := p.targets[newName("doubtful")]; at.streak != 1 || at.lane != &p.lanes[at.kind()][seconds] {
		t.Error("the second failure would not be one, or come late")
	}
}

// TestInheritNewer: what fails by a verdict that this process does not know fails.
func TestInheritNewer(t *testing.T) {
	p := newProber(Config{}.WithDefaults(), nil)
	p.Inherit([]vote.Seen{
		{Target: newName("a"), Sight: vote.Sight{State: vote.Failing, Verdict: uint8(Verdicts)}},
		{Target: newName("b"), Sight: vote.Sight{State: vote.Doubtful, Verdict: 255}},
	})
	p.Update(compile(t, mirrors("DE", "a", "b")...))
	if diff := cmp.Diff([]health.Target{newName("a")}, failing(p)); diff != "" {
		t.Error(diff)
	}
	if got := p.targets[newName("a")].result.Verdict; got != Protocol {
		t.Errorf("it fails by %v", got)
	}
}

// TestInheritCutOff: nearly all fail, and what failed before that stays down.
func TestInheritCutOff(t *testing.T) {
	p := newProber(Config{MaxDown: 1}.WithDefaults(), nil)
	p.Inherit([]vote.Seen{
		{Target: newName("a"), Sight: vote.Sight{State: vote.Failing, Verdict: uint8(Refused)}},
		{Target: newName("b"), Sight: vote.Sight{State: vote.Doubtful, Verdict: uint8(Timeout)}},
		{Target: newName("c"), Sight: vote.Sight{State: vote.Doubtful, Verdict: uint8(Timeout)}},
	})
	p.Update(compile(t, mirrors("DE", "a", "b", "c")...))
	if !p.kinds[newName("a").Kind()].abstaining {
		t.Error("it does not abstain")
	}
	if diff := cmp.Diff([]health.Target{newName("a")}, failing(p)); diff != "" || len(p.down) != 1 {
		t.Errorf("%d are down: %s", len(p.down), diff)
	}
}

// TestRetell: all is told, though nothing was probed.
func TestRetell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l := sharing(t, "a", "b")
		w.after(t, interval)
		next := time.Now().Add(time.Hour)
		w.Prober.mu.Lock()
		for _, at := range w.targets {
			w.wait(at, next, turns)
		}
		w.Prober.mu.Unlock()
		l.mu.Lock()
		clear(l.states)
		l.mu.Unlock()
		w.Retell()
		synctest.Wait()
		if got := l.of(vote.Good); len(got) != 2 {
			t.Errorf("it tells of %v", got)
		}
	})
}
