package geo_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/waypost/waypost/geo"
)

func ExampleDistance() {
	berlin := geo.Point{Lat: 52.52, Lon: 13.41}
	sydney := geo.Point{Lat: -33.87, Lon: 151.21}
	fmt.Printf("%.0f km\n", geo.Distance(berlin, sydney))
	// Output: 16094 km
}

func ExampleVec_Ring() {
	berlin := geo.Point{Lat: 52.52, Lon: 13.41}.Vec()
	prague := geo.Point{Lat: 50.08, Lon: 14.44}.Vec()
	ring := berlin.Ring(prague)
	from, to := geo.RingBounds(ring)
	fmt.Printf("ring %d: %d to %d km\n", ring, from, to)
	fmt.Println(berlin.Ring(geo.Vec{}) == geo.Rings, "for an unknown place")
	// Output:
	// ring 2: 250 to 500 km
	// true for an unknown place
}

func TestDistance(t *testing.T) {
	const quarter = 6371.0088 * math.Pi / 2
	tests := []struct {
		name string
		a, b geo.Point
		want float64 // km
		tol  float64
	}{
		{name: "same place", a: geo.Point{Lat: 52, Lon: 13}, b: geo.Point{Lat: 52, Lon: 13}, want: 0, tol: 0},
		{name: "0,0 is a place", a: geo.Point{}, b: geo.Point{Lat: 0, Lon: 90}, want: quarter, tol: 0.01},
		{name: "Berlin to Paris", a: geo.Point{Lat: 52.52, Lon: 13.405}, b: geo.Point{Lat: 48.8566, Lon: 2.3522}, want: 877.5, tol: 1},
		{name: "New York to London", a: geo.Point{Lat: 40.7128, Lon: -74.006}, b: geo.Point{Lat: 51.5074, Lon: -0.1278}, want: 5570, tol: 5},
		{name: "across the antimeridian", a: geo.Point{Lat: 0, Lon: 179.5}, b: geo.Point{Lat: 0, Lon: -179.5}, want: quarter / 90, tol: 0.01},
		{name: "Suva to Apia", a: geo.Point{Lat: -18.1416, Lon: 178.4419}, b: geo.Point{Lat: -13.8333, Lon: -171.75}, want: 1151, tol: 5},
		{name: "180 is -180", a: geo.Point{Lat: 10, Lon: 180}, b: geo.Point{Lat: 10, Lon: -180}, want: 0, tol: 0.001},
		{name: "all longitudes meet at the pole", a: geo.Point{Lat: 90, Lon: 0}, b: geo.Point{Lat: 90, Lon: 137}, want: 0, tol: 0.001},
		{name: "pole to pole", a: geo.Point{Lat: 90, Lon: 12}, b: geo.Point{Lat: -90, Lon: -70}, want: 2 * quarter, tol: 0.01},
		{name: "over the pole", a: geo.Point{Lat: 89, Lon: 0}, b: geo.Point{Lat: 89, Lon: 180}, want: quarter / 45, tol: 0.01},
		{name: "antipodes", a: geo.Point{Lat: 33, Lon: 44}, b: geo.Point{Lat: -33, Lon: -136}, want: 2 * quarter, tol: 0.01},
		{name: "10 m", a: geo.Point{Lat: 50, Lon: 8}, b: geo.Point{Lat: 50.00009, Lon: 8}, want: 0.01, tol: 0.001},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, back := geo.Distance(tt.a, tt.b), geo.Distance(tt.b, tt.a)
			if math.Abs(got-tt.want) > tt.tol || got != back {
				t.Errorf("Distance = %v and back %v, want %v ± %v", got, back, tt.want, tt.tol)
			}
		})
	}
}

func TestNewPoint(t *testing.T) {
	tests := []struct {
		name     string
		lat, lon float64
		ok       bool
	}{
		{name: "zero", ok: true},
		{name: "corner", lat: -90, lon: 180, ok: true},
		{name: "too far north", lat: 90.01},
		{name: "too far west", lon: -180.01},
		{name: "latitude NaN", lat: math.NaN()},
		{name: "longitude NaN", lon: math.NaN()},
		{name: "infinite", lon: math.Inf(1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := geo.NewPoint(tt.lat, tt.lon)
			if (err == nil) != tt.ok || tt.ok && !p.Valid() {
				t.Errorf("NewPoint(%v, %v) = %v, %v; want ok %v", tt.lat, tt.lon, p, err, tt.ok)
			}
			if raw := (geo.Point{Lat: float32(tt.lat), Lon: float32(tt.lon)}); raw.Valid() != tt.ok {
				t.Errorf("%v.Valid() = %v, want %v", raw, raw.Valid(), tt.ok)
			}
		})
	}
}

// slowRing is the twin of Vec.Ring: great-circle distance in float64, linear
// search.
func slowRing(a, b geo.Point) uint8 {
	km := geo.Distance(a, b)
	for ring := range uint8(geo.Rings) {
		if _, to := geo.RingBounds(ring); km <= float64(to) {
			return ring
		}
	}
	return geo.Rings
}

// checkRing compares Ring, Km and RingOfKm with their twins. Within 10 m (or 0.1
// per mille) of a bound float32 may fall on either side.
func checkRing(t *testing.T, a, b geo.Point) {
	t.Helper()
	km := geo.Distance(a, b)
	if got := float64(geo.Km(a.Vec().Chord2(b.Vec()))); math.Abs(got-km) > 0.01+1e-3*km {
		t.Errorf("Km of %v to %v = %v, want %v", a, b, got, km)
	}
	want := slowRing(a, b)
	checkRingOf(t, km, geo.RingOfKm(float32(km)), want)
	checkRingOf(t, km, a.Vec().Ring(b.Vec()), want)
}

func checkRingOf(t *testing.T, km float64, got, want uint8) {
	t.Helper()
	if got == want {
		return
	}
	_, bound := geo.RingBounds(min(got, want))
	if off := math.Abs(km - float64(bound)); off > 0.01+1e-4*km || got+1 != want && want+1 != got {
		t.Errorf("ring %d, want %d for %v km", got, want, km)
	}
}

func randomPoint(r *rand.Rand) geo.Point {
	return geo.Point{Lat: float32(180*r.Float64() - 90), Lon: float32(360*r.Float64() - 180)}
}

func TestRingAgainstDistance(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		a := randomPoint(r)
		b := randomPoint(r)
		if r.IntN(2) == 0 { // near: within some 500 km, often across poles and antimeridian
			b = geo.Point{
				Lat: max(-90, min(90, a.Lat+float32(r.NormFloat64()))),
				Lon: float32(math.Remainder(float64(a.Lon)+3*r.NormFloat64(), 360)),
			}
		}
		checkRing(t, a, b)
	}
}

func FuzzRing(f *testing.F) {
	f.Add(float32(0), float32(0), float32(0), float32(0))
	f.Add(float32(90), float32(0), float32(-90), float32(0))
	f.Add(float32(0), float32(180), float32(0), float32(-180))
	f.Fuzz(func(t *testing.T, lat1, lon1, lat2, lon2 float32) {
		a, b := geo.Point{Lat: lat1, Lon: lon1}, geo.Point{Lat: lat2, Lon: lon2}
		if a.Valid() && b.Valid() {
			checkRing(t, a, b)
		}
	})
}

// TestRingBounds walks along a meridian over the bound of every ring.
func TestRingBounds(t *testing.T) {
	for ring := range uint8(geo.Rings - 1) {
		_, to := geo.RingBounds(ring)
		for _, side := range []struct {
			km   float64
			want uint8
		}{{float64(to) * 0.9998, ring}, {float64(to) * 1.0002, ring + 1}} {
			lat := side.km / 6371.0088 * 180 / math.Pi
			b := geo.Point{Lat: float32(lat - 60), Lon: 20}
			if got := (geo.Point{Lat: -60, Lon: 20}).Vec().Ring(b.Vec()); lat <= 150 && got != side.want {
				t.Errorf("ring of %v km = %d, want %d", side.km, got, side.want)
			}
		}
		if next, _ := geo.RingBounds(ring + 1); next != to {
			t.Errorf("ring %d ends at %d km, ring %d begins at %d km", ring, to, ring+1, next)
		}
	}
	if _, to := geo.RingBounds(geo.Rings - 1); float64(to) < 6371.0088*math.Pi {
		t.Errorf("the last ring ends at %d km, before the antipode", to)
	}
	if from, to := geo.RingBounds(geo.Rings); from != 0 || to != 0 {
		t.Errorf("RingBounds(Rings) = %d, %d, want 0, 0", from, to)
	}
}

func TestRingUnknown(t *testing.T) {
	zero := geo.Point{}.Vec()
	if !zero.Known() || zero.Ring(zero) != 0 {
		t.Errorf("0,0 is a place: Known %v, Ring to itself %d", zero.Known(), zero.Ring(zero))
	}
	for _, pair := range [][2]geo.Vec{{{}, zero}, {zero, {}}, {{}, {}}} {
		if got := pair[0].Ring(pair[1]); got != geo.Rings {
			t.Errorf("%v.Ring(%v) = %d, want %d", pair[0], pair[1], got, geo.Rings)
		}
	}
}

func BenchmarkRing(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 4))
	var hosts [1024]geo.Vec
	for i := range hosts {
		hosts[i] = randomPoint(r).Vec()
	}
	client := geo.Point{Lat: 52.52, Lon: 13.41}.Vec()
	b.Run("one host", func(b *testing.B) {
		for b.Loop() {
			client.Ring(hosts[7])
		}
	})
	b.Run("random hosts", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			client.Ring(hosts[i%len(hosts)])
		}
	})
}

func BenchmarkDistance(b *testing.B) {
	p, q := geo.Point{Lat: 52.52, Lon: 13.41}, geo.Point{Lat: -33.87, Lon: 151.21}
	for b.Loop() {
		geo.Distance(p, q)
	}
}
