//go:build !race

package pick_test

import (
	"testing"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/pick"
)

// TestAllocs keeps Order free of allocations once its memory has grown.
func TestAllocs(t *testing.T) {
	ix := index.Compile(synth.Inputs(synth.Small(1)))
	m, up := find(ix), hostset.Full(ix.Hosts())
	var p pick.Picker
	for _, count := range []int{0, 1, 6, 20} {
		q := pick.Query{Up: up, Count: count}
		p.Order(ix, m, &q)
		if n := testing.AllocsPerRun(100, func() { q.Seed++; p.Order(ix, m, &q) }); n != 0 {
			t.Errorf("count %d: %v allocations, want 0", count, n)
		}
	}
}
