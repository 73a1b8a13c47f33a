package geo_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/waypost/waypost/geo"
)

func ExampleCell() {
	berlin, erkner := geo.Point{Lat: 52.52, Lon: 13.41}, geo.Point{Lat: 52.42, Lon: 13.75}
	fmt.Println(geo.Cell(berlin) == geo.Cell(erkner))
	center, ok := geo.CellCenter(geo.Cell(berlin))
	fmt.Println(center, ok)
	// Output:
	// true
	// 52.42,13.65 true
}

// TestCellCenterIsNear checks what Cell promises, all over the globe.
func TestCellCenterIsNear(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200_000 {
		p := randomPoint(r)
		if r.IntN(8) == 0 { // near the poles
			p.Lat = float32(math.Copysign(90-math.Abs(r.NormFloat64()), float64(p.Lat)))
			p.Lat = max(-90, min(90, p.Lat))
		}
		checkCell(t, p)
	}
}

func checkCell(t *testing.T, p geo.Point) {
	t.Helper()
	cell := geo.Cell(p)
	center, ok := geo.CellCenter(cell)
	switch {
	case cell == 0 || cell >= geo.CellLimit || !ok || !center.Valid():
		t.Errorf("Cell(%v) = %d with middle %v, %v", p, cell, center, ok)
	case geo.Distance(p, center) > 45:
		t.Errorf("Cell(%v) has its middle at %v, %.1f km away", p, center, geo.Distance(p, center))
	case geo.Cell(center) != cell:
		t.Errorf("the middle %v of cell %d is in cell %d", center, cell, geo.Cell(center))
	}
}

func FuzzCell(f *testing.F) {
	f.Add(float32(90), float32(180))
	f.Add(float32(-90), float32(-180))
	f.Add(float32(0), float32(179.99999))
	f.Fuzz(func(t *testing.T, lat, lon float32) {
		p := geo.Point{Lat: lat, Lon: lon}
		if p.Valid() {
			checkCell(t, p)
		} else if cell := geo.Cell(p); cell != 0 {
			t.Errorf("Cell(%v) = %d, want 0", p, cell)
		}
	})
}

// TestCellAreas counts the cells and compares their areas.
func TestCellAreas(t *testing.T) {
	count, smallest, largest := 0, math.Inf(1), 0.0
	for cell := range uint32(geo.CellLimit) {
		center, ok := geo.CellCenter(cell)
		if !ok {
			continue
		}
		count++
		next, has := geo.CellCenter(cell + 1)
		if !has || next.Lat != center.Lat {
			continue
		}
		east := float64(next.Lon - center.Lon)
		area := 50.04 * east * 111.19 * math.Cos(float64(center.Lat)*math.Pi/180)
		smallest, largest = min(smallest, area), max(largest, area)
	}
	if count != 203_718 {
		t.Errorf("%d cells, the documentation says 203,718", count)
	}
	if smallest < 2200 || largest > 2800 {
		t.Errorf("cells from %.0f to %.0f km², want about 2500", smallest, largest)
	}
}

func TestCellEdges(t *testing.T) {
	tests := []struct {
		name string
		a, b geo.Point
	}{
		{name: "180 is -180", a: geo.Point{Lat: 10, Lon: 180}, b: geo.Point{Lat: 10, Lon: -180}},
		{name: "north pole", a: geo.Point{Lat: 90, Lon: 5}, b: geo.Point{Lat: 89.9, Lon: 5}},
		{name: "south pole", a: geo.Point{Lat: -90, Lon: 5}, b: geo.Point{Lat: -89.9, Lon: 5}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if a, b := geo.Cell(tt.a), geo.Cell(tt.b); a != b || a == 0 {
				t.Errorf("Cell(%v) = %d, Cell(%v) = %d, want the same", tt.a, a, tt.b, b)
			}
		})
	}
	nan := float32(math.NaN())
	for _, p := range []geo.Point{{Lat: nan}, {Lon: nan}, {Lat: 90.1}, {Lon: -180.1}} {
		if got := geo.Cell(p); got != 0 {
			t.Errorf("Cell(%v) = %d, want 0", p, got)
		}
	}
	for _, cell := range []uint32{0, 4, 1024, geo.CellLimit, math.MaxUint32} {
		if p, ok := geo.CellCenter(cell); ok {
			t.Errorf("CellCenter(%d) = %v, want none", cell, p)
		}
	}
}
