package answer_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/snapshot"
)

// TestExplain: an explanation names every host once, either in a band or
// rejected, and those in the bands in the order of the answer.
func TestExplain(t *testing.T) {
	for seed := range uint64(6) {
		in, view := small(synth.Small(seed))
		if seed%2 == 0 {
			in.Snapshot.Categories[0].Policy.Bands = 1<<snapshot.BandCountry | 1<<snapshot.BandContinent
		}
		r := rand.New(rand.NewPCG(seed, 'E'))
		var a answer.Answer
		for _, x := range draw(in, view.Index, 60) {
			q := []answer.Query{redirect(&x), dns(&x), {Client: x.client, Target: x.target, List: true}}[r.IntN(3)]
			q.Count = 0
			view.Answer(&q, &a)
			why := view.Explain(&q)
			seen := map[string]int{}
			var order []string
			for _, b := range why.Bands {
				for _, h := range b.Hosts {
					seen[h.Name]++
					if !h.Down || why.AllDown {
						order = append(order, h.Name)
					}
				}
			}
			var want []string
			for _, h := range a.Hosts() {
				want = append(want, view.Index.Registered(h).Name)
			}
			if !slices.Equal(order, want) {
				t.Fatalf("%+v: explained %v, answered %v", q, order, want)
			}
			for _, h := range why.Rejected {
				if seen[h.Name]++; h.Reason == "" {
					t.Fatalf("%+v: no reason for %s", q, h.Name)
				}
			}
			for i := range in.Snapshot.Hosts {
				if name := in.Snapshot.Hosts[i].Name; seen[name] != 1 {
					t.Fatalf("%+v: %s is named %d times", q, name, seen[name])
				}
			}
		}
	}
}
