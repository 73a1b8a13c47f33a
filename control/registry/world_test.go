package registry_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/registry"
)

func world(objects map[registry.Kind]registry.Object) *registry.World {
	return registry.NewWorld(maps.Values(objects))
}

func ExampleWorld_With() {
	w := registry.NewWorld(slices.Values([]registry.Object{&registry.Site{Name: "uni-x"}}))
	next := w.With(
		registry.Change{Object: &registry.Host{Site: "uni-x", Name: "de1"}},
		registry.Change{Object: &registry.Host{Site: "uni-y", Name: "fr1"}},
	)
	for _, h := range registry.All[*registry.Host](next) {
		fmt.Println(h.Key())
	}
	fmt.Println(next.Check())
	fmt.Println(len(registry.All[*registry.Host](w)), "hosts before")
	// Output:
	// uni-x/de1
	// uni-y/fr1
	// host uni-y/fr1: site: no site has the name "uni-y"
	// 0 hosts before
}

// Each case changes a flawless world and names the only problem that may come of it.
func TestWorldProblems(t *testing.T) {
	add := func(o registry.Object) []registry.Change { return []registry.Change{{Object: o}} }
	remove := func(kind registry.Kind, key string) []registry.Change {
		return []registry.Change{{Kind: kind, Key: key}}
	}
	tests := []struct {
		name    string
		changes []registry.Change
		want    string // empty: no problem
	}{
		{"user that is an admin", remove(registry.KindUser, "alice"), "site Uni/X: admins[0]: no user has the name \"alice\"\ntoken ci: user: no user has the name \"alice\""},
		{"site with hosts", remove(registry.KindSite, "Uni/X"), `host Uni/X/de1: site: no site has the name "Uni/X"`},
		{"product with versions", remove(registry.KindProduct, "OS"), "category os: product: no product has the name \"OS\"\nrepository os-43+x86_64: version: no version \"43\" is of the product \"OS\" of category os"},
		{"version of no product", []registry.Change{
			{Object: &registry.Category{Name: "z", Path: "z"}}, {Object: &registry.Repository{Name: "x", Arch: "y", Path: "z/x", Category: "z", Version: "9"}},
		}, ""},
		{"nothing named it", remove(registry.KindRelease, "44"), ""},
		{"nothing there", remove(registry.KindSite, "nowhere"), ""},
		{"URL of another", add(&registry.Host{Site: "Uni/X", Name: "a", Carries: []registry.Carry{{Category: "os", URLs: []registry.URL{{URL: "https://de1.example.org/os"}}}}}), "host Uni/X/de1: carries[0].urls[0].url: the URL is that of host Uni/X/a already"},
		{"upstream", add(&registry.Host{Site: "Uni/X", Name: "a", Tier: 2, Upstream: "Uni/X/de1"}), ""},
		{"upstream of the same tier", add(&registry.Host{Site: "Uni/X", Name: "a", Tier: 1, Upstream: "Uni/X/de1"}), "host Uni/X/a: tier: want more than 1, the tier of its upstream Uni/X/de1, got 1"},
		{"unknown upstream", add(&registry.Host{Site: "Uni/X", Name: "a", Tier: 1, Upstream: "b"}), `host Uni/X/a: upstream: no host has the name "b"`},
		{"path of another", add(&registry.Category{Name: "z", Path: "pub/os"}), "category z: path: the path is that of category os already"},
		{"repository elsewhere", add(&registry.Repository{Name: "x", Arch: "y", Path: "pub/osx", Category: "os"}), `repository x+y: path: want a path below "pub/os", the top directory of os, got "pub/osx"`},
		{"redirect to nothing yet", add(&registry.Repository{Name: "x", RedirectTo: "y"}), ""},
		{"redirects in a circle", []registry.Change{
			{Object: &registry.Repository{Name: "x", RedirectTo: "y"}}, {Object: &registry.Repository{Name: "y", RedirectTo: "x"}},
		}, "repository x+: redirect_to: want a name that does not lead back here or over more than 10 others, got \"y\"\nrepository y+: redirect_to: want a name that does not lead back here or over more than 10 others, got \"x\""},
		{"release elsewhere", add(&registry.Release{Name: "x", Paths: []string{"pub/os", "pub"}}), `release x: paths[1]: no category has its top directory at or above "pub"`},
		{"netblock of another", add(&registry.Override{Name: "x", Netblock: "192.0.2.0/24", Country: "FR"}), "override x: netblock: the netblock is that of override lab already"},
		{"two continents", []registry.Change{
			{Object: &registry.Override{Name: "x", Country: "TR", Continent: "EU"}}, {Object: &registry.Override{Name: "y", Country: "TR", Continent: "AS"}},
		}, "override y: country: the continent of this country is that of override x already"},
		{"subject of another", add(&registry.User{Name: "bob", Subject: "https://id.example.org alice"}), "user bob: subject: the subject is that of user alice already"},
		{"token of another", add(&registry.Token{Name: "x", Hash: registry.HashToken("x"), Edge: "e1"}), "token x: hash: the hash is that of token ci already"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := world(good(t))
			if diff := cmp.Diff(test.want, before.With(test.changes...).Check().Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if problems := before.Check(); problems != nil {
				t.Errorf("the world before changed: %v", problems)
			}
		})
	}
}

func TestNilWorld(t *testing.T) {
	var w *registry.World
	if _, ok := registry.Find[*registry.Host](w, "a"); ok || registry.All[*registry.Host](w) != nil || w.Check() != nil {
		t.Error("the nil world is not empty")
	}
	w = w.With(registry.Change{Object: &registry.User{Name: "a"}})
	if _, ok := registry.Find[*registry.User](w, "a"); !ok {
		t.Error("a change to the nil world is lost")
	}
}

func TestBelow(t *testing.T) {
	for _, test := range []struct {
		path, top string
		want      bool
	}{{"a", "", true}, {"", "", true}, {"a", "a", true}, {"a/b", "a", true}, {"ab", "a", false}, {"a", "a/b", false}, {"", "a", false}} {
		if got := registry.Below(test.path, test.top); got != test.want {
			t.Errorf("Below(%q, %q) = %v", test.path, test.top, got)
		}
	}
}

func BenchmarkCheckOf1000Hosts(b *testing.B) {
	objects := []registry.Object{&registry.Site{Name: "s"}}
	for i := range 10 {
		objects = append(objects, &registry.Category{Name: fmt.Sprint(i), Path: fmt.Sprint(i)})
	}
	for i := range 1000 {
		h := &registry.Host{Site: "s", Name: fmt.Sprint(i)}
		for c := range 10 {
			h.Carries = append(h.Carries, registry.Carry{Category: fmt.Sprint(c), URLs: []registry.URL{
				{URL: fmt.Sprintf("https://%d.example.org/%d", i, c)}, {URL: fmt.Sprintf("rsync://%d.example.org/%d", i, c)},
			}})
		}
		objects = append(objects, h)
	}
	w := registry.NewWorld(slices.Values(objects))
	for b.Loop() {
		if p := w.Check(); p != nil {
			b.Fatal(strings.SplitN(p.Error(), "\n", 2)[0])
		}
	}
}

func TestPublic(t *testing.T) {
	for _, tt := range []struct {
		name           string
		change         func(*registry.Site, *registry.Host)
		listed, public bool
	}{
		{"as it is", func(*registry.Site, *registry.Host) {}, true, true},
		{"the host is switched off", func(_ *registry.Site, h *registry.Host) { h.UserActive = false }, false, false},
		{"the site is switched off", func(s *registry.Site, _ *registry.Host) { s.AdminActive = false }, false, false},
		{"the host waits", func(_ *registry.Site, h *registry.Host) { h.State = registry.Pending }, false, false},
		{"the site waits", func(s *registry.Site, _ *registry.Host) { s.State = registry.Pending }, false, false},
		{"the host is private", func(_ *registry.Site, h *registry.Host) { h.Private = true }, true, false},
		{"the site is private", func(s *registry.Site, _ *registry.Host) { s.Private = true }, true, false},
		{"the country is under embargo", func(_ *registry.Site, h *registry.Host) { h.Country = "KP" }, true, false},
		{"the site is gone", func(_ *registry.Site, h *registry.Host) { h.Site = "b" }, false, false},
	} {
		on := registry.Activity{AdminActive: true, UserActive: true}
		site := &registry.Site{Name: "a", State: registry.Approved, Activity: on}
		host := &registry.Host{Site: "a", Name: "h", Country: "DE", State: registry.Approved, Activity: on}
		tt.change(site, host)
		w := registry.NewWorld(slices.Values([]registry.Object{site, host, &registry.Override{Name: "kp", Country: "KP", Embargoed: true}}))
		if listed, public := registry.Listed(w, host), registry.Public(w, host); listed != tt.listed || public != tt.public {
			t.Errorf("%s: listed %t, public %t, want %t and %t", tt.name, listed, public, tt.listed, tt.public)
		}
	}
}
