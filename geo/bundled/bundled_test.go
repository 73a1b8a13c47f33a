package bundled_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/geo/bundled"
	"github.com/waypost/waypost/geo/mmdb"
)

const countrySum = "93cc3158038b5ddd3cef52652ba6d7a134ece0496117fae0a3ab6e7b5101815e"

func ExampleContinents() {
	continents, err := bundled.Continents()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(continents.Of(geo.Country{'J', 'P'}), continents.Of(geo.Country{'R', 'U'}), continents.Of(geo.Country{'A', '1'}).Known())
	// Output: AS EU false
}

func TestCountryIsTheFileOfLICENSES(t *testing.T) {
	b, err := bundled.Country()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	if got := hex.EncodeToString(sum[:]); got != countrySum {
		t.Errorf("SHA-256 of Country = %s, want %s", got, countrySum)
	}
	text, err := os.ReadFile("LICENSES.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), countrySum) {
		t.Errorf("LICENSES.md does not name the sum %s", countrySum)
	}
}

func openCountry(tb testing.TB) *mmdb.DB {
	tb.Helper()
	b, err := bundled.Country()
	if err != nil {
		tb.Fatal(err)
	}
	db, err := mmdb.FromBytes(bundled.CountryName, b)
	if err != nil {
		tb.Fatal(err)
	}
	return db
}

// TestCountryPlaces looks for networks whose country nobody doubts, and that every
// country of the database has a continent and a place.
func TestCountryPlaces(t *testing.T) {
	want := map[string]string{
		"8.8.8.8":               "US", // Google
		"137.226.34.46":         "DE", // RWTH Aachen
		"193.1.193.64":          "IE", // HEAnet
		"133.11.0.1":            "JP", // University of Tokyo
		"150.203.1.1":           "AU", // Australian National University
		"101.6.6.6":             "CN", // Tsinghua
		"200.17.202.1":          "BR", // Federal University of Paraná
		"155.232.0.1":           "ZA", // TENET
		"2001:638::1":           "DE", // DFN
		"2001:388:1::1":         "AU", // AARNet
		"2001:200::1":           "JP", // WIDE
		"2607:f8b0:4005:805::1": "US", // Google
	}
	continents, err := bundled.Continents()
	if err != nil {
		t.Fatal(err)
	}
	networks, err := openCountry(t).Countries()
	if err != nil {
		t.Fatal(err)
	}
	got, seen, count := map[string]string{}, map[geo.Country]bool{}, 0
	for prefix, country := range networks {
		count++
		seen[country] = true
		for addr := range want {
			if prefix.Contains(netip.MustParseAddr(addr)) {
				got[addr] = country.String()
			}
		}
	}
	for addr, country := range want {
		if got[addr] != country {
			t.Errorf("%s is in %q, want %s", addr, got[addr], country)
		}
	}
	if count < 300_000 || len(seen) < 230 {
		t.Errorf("%d networks in %d countries, want more", count, len(seen))
	}
	for country := range seen {
		_, placed := geo.Centroid(country)
		if noPlace := country == (geo.Country{'A', 'P'}); !continents.Of(country).Known() || !placed && !noPlace {
			t.Errorf("country %s has continent %q, place %v", country, continents.Of(country), placed)
		}
	}
}

func TestCountryDate(t *testing.T) {
	built := openCountry(t).Built()
	if got := bundled.CountryDate(); !got.Equal(built.Truncate(24 * time.Hour)) {
		t.Errorf("CountryDate = %v, the file was built at %v", got, built)
	}
	if day := bundled.CountryDate().Format(time.DateOnly); !strings.HasSuffix(bundled.CountryName, day) {
		t.Errorf("CountryName %q does not end in its day, %s", bundled.CountryName, day)
	}
}

// TestContinentsAgainstCentroids compares two tables that were made apart: each
// country's place lies in a box around its continent, or is named here.
func TestContinentsAgainstCentroids(t *testing.T) {
	continents, err := bundled.Continents()
	if err != nil {
		t.Fatal(err)
	}
	boxes := map[string][4]float32{ // south, north, west, east
		"AF": {-38, 38, -26, 58},
		"AS": {-13, 56, 25, 142},
		"EU": {34, 79, -29, 56},
		"NA": {7, 72, -130, -51},
		"SA": {-56, 14, -82, -34},
	}
	places := 0
	for a := byte('A'); a <= 'Z'; a++ {
		for b := byte('A'); b <= 'Z'; b++ {
			country := geo.Country{a, b}
			p, ok := geo.Centroid(country)
			if !ok {
				continue
			}
			places++
			switch continent := continents.Of(country).String(); continent {
			case "OC":
				if p.Lat > 30 || p.Lon > -125 && p.Lon < 95 {
					t.Errorf("%s at %v is not in Oceania", country, p)
				}
			case "AN":
				if p.Lat > -48 {
					t.Errorf("%s at %v is not in Antarctica", country, p)
				}
			default:
				box, known := boxes[continent]
				if !known || p.Lat < box[0] || p.Lat > box[1] || p.Lon < box[2] || p.Lon > box[3] {
					t.Errorf("%s at %v is not in its continent %q", country, p, continent)
				}
			}
		}
	}
	if places != 252 {
		t.Errorf("%d countries with a place, want 252", places)
	}
}

func BenchmarkCountry(b *testing.B) {
	b.Run("decompress", func(b *testing.B) {
		for b.Loop() {
			if _, err := bundled.Country(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("check and list", func(b *testing.B) {
		db := openCountry(b)
		for b.Loop() {
			networks, err := db.Countries()
			if err != nil {
				b.Fatal(err)
			}
			for range networks {
			}
		}
	})
	b.Run("continents", func(b *testing.B) {
		for b.Loop() {
			if _, err := bundled.Continents(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
