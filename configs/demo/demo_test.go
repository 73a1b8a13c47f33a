package demo_test

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/waypost/waypost/configs/demo"
	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/geo/bundled"
)

// catalog is as much of the catalogue's form as the demo uses. The codec of
// catalogues has its own tests; this one is for the data.
type catalog struct {
	Categories []struct {
		Name, Path, Origin string
		Policy             map[string]any
	}
	Repositories []struct{ Name, Arch, Path string }
	Files        []struct {
		Path, SHA256 string
		Size         int64
	}
	Hosts []host
}

type host struct {
	Name, Country string
	Location      *struct{ Lat, Lon float64 }
	Bandwidth     int
	ASN           uint32
	URLs          map[string][]string
}

func load(t *testing.T) catalog {
	t.Helper()
	var c catalog
	if err := yaml.UnmarshalWithOptions([]byte(demo.Catalog), &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestHosts checks that each host is where its country is and that its URLs are
// sound: a wrong sign or a swapped latitude would send clients around the globe.
func TestHosts(t *testing.T) {
	c := load(t)
	continents, err := bundled.Continents()
	if err != nil {
		t.Fatal(err)
	}
	categories, names, seen := map[string]bool{}, map[string]bool{}, map[string]int{}
	for _, category := range c.Categories {
		categories[category.Name] = true
	}
	for _, h := range c.Hosts {
		country, countryErr := geo.ParseCountry(h.Country)
		if countryErr != nil || !continents.Of(country).Known() || !strings.HasPrefix(h.Name, strings.ToLower(h.Country)+"-") {
			t.Errorf("%s: country %q (%v)", h.Name, h.Country, countryErr)
		}
		if names[h.Name] || len(h.URLs) == 0 || h.Bandwidth != 1000 && h.Bandwidth != 10000 {
			t.Errorf("%s: double %v, %d trees, bandwidth %d", h.Name, names[h.Name], len(h.URLs), h.Bandwidth)
		}
		names[h.Name] = true
		seen[continents.Of(country).String()]++
		checkPlace(t, h, country)
		for category, urls := range h.URLs {
			if !categories[category] || len(urls) == 0 {
				t.Errorf("%s: category %q with %d URLs", h.Name, category, len(urls))
			}
			checkURLs(t, h, urls)
		}
	}
	for _, continent := range []string{"AF", "AS", "EU", "NA", "OC", "SA"} {
		if seen[continent] == 0 {
			t.Errorf("no host in %s", continent)
		}
	}
	if len(c.Hosts) < 40 {
		t.Errorf("%d hosts, want 40 or more", len(c.Hosts))
	}
}

func checkPlace(t *testing.T, h host, country geo.Country) {
	t.Helper()
	if h.Location == nil {
		return
	}
	at, err := geo.NewPoint(h.Location.Lat, h.Location.Lon)
	if err != nil {
		t.Errorf("%s: %v", h.Name, err)
	}
	radius := map[string]float64{"US": 3000, "RU": 1500, "CN": 1200}[h.Country] // km; others are small
	middle, ok := geo.Centroid(country)
	if km := geo.Distance(at, middle); !ok || km > max(radius, 1000) {
		t.Errorf("%s: at %v, %.0f km from the middle of %s", h.Name, at, km, country)
	}
}

func checkURLs(t *testing.T, h host, urls []string) {
	t.Helper()
	for _, raw := range urls {
		u, err := url.Parse(raw)
		if err != nil {
			t.Errorf("%s: %v", h.Name, err)
			continue
		}
		_, ipErr := netip.ParseAddr(u.Hostname())
		scheme := u.Scheme == "https" || u.Scheme == "http" || u.Scheme == "rsync"
		if !scheme || !strings.Contains(u.Host, ".") || ipErr == nil || strings.HasSuffix(u.Path, "/") || strings.Contains(u.Path, "//") {
			t.Errorf("%s: URL %q", h.Name, raw)
		}
	}
}

// TestPaths checks that files and repositories lie in a category.
func TestPaths(t *testing.T) {
	c := load(t)
	inside := func(path string) bool {
		for _, category := range c.Categories {
			if strings.HasPrefix(path, category.Path+"/") {
				return true
			}
		}
		return false
	}
	for _, r := range c.Repositories {
		if !inside(r.Path) || r.Name == "" || r.Arch == "" {
			t.Errorf("repository %+v", r)
		}
	}
	for _, f := range c.Files {
		if !inside(f.Path) || f.Size == 0 || len(f.SHA256) != 64 {
			t.Errorf("file %+v", f)
		}
	}
	for _, category := range c.Categories {
		if !strings.HasPrefix(category.Origin, "https://") || !strings.HasSuffix(category.Origin, category.Path) {
			t.Errorf("category %s: origin %q", category.Name, category.Origin)
		}
	}
}
