package geo_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/waypost/waypost/geo"
)

func ExampleCentroid() {
	austria, _ := geo.Centroid(geo.Country{'A', 'T'})
	slovenia, _ := geo.Centroid(geo.Country{'S', 'I'})
	_, ok := geo.Centroid(geo.Country{'E', 'U'})
	fmt.Printf("%v %.0f km %v\n", austria, geo.Distance(austria, slovenia), ok)
	// Output: 47.59,14.13 171 km false
}

// TestCentroidText checks the form of every line, and that [geo.Centroid] finds it.
func TestCentroidText(t *testing.T) {
	text, err := os.ReadFile("centroids.txt")
	if err != nil {
		t.Fatal(err)
	}
	count, before := 0, ""
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var code string
		var lat, lon float64
		if _, err := fmt.Sscanf(line, "%2s %g %g\n", &code, &lat, &lon); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		if code <= before {
			t.Errorf("%s after %s: not sorted", code, before)
		}
		want, err := geo.NewPoint(lat, lon)
		if err != nil {
			t.Errorf("%s: %v", code, err)
		}
		if got, ok := geo.Centroid(country(t, code)); !ok || got != want {
			t.Errorf("Centroid(%s) = %v, %v; want %v", code, got, ok, want)
		}
		count, before = count+1, code
	}
	if count != 252 {
		t.Errorf("%d centroids, want 252", count)
	}
}

func TestCentroidUnknown(t *testing.T) {
	for _, c := range []geo.Country{{}, {'Z', 'Z'}, {'E', 'U'}, {'A', '1'}, {'\n', 'A'}} {
		if p, ok := geo.Centroid(c); ok {
			t.Errorf("Centroid(%q) = %v, want none", c, p)
		}
	}
}

// TestCentroidDistances checks neighbours and far pairs against distances that
// an atlas gives, with room for what "middle" means.
func TestCentroidDistances(t *testing.T) {
	tests := []struct {
		a, b     string
		from, to float64 // km
	}{
		{"DE", "FR", 600, 1000},
		{"NL", "BE", 100, 250},
		{"EE", "LV", 150, 300},
		{"DK", "SE", 300, 700},
		{"ES", "PT", 300, 600},
		{"US", "CA", 1000, 2500},
		{"US", "MX", 1200, 2500},
		{"BR", "AR", 1500, 2800},
		{"AU", "NZ", 2000, 3500},
		{"JP", "KR", 700, 1200},
		{"CN", "JP", 1800, 2600},
		{"IN", "LK", 1200, 2000},
		{"SG", "MY", 100, 400},
		{"FJ", "TO", 600, 1000}, // across the antimeridian
		{"WS", "TV", 800, 1600}, // likewise
		{"KE", "TZ", 500, 1000},
		{"ZA", "LS", 100, 400},
		{"EG", "MA", 3000, 4000},
		{"IS", "NO", 1200, 1900},
		{"ES", "NZ", 18500, 20016}, // nearly antipodes
		{"GB", "AU", 16000, 17500},
	}
	for _, tt := range tests {
		a, okA := geo.Centroid(country(t, tt.a))
		b, okB := geo.Centroid(country(t, tt.b))
		if km := geo.Distance(a, b); !okA || !okB || km < tt.from || km > tt.to {
			t.Errorf("%s %v to %s %v: %.0f km, want %.0f to %.0f", tt.a, a, tt.b, b, km, tt.from, tt.to)
		}
	}
}
