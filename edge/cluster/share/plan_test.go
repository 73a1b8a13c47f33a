package share

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/waypost/waypost/edge/snapshot/wire"
)

// fleet returns n peers in some regions.
func fleet(n, regions int) (all []Peer) {
	for i := range n {
		all = append(all, Peer{Name: fmt.Sprintf("edge%d", i), Region: fmt.Sprint("r", i%regions)})
	}
	return all
}

// others returns all but one, in another order.
func others(all []Peer, but int) (rest []Peer) {
	for _, i := range rand.Perm(len(all)) {
		if i != but {
			rest = append(rest, all[i])
		}
	}
	return rest
}

// TestPlan looks at the plans of all edges together: two lead, all others have a
// parent before them, nobody has too many children, and no more than one edge of
// a region without leaders gets it from elsewhere.
func TestPlan(t *testing.T) {
	for _, tt := range []struct{ n, regions int }{{1, 1}, {2, 1}, {3, 1}, {3, 3}, {20, 3}, {100, 1}, {100, 7}, {100, 100}, {1000, 12}} {
		t.Run(fmt.Sprint(tt.n, " in ", tt.regions), func(t *testing.T) {
			all := fleet(tt.n, tt.regions)
			h := wire.HashOf(fmt.Append(nil, tt))
			lead, deepest := 0, 0
			inside, outside, foreign := map[string]int{}, map[string]int{}, map[string]int{}
			region := map[string]string{}
			for i, self := range all {
				p := newPlan(h, self, others(all, i))
				deepest = max(deepest, p.depth)
				if p.leads() {
					lead++
					region[self.Region] = "leads"
					continue
				}
				parent := p.ranked[p.parent]
				if p.parent >= p.self {
					t.Fatalf("%s, at rank %d, waits for rank %d", self.Name, p.self, p.parent)
				}
				if parent.Region == self.Region {
					inside[parent.Name]++
				} else {
					outside[parent.Name]++
					foreign[self.Region]++
				}
			}
			if lead != min(tt.n, leaders) {
				t.Errorf("%d lead", lead)
			}
			for name, n := range inside {
				if n > children || outside[name] > children {
					t.Errorf("%s sends %d and %d copies", name, n, outside[name])
				}
			}
			for r, n := range foreign {
				if n > 1 || region[r] == "leads" {
					t.Errorf("%d copies go to region %s", n, r)
				}
			}
			if limit := map[bool]int{false: 12, true: 4}[tt.n <= 20]; deepest > limit {
				t.Errorf("%d edges deep", deepest)
			}
			t.Logf("%d edges deep", deepest)
		})
	}
}

// TestPlanIsFair has all edges lead about as often.
func TestPlanIsFair(t *testing.T) {
	const n, manifests = 10, 5000
	all := fleet(n, 3)
	leads := map[string]int{}
	for m := range manifests {
		p := newPlan(wire.HashOf(fmt.Append(nil, m)), all[0], all[1:])
		for _, peer := range p.ranked[:leaders] {
			leads[peer.Name]++
		}
	}
	for name, got := range leads {
		if want := leaders * manifests / n; got < want*9/10 || got > want*11/10 {
			t.Errorf("%s leads %d times, want about %d", name, got, want)
		}
	}
}

// TestPlanMovesFew has an edge more change little.
func TestPlanMovesFew(t *testing.T) {
	all := fleet(101, 1)
	moved := 0
	for m := range 200 {
		h := wire.HashOf(fmt.Append(nil, m))
		with, without := newPlan(h, all[0], all[1:]), newPlan(h, all[0], all[1:100])
		if with.leads() != without.leads() {
			moved++
		}
	}
	if moved > 10 { // two in a hundred
		t.Errorf("whether it leads changed %d times of 200", moved)
	}
}
