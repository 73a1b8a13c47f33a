//go:build !race

package hostset_test

import (
	"testing"

	"github.com/waypost/waypost/edge/hostset"
)

// TestAllocs keeps the query path's vocabulary free of allocations.
func TestAllocs(t *testing.T) {
	a, b, n := hostset.Make(450), hostset.Full(450), 0
	allocs := testing.AllocsPerRun(100, func() {
		a.Copy(b)
		a.And(b)
		a.Or(b)
		a.AndNot(b)
		a.Add(7)
		a.Each(func(h uint32) { n += int(h) })
		for h := a.Next(0); h >= 0; h = a.Next(h + 1) {
			n += h
		}
		if a.Intersects(b) && a.Has(7) && !a.Empty() {
			n += a.Len()
		}
		a.Clear()
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want 0", allocs)
	}
}
