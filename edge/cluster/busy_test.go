package cluster

import (
	"testing"
	"time"

	"github.com/waypost/waypost/edge/cluster/vote"
)

// TestBusy has seven edges that have just started, and so tell of a thousand
// hosts at once, when a mirror dies; and edges at rest, when three hundred do.
func TestBusy(t *testing.T) {
	for _, x := range []struct {
		name       string
		cold, dead int
		within     time.Duration
	}{
		{"one dies after a cold start", 1000, 1, 2 * time.Second},
		{"three hundred die", 0, 300, 12 * time.Second},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := newSimulation(7, 1000, func(h int) bool { return x.cold == 0 && h < x.dead })
			all := func(n int, state vote.State) {
				for i := range s.hosts[:n] {
					for _, o := range s.hosts[i].Observers {
						s.tell(s.edge(o), s.hosts[i].Name, state)
					}
				}
			}
			all(x.cold, vote.Good)
			s.run(3 * time.Second)
			for i := range s.hosts[:x.dead] {
				s.dead[s.hosts[i].Name] = s.now
			}
			all(x.dead, vote.Failing)
			s.run(15 * time.Second)
			mean, worst := s.worst(s.decided, 1)
			t.Logf("all have it down after %v on average, %v at worst", mean, worst)
			if len(s.decided) != x.dead || worst > x.within {
				t.Errorf("%d decided, at worst after %v, want %v", len(s.decided), worst, x.within)
			}
		})
	}
}
