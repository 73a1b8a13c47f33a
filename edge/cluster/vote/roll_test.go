package vote_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/cluster/vote"
)

func members(n, regions int) []vote.Member {
	all := make([]vote.Member, n)
	for i := range all {
		all[i] = vote.Member{Name: fmt.Sprint("edge", i), Region: fmt.Sprint("region", i%regions)}
	}
	return all
}

func TestRollOfFew(t *testing.T) {
	for n := range vote.Observers + 1 {
		if got := vote.NewRoll(members(n, 2)).Of("host"); len(got) != n || !slices.IsSorted(got) {
			t.Errorf("%d members: observers %v, want all", n, got)
		}
	}
}

// TestRoll: observers are as many as there should be, of as many regions as
// there are, the same in whatever order members are given, and evenly spread.
func TestRoll(t *testing.T) {
	for _, in := range []struct{ members, regions int }{{7, 1}, {7, 3}, {40, 2}, {40, 4}, {40, 10}, {1000, 6}} {
		t.Run(fmt.Sprintf("%d of %d", in.members, in.regions), func(t *testing.T) {
			all := members(in.members, in.regions)
			region := map[string]string{}
			for _, m := range all {
				region[m.Name] = m.Region
			}
			shuffled := slices.Clone(all)
			rand.New(rand.NewPCG(1, 1)).Shuffle(len(all), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			a, b := vote.NewRoll(all), vote.NewRoll(shuffled)
			const hosts = 2000
			load := map[string]int{}
			for h := range hosts {
				host := fmt.Sprintf("mirror%d.example.org", h)
				got := a.Of(host)
				if diff := cmp.Diff(got, b.Of(host)); diff != "" {
					t.Fatal(diff)
				}
				regions := map[string]bool{}
				for _, name := range got {
					regions[region[name]] = true
					load[name]++
				}
				if len(got) != vote.Observers || len(regions) != min(vote.Observers, in.regions) || len(slices.Compact(got)) != len(got) {
					t.Fatalf("%s: %v", host, got)
				}
			}
			mean := float64(hosts*vote.Observers) / float64(in.members)
			for name, n := range load {
				if slack := 0.35*mean + 15; float64(n) > mean+slack {
					t.Errorf("%s observes %d hosts, the mean is %.0f", name, n, mean)
				}
			}
		})
	}
}

// TestRollMovesLittle: a member that goes takes only its own hosts along.
func TestRollMovesLittle(t *testing.T) {
	all := members(20, 4)
	before, after := vote.NewRoll(all), vote.NewRoll(all[1:])
	for h := range 1000 {
		host := fmt.Sprint("host", h)
		was, is := before.Of(host), after.Of(host)
		moved := 0
		for _, name := range was {
			if !slices.Contains(is, name) {
				moved++
			}
		}
		if !slices.Contains(was, all[0].Name) && moved > 0 || moved > 2 { // the place of a region's first may be taken by an other's second
			t.Errorf("%s: %v, then %v", host, was, is)
		}
	}
}

func BenchmarkRoll(b *testing.B) {
	r := vote.NewRoll(members(1000, 10))
	for b.Loop() {
		r.Of("mirror.example.org")
	}
}
