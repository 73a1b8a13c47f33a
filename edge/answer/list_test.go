package answer_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/geo"
)

// TestLists draws random queries for lists and compares each with the answer
// that has everything.
func TestLists(t *testing.T) {
	short := 0
	for seed := range uint64(12) {
		in, view := small(synth.Small(seed))
		r := rand.New(rand.NewPCG(seed, 'L'))
		var list, all answer.Answer
		for _, x := range draw(in, view.Index, 300) {
			q := answer.Query{Client: x.client, Target: x.target, Random: x.random, List: true}
			if r.IntN(3) == 0 {
				q.Schemes = index.Schemes(r.IntN(int(index.AnyScheme)))
			}
			if r.IntN(3) == 0 {
				q.Countries = []geo.Country{{'D', 'E'}}
			}
			q.NoNear = r.IntN(6) == 0
			view.Answer(&q, &list)
			q.List = false
			view.Answer(&q, &all)
			n := len(list.Hosts())
			// A list is the beginning of all there is.
			if n > len(all.Hosts()) || !slices.Equal(list.Hosts(), all.Hosts()[:n]) || list.AllDown() != all.AllDown() {
				t.Fatalf("%+v: list %v, all %v", q, list.Hosts(), all.Hosts())
			}
			minimum := view.Index.Category(x.target.Category).Policy.Minimum
			switch {
			case n == len(all.Hosts()):
			case n == 0:
				t.Fatalf("%+v: an empty list of %v", q, all.Hosts())
			case !list.Match.Asked() && n < minimum:
				t.Fatalf("%+v: %d hosts of %d", q, n, len(all.Hosts()))
			default:
				short++
			}
		}
	}
	if short < 500 {
		t.Errorf("only %d lists were shorter than all there is", short)
	}
}

// TestNothingLeaks: whatever health and query are, hosts are eligible ones,
// each once, and no private one is in the answer of a stranger.
func TestNothingLeaks(t *testing.T) {
	for seed := range uint64(8) {
		in, view := small(synth.Small(seed))
		r := rand.New(rand.NewPCG(seed, 'P'))
		var a answer.Answer
		for _, x := range draw(in, view.Index, 300) {
			q := []answer.Query{redirect(&x), dns(&x), {Client: x.client, Target: x.target, List: true}}[r.IntN(3)]
			view.Answer(&q, &a)
			seen := map[uint32]bool{}
			_, as, _ := in.ASNs.Lookup(x.client)
			for _, h := range a.Hosts() {
				from := &in.Snapshot.Hosts[h]
				own := slices.Contains(from.ASNs, as) || slices.Contains(from.PeerASNs, as)
				for _, p := range from.Netblocks {
					own = own || p.Contains(x.client)
				}
				if seen[h] || !a.Match.Eligible().Has(h) || from.Private && !own || from.Down {
					t.Fatalf("%+v: %s (private %v, down %v, twice %v)", q, from.Name, from.Private, from.Down, seen[h])
				}
				seen[h] = true
			}
		}
	}
}
