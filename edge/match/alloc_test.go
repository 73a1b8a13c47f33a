//go:build !race

package match_test

import (
	"slices"
	"testing"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/match"
	"github.com/waypost/waypost/geo"
)

// TestAllocs keeps Find free of allocations once its memory has grown.
func TestAllocs(t *testing.T) {
	in := synth.Inputs(synth.Small(1))
	ix := index.Compile(in)
	clients := synth.Clients(in, 1, 100)
	queries := []match.Query{
		{},
		{Schemes: index.Web, Reach: index.V4, HasFile: true},
		{Record: index.V6, NoNear: true, Avoid: []geo.Country{{'D', 'E'}}},
		{Countries: []geo.Country{{'U', 'S'}, {'F', 'R'}}},
		{Global: true, Drained: hostset.Full(ix.Hosts() / 2)},
	}
	for file := range in.Snapshot.Files.AllOlder() {
		dir := directoryOf(in.Snapshot, file)
		queries = append(queries, match.Query{
			HasFile: true, Older: true, File: file, Directory: dir, Category: in.Snapshot.Directories[dir].Category,
		})
	}
	older := false
	var m match.Match
	for _, q := range queries {
		all := func() {
			for _, a := range clients {
				q.Place = ix.Place(a, a.BitLen())
				m.Find(ix, &q)
				older = older || slices.ContainsFunc(m.Bands(), func(b match.Band) bool { return b.Older })
				m.Limit(5, nil)
				m.First(nil)
			}
		}
		all()
		if n := testing.AllocsPerRun(5, all); n != 0 {
			t.Errorf("%+v: %v allocations, want 0", q, n)
		}
	}
	if !older {
		t.Error("no band was of an older version")
	}
}
