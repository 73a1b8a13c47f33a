package health_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// compile makes an index of hosts h0, h1 …, each with the given URLs of pub/os.
func compile(urls ...[]string) *index.Index {
	s := &snapshot.Snapshot{
		Categories:  []snapshot.Category{{Name: "os", Path: "pub/os"}},
		Directories: []snapshot.Directory{{Path: "pub/os"}},
	}
	for h := range urls {
		host := snapshot.Host{Name: fmt.Sprint("h", h), Mounts: []snapshot.Mount{{Category: 0, URLs: urls[h]}}}
		s.Hosts = append(s.Hosts, host)
	}
	return index.Compile(index.Inputs{Snapshot: s})
}

func up(s *health.State, ix *index.Index, schemes index.Schemes, f index.Family) []uint32 {
	set := hostset.Full(ix.Hosts()) // what was there before does not count
	s.Up(set, ix, 0, schemes, f)
	hosts := []uint32{}
	set.Each(func(h uint32) { hosts = append(hosts, h) })
	return hosts
}

func TestState(t *testing.T) {
	ix := compile(
		[]string{"http://a.test/os", "https://a.test/os"},
		[]string{"http://b.test/os"},
		[]string{"rsync://c.test/os"},
		nil,
	)
	down := health.New(ix, []health.Target{
		{Host: "h0", Scheme: index.HTTPS, Family: index.V4},
		{Host: "h1", Scheme: index.HTTP, Family: index.V6},
		{Host: "h2", Scheme: index.RSYNC, Family: index.V4}, // not probed, so never down
		{Host: "gone", Scheme: index.HTTP, Family: index.V4},
		{Host: "h1", Scheme: index.HTTP}, // of no family
	})
	tests := []struct {
		name    string
		state   *health.State
		schemes index.Schemes
		family  index.Family
		want    []uint32
	}{
		{"nil", nil, index.Web, index.V4, []uint32{0, 1}},
		{"zero", &health.State{}, index.Web, index.V4, []uint32{0, 1}},
		{"https, v4", down, index.HTTPS, index.V4, []uint32{}},
		{"https, v6", down, index.HTTPS, index.V6, []uint32{0}},
		{"one of two schemes", down, index.Web, index.V4, []uint32{0, 1}},
		{"http, v6", down, index.HTTP, index.V6, []uint32{0}},
		{"no family", down, index.HTTPS, 0, []uint32{0}},
		{"rsync", down, index.RSYNC, index.V4, []uint32{2}},
		{"any", down, index.AnyScheme, index.V6, []uint32{0, 2}},
		{"none", down, 0, index.V4, []uint32{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, up(test.state, ix, test.schemes, test.family)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if (*health.State)(nil).Drained() != nil || down.Drained().Len() != 0 {
		t.Error("nobody drained anything")
	}
	drained := health.New(ix, nil, "h2", "gone", "h0")
	if s := drained.Drained(); s.Len() != 2 || !s.Has(0) || !s.Has(2) || drained.Down(0, index.HTTPS, index.V4) {
		t.Errorf("drained: %v", s)
	}
	if !down.Down(0, index.HTTPS, index.V4) || down.Down(0, index.HTTPS, 0) || down.Down(0, index.HTTP, index.V4) || down.Down(1<<20, index.HTTPS, index.V4) {
		t.Error("Down differs from Up")
	}
}

// TestUpIsNotDown compares Up with a look at each host by Down.
func TestUpIsNotDown(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		urls := make([][]string, random.IntN(150))
		down := make([]health.Target, 0, len(urls))
		for h := range urls {
			for _, u := range []string{"http://x.test/", "https://x.test/", "ftp://x.test/"} {
				if random.IntN(2) == 0 {
					urls[h] = append(urls[h], u)
				}
			}
			down = append(down, health.Target{
				Host: fmt.Sprint("h", random.IntN(len(urls)+1)), Scheme: 1 << random.IntN(3), Family: index.Family(random.IntN(3)),
			})
		}
		ix := compile(urls...)
		s := health.New(ix, down)
		for _, f := range []index.Family{0, index.V4, index.V6} {
			schemes := index.Schemes(random.IntN(index.AnyScheme + 1))
			want := []uint32{}
			for h := range uint32(ix.Hosts()) {
				for _, u := range ix.URLs(0, h) {
					if schemes&u.Scheme != 0 && !s.Down(h, u.Scheme, f) {
						want = append(want, h)
						break
					}
				}
			}
			if diff := cmp.Diff(want, up(s, ix, schemes, f)); diff != "" {
				t.Fatal(diff)
			}
		}
	}
}
