package vote_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/geo"
)

// crowd has hosts of two continents, most of which fail: more than the cap has
// room for. All observers have voted on all.
func crowd(r *rand.Rand) (q vote.Question, reports []vote.Report) {
	q = vote.Question{Fall: 2, MaxDown: []float64{0.2, 0.5, 0.7}[r.IntN(3)]}
	observers := 1 + r.IntN(5)
	for i := range 4 + r.IntN(20) {
		at := []string{"DEEU", "FREU", "USNA"}[r.IntN(3)]
		h := vote.Host{
			Name: fmt.Sprint("h", i), Kinds: [health.Kinds]bool{true, true},
			Country: geo.Country{at[0], at[1]}, Continent: geo.Continent{at[2], at[3]},
		}
		for o := range observers {
			name := string(rune('a' + o))
			h.Observers = append(h.Observers, name)
			reports = append(reports, vote.Report{Observer: name, Host: h.Name, Version: vote.Version{Incarnation: 1, Counter: 1}})
			for k := range 2 {
				reports[len(reports)-1].Sights[k].State = anyState(r)
			}
		}
		q.Hosts = append(q.Hosts, h)
	}
	return q, reports
}

// anyState draws what an observer may think that has looked.
func anyState(r *rand.Rand) vote.State {
	return []vote.State{vote.Failing, vote.Failing, vote.Failing, vote.Doubtful, vote.Good}[r.IntN(5)]
}

// TestEqualVotes: edges that have heard the same decide alike, in whatever order
// they heard it, and whatever they had decided on the way or had from before.
func TestEqualVotes(t *testing.T) {
	kept, differed := 0, 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 9))
		common, reports := crowd(r)
		var ends []vote.Decision
		var ways [3]string
		for edge := range ways {
			q := common
			q.Book = vote.NewBook("self")
			var d vote.Decision
			for k := range health.Kind(2) {
				for i := range q.Hosts {
					if edge > 0 && r.IntN(3) == 0 {
						d.Down = append(d.Down, k.Of(q.Hosts[i].Name))
					}
				}
			}
			slices.SortFunc(d.Down, vote.CompareTargets)
			q.Before = func(target health.Target) bool { return d.IsDown(target) }
			for n, i := range r.Perm(len(reports)) {
				q.Book.Merge(&reports[i])
				if d = vote.Decide(&q); n == len(reports)/2 {
					ways[edge] = fmt.Sprint(d)
				}
			}
			ends = append(ends, d)
			if diff := cmp.Diff(d, vote.Decide(&q)); diff != "" {
				t.Fatalf("seed %d: decided anew: %s", seed, diff)
			}
		}
		for _, d := range ends {
			if diff := cmp.Diff(ends[0], d); diff != "" {
				t.Fatalf("seed %d: %s", seed, diff)
			}
		}
		if len(ends[0].Kept) > 0 {
			kept++
		}
		if ways[0] != ways[1] {
			differed++
		}
	}
	if kept < 100 || differed < 100 {
		t.Errorf("%d at the cap, %d took different ways: not a test of both", kept, differed)
	}
}

// TestKeptByAllKinds: where all kinds of hosts fail, the same hosts stay up by all.
func TestKeptByAllKinds(t *testing.T) {
	q := election("fff", "fff", "fff", "fff", "fff", "fff")
	q.MaxDown = 0.5
	for i := range q.Hosts {
		q.Hosts[i].Kinds = [health.Kinds]bool{true, true, true, true}
		for _, o := range q.Hosts[i].Observers {
			var all vote.Sights
			for k := range all {
				all[k].State = vote.Failing
			}
			q.Book.Merge(&vote.Report{Observer: o, Host: q.Hosts[i].Name, Version: vote.Version{Incarnation: 1, Counter: 2}, Sights: all})
		}
	}
	d := vote.Decide(q)
	if len(d.Down) != 12 || len(d.Kept) != 12 {
		t.Errorf("%+v", d)
	}
	for i := range d.Down {
		if first := d.Down[i/4*4]; d.Down[i].Host != first.Host {
			t.Errorf("not all of %s: %+v", first.Host, d.Down)
		}
	}
}

// TestFewMove: where one observer changes its mind, few other hosts go up or
// down for that, also where more fail than the cap has room for.
func TestFewMove(t *testing.T) {
	moved := map[int]int{}
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 10))
		q, reports := crowd(r)
		q.Book = vote.NewBook("self")
		for i := range reports {
			q.Book.Merge(&reports[i])
		}
		var d vote.Decision
		q.Before = func(target health.Target) bool { return d.IsDown(target) }
		d = vote.Decide(&q)
		for range 100 {
			report := &reports[r.IntN(len(reports))]
			report.Version.Counter++
			report.Sights[0].State = anyState(r)
			q.Book.Merge(report)
			before := d
			d = vote.Decide(&q)
			others := 0
			for i := range q.Hosts {
				target := health.Kind(0).Of(q.Hosts[i].Name)
				if target.Host != report.Host && before.IsDown(target) != d.IsDown(target) {
					others++
				}
			}
			moved[others]++
		}
	}
	t.Log("how many others moved, and how often:", moved)
	for others, n := range moved {
		if others > 2 {
			t.Errorf("%d times, %d others moved", n, others)
		}
	}
	if moved[0] < 8000 {
		t.Errorf("others stayed in %d of 10000 cases only", moved[0])
	}
}
