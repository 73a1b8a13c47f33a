//go:build !race

package statistics

import (
	"testing"

	"github.com/waypost/waypost/geo"
)

func TestAllocs(t *testing.T) {
	var c Collector
	counter := c.Counter(fixture("a", "b"))
	if n := testing.AllocsPerRun(100, func() {
		counter.Add(&Event{Country: geo.Country{'D', 'E'}, Directory: 5, Host: 2})
		(*Counter)(nil).Add(&Event{})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
