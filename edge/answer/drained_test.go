package answer_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// TestDrainedAsMarkedDown: an answer where operators have drained hosts is that
// of a registry in which they are marked down: by any scheme, whatever else is
// down, and where all are drained.
func TestDrainedAsMarkedDown(t *testing.T) {
	answers, missed := 0, 0
	for seed := range uint64(12) {
		c := synth.Small(seed)
		c.Nearest, c.Hosts = seed%3 == 0, 5+int(seed)*6
		in, marked := synth.Inputs(c), synth.Inputs(c)
		r := rand.New(rand.NewPCG(seed, 'D'))
		share := []int{5, 50, 100}[seed%3]
		var drained []string
		var down []health.Target
		for i := range marked.Snapshot.Hosts {
			h := &marked.Snapshot.Hosts[i]
			if r.IntN(100) < share {
				h.Down, drained = true, append(drained, h.Name)
			}
			for k := range health.Kind(health.Kinds) {
				if r.IntN(4) == 0 {
					down = append(down, k.Of(h.Name))
				}
			}
		}
		ix, other := index.Compile(in), index.Compile(marked)
		got := &answer.View{Index: ix, Health: health.New(ix, down, drained...)}
		want := &answer.View{Index: other, Health: health.New(other, down)}
		all := &answer.View{Index: ix, Health: health.New(ix, down)}
		var a, b, before answer.Answer
		for _, x := range draw(in, ix, 200) {
			q := []answer.Query{redirect(&x), dns(&x), {Client: x.client, Target: x.target, List: true, Older: true}}[r.IntN(3)]
			q.Random = x.random
			if q.List {
				q.Schemes = index.Schemes(r.IntN(index.AnyScheme + 1))
			}
			got.Answer(&q, &a)
			want.Answer(&q, &b)
			if !slices.Equal(a.Hosts(), b.Hosts()) || !slices.Equal(a.Bands(), b.Bands()) || a.AllDown() != b.AllDown() || a.Scope() != b.Scope() {
				t.Fatalf("seed %d, %+v: got %v, all down %v, want %v, all down %v", seed, q, a.Hosts(), a.AllDown(), b.Hosts(), b.AllDown())
			}
			for _, h := range a.Hosts() {
				if slices.Contains(drained, ix.Registered(h).Name) {
					t.Fatalf("seed %d: %+v has %s", seed, q, ix.Registered(h).Name)
				}
			}
			all.Answer(&q, &before)
			answers++
			if !slices.Equal(before.Hosts(), a.Hosts()) {
				missed++
			}
		}
	}
	if missed < answers/4 {
		t.Errorf("of %d answers, only %d would have had hosts that are drained", answers, missed)
	}
}

// TestDrained: who is drained is in no answer, also as the last resort.
func TestDrained(t *testing.T) {
	ftp := host("ftp")
	ftp.Mounts[0].URLs = []string{"ftp://ftp.example/os", "rsync://ftp.example/os"}
	ix := compile(snapshot.Policy{Bands: snapshot.AllBands, Minimum: 5}, host("a"), host("b"), ftp)
	var aDown []health.Target
	for k := range health.Kind(health.Kinds) {
		aDown = append(aDown, k.Of("a"))
	}
	for _, x := range []struct {
		name    string
		down    []health.Target
		drained []string
		query   answer.Query
		want    []string
		allDown bool
	}{
		{"one", nil, []string{"b"}, answer.Query{Schemes: index.Web}, []string{"a"}, false},
		{"the rest is down", aDown, []string{"b"}, answer.Query{Schemes: index.Web}, []string{"a"}, true},
		{"DNS, the rest is down", aDown, []string{"b", "ftp"}, answer.Query{Record: index.V4}, []string{"a"}, true},
		{"all", aDown, []string{"a", "b", "ftp"}, answer.Query{List: true}, nil, false},
		{"by rsync", nil, []string{"ftp"}, answer.Query{Schemes: index.RSYNC}, nil, false},
		{"by whatever scheme", nil, []string{"ftp"}, answer.Query{}, []string{"a", "b"}, false},
	} {
		v := &answer.View{Index: ix, Health: health.New(ix, x.down, x.drained...)}
		x.query.Client = netip.MustParseAddr("192.0.2.1")
		var a answer.Answer
		v.Answer(&x.query, &a)
		if diff := cmp.Diff(x.want, names(&a)); diff != "" || a.AllDown() != x.allDown {
			t.Errorf("%s: AllDown %v; hosts (-want +got):\n%s", x.name, a.AllDown(), diff)
		}
		for _, r := range v.Explain(&x.query).Rejected {
			if slices.Contains(x.drained, r.Name) && r.Reason != "drained: taken out by an operator for a while" {
				t.Errorf("%s: %s: %s", x.name, r.Name, r.Reason)
			}
		}
	}
}
