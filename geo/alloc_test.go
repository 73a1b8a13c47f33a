//go:build !race

package geo_test

import (
	"strings"
	"testing"

	"github.com/waypost/waypost/geo"
)

// TestAllocs keeps the query path's functions free of allocations.
func TestAllocs(t *testing.T) {
	table, err := geo.ReadContinents("x.csv", strings.NewReader("DE,EU\n"))
	if err != nil {
		t.Fatal(err)
	}
	berlin, sydney := geo.Point{Lat: 52.52, Lon: 13.41}, geo.Point{Lat: -33.87, Lon: 151.21}
	a, b := berlin.Vec(), sydney.Vec()
	ring, cell, known := uint8(0), uint32(0), false
	tests := []struct {
		name string
		run  func()
	}{
		{"Continents.Of", func() { known = table.Of(geo.Country{'D', 'E'}).Known() }},
		{"Vec.Ring", func() { ring = a.Ring(b) }},
		{"Cell", func() { cell = geo.Cell(berlin) }},
		{"Centroid", func() { _, known = geo.Centroid(geo.Country{'D', 'E'}) }},
	}
	for _, tt := range tests {
		if n := testing.AllocsPerRun(100, tt.run); n != 0 {
			t.Errorf("%s: %v allocations, want 0", tt.name, n)
		}
	}
	_, _, _ = ring, cell, known
}
