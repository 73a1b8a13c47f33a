package probe

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
)

// What the process before saw fail is down from the first index on.
func TestInherit(t *testing.T) {
	ix := bigIndex()
	p := newProber(Config{}.WithDefaults(), nil)
	p.Update(ix)
	if got := p.Failing(); len(got) != 0 || len(p.targets) == 0 {
		t.Fatalf("%d of %d targets are failing at first", len(got), len(p.targets))
	}
	var one health.Target
	for one = range p.targets {
		break
	}
	next := newProber(Config{}.WithDefaults(), nil)
	next.Inherit([]health.Target{one, {Host: "gone", Scheme: index.HTTP, Family: index.V4}})
	next.Update(ix)
	if diff := cmp.Diff([]health.Target{one}, next.Failing()); diff != "" {
		t.Error(diff)
	}
	if !next.changed || len(next.down) != 1 {
		t.Errorf("%d are down, want 1", len(next.down))
	}
	next.Assign(func(string) (turn, turns int, mine bool) { return 0, 1, false })
	next.Assign(nil)
	if got := next.Failing(); len(got) != 0 || len(next.targets) == 0 {
		t.Errorf("%v fail that others probed meanwhile", got)
	}
}
