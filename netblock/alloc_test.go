//go:build !race

package netblock_test

import (
	"testing"

	"github.com/waypost/waypost/netblock"
)

func TestLookupAllocatesNothing(t *testing.T) {
	u := newUniverse(1)
	s := newSlow(u, 12)
	m, table := netblock.Compile(s.config()), netblock.NewTable(s.layers[0])
	probes := u.probes(s)
	if n := testing.AllocsPerRun(10, func() {
		for _, a := range probes {
			m.Lookup(a)
			table.Lookup(a)
		}
	}); n != 0 {
		t.Errorf("%v allocations in %d look-ups, want none", n, len(probes))
	}
}
