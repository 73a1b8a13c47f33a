//go:build !race

package distance_test

import (
	"testing"

	"github.com/waypost/waypost/edge/distance"
	"github.com/waypost/waypost/edge/index"
)

func TestAllocs(t *testing.T) {
	ix, times := many(30)
	table, client := distance.New(ix, times), berlin.Vec()
	if n := testing.AllocsPerRun(100, func() {
		from := table.From(client, index.V6)
		for h := range uint32(20) {
			from.Ring(h, ix.Host(h).Vec)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
