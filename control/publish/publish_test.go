package publish_test

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waypost/waypost/control/publish"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// numbers are those of the directories of the tests.
func numbers(path string) (uint32, bool) {
	n := slices.Index([]string{"pub/os", "pub/os/43", "pub/os/44", "pub/os/secret", "pub/other"}, path)
	return uint32(n) + 10, n >= 0
}

func on() registry.Activity { return registry.Activity{AdminActive: true, UserActive: true} }

func host(name string, change func(*registry.Host)) *registry.Host {
	h := &registry.Host{
		Name: name, Site: "site", Country: "DE", Bandwidth: 100, State: registry.Approved, Activity: on(),
		Carries: []registry.Carry{{Category: "os", URLs: []registry.URL{
			{URL: "https://" + name + ".example.org/os"}, {URL: "rsync://" + name + "/os", Private: true},
		}}},
	}
	if change != nil {
		change(h)
	}
	return h
}

func listing(name string, holds ...uint32) *registry.Listing {
	l := &registry.Listing{Host: "site/" + name, Category: "os"}
	for _, n := range holds {
		l.Holds.Add(n)
	}
	return l
}

func inputs(objects ...registry.Object) publish.Inputs {
	objects = append(objects,
		&registry.Site{Name: "site", State: registry.Approved, Activity: on()},
		&registry.Category{Name: "os", Path: "pub/os", Policy: registry.Policy{Order: "nearest", Bands: []string{"country", "everywhere"}}},
		&registry.Category{Name: "other", Path: "pub/other", Origin: "https://o.example.org"},
	)
	return publish.Inputs{
		World:  registry.NewWorld(slices.Values(objects)),
		Number: numbers, Now: now,
		Trees: []*registry.Tree{{Category: "os", Directories: []registry.Directory{
			{Path: "", Readable: true},
			{Path: "43", Readable: true, Files: []registry.File{
				{Name: "Release", Size: 10},
				{Name: "a.iso", Size: 7},
				{Name: "repomd.xml", Size: 3, Hashes: &registry.Hashes{snapshot.SHA256: bytes.Repeat([]byte{3}, 32)}},
			}},
			{Path: "44"},
			{Path: "secret"},
		}}},
	}
}

// build builds a snapshot that has nothing to note.
func build(t *testing.T, in publish.Inputs) *snapshot.Snapshot {
	t.Helper()
	s, notes := publish.Build(in)
	if len(notes) > 0 {
		t.Errorf("notes: %s", strings.Join(notes, "\n"))
	}
	return s
}

func paths(s *snapshot.Snapshot) (out []string) {
	for _, d := range s.Directories {
		out = append(out, d.Path)
	}
	return out
}

// holds returns the paths that a host holds.
func holds(s *snapshot.Snapshot, name string) (out []string) {
	for _, h := range s.Hosts {
		for at, d := range s.Directories {
			if h.Name == name && h.Has.Has(uint32(at)) {
				out = append(out, d.Path)
			}
		}
	}
	return out
}

func TestCategoriesAndDirectories(t *testing.T) {
	s := build(t, inputs())
	if got, want := paths(s), []string{"pub/os", "pub/os/43", "pub/other"}; !slices.Equal(got, want) {
		t.Errorf("directories %v, want %v: what nobody may read is not there", got, want)
	}
	os, other := s.Categories[0], s.Categories[1]
	if !os.Enumerated || other.Enumerated || !s.Directories[1].Complete || s.Directories[2].Complete {
		t.Error("a scanned category, and only that, is enumerated and complete")
	}
	want := snapshot.Policy{Order: snapshot.Nearest, Minimum: 5, Bands: 1<<snapshot.BandCountry | 1<<snapshot.BandEverywhere}
	if d := cmp.Diff(want, os.Policy); d != "" {
		t.Error(d)
	}
	if s.Directories[1].Number != 11 {
		t.Errorf("number %d", s.Directories[1].Number)
	}
}

// What an import knew of a tree is not all that is there.
func TestPartialTrees(t *testing.T) {
	in := inputs()
	in.Trees[0].Partial = true
	in.Trees[0].Directories[1].Partial = true
	s := build(t, in)
	if s.Categories[0].Enumerated || !s.Directories[0].Complete || s.Directories[1].Complete {
		t.Errorf("category %+v, directories %+v", s.Categories[0], s.Directories)
	}
}

func TestWhoIsPublished(t *testing.T) {
	resting := []registry.Window{{From: now.Add(-time.Hour), To: now.Add(time.Hour)}}
	s := build(t, inputs(
		host("good", nil),
		host("pending", func(h *registry.Host) { h.State = registry.Pending }),
		host("off", func(h *registry.Host) { h.UserActive = false }),
		host("banned", func(h *registry.Host) { h.AdminActive = false }),
		host("orphan", func(h *registry.Host) { h.Site = "gone" }),
		host("resting", func(h *registry.Host) { h.Maintenance = resting }),
	))
	var got []string
	for _, h := range s.Hosts {
		got = append(got, h.Name)
		if h.Down != (h.Name == "site/resting") {
			t.Errorf("%s: down is %t", h.Name, h.Down)
		}
	}
	if want := []string{"site/good", "site/resting"}; !slices.Equal(got, want) {
		t.Errorf("hosts %v, want %v", got, want)
	}
	if urls := s.Hosts[0].Mounts[0].URLs; !slices.Equal(urls, []string{"https://good.example.org/os"}) {
		t.Errorf("URLs %v: private ones are for other mirrors", urls)
	}
}

func TestSitePrivate(t *testing.T) {
	in := inputs(host("a", nil))
	site, _ := registry.Find[*registry.Site](in.World, "site")
	private := *site
	private.Private = true
	in.World = in.World.With(registry.Change{Object: &private})
	if s := build(t, in); !s.Hosts[0].Private {
		t.Error("a host of a private site is public")
	}
}

func TestWhatHostsHold(t *testing.T) {
	in := inputs(host("all", nil), host("none", nil), host("unsure", nil), host("cdn", func(h *registry.Host) {
		h.Carries[0].AlwaysUpToDate = true
	}))
	unsure := listing("unsure", 10, 11)
	unsure.Unknown.Add(11)
	in.Listings = []*registry.Listing{listing("all", 10, 11, 12, 99), unsure}
	s := build(t, in)
	both := []string{"pub/os", "pub/os/43"}
	for name, want := range map[string][]string{"all": both, "none": nil, "unsure": {"pub/os"}, "cdn": both} {
		if got := holds(s, "site/"+name); !slices.Equal(got, want) {
			t.Errorf("%s holds %v, want %v", name, got, want)
		}
	}
}

func TestFiles(t *testing.T) {
	in := inputs(host("a", nil), host("b", nil))
	a, b := listing("a", 10, 11), listing("b", 10, 11)
	a.Lacks = []registry.FileRef{{Directory: 11, Name: "a.iso"}}
	b.Older = []registry.OlderFile{{FileRef: registry.FileRef{Directory: 11, Name: "repomd.xml"}}}
	in.Listings = []*registry.Listing{a, b}
	in.Older = func(path string) []snapshot.Version {
		sum := func(b byte) (h [snapshot.HashKinds][]byte) {
			h[snapshot.SHA256] = bytes.Repeat([]byte{b}, 32)
			return h
		}
		switch path {
		case "pub/os/43/repomd.xml": // the current one, an older one
			return []snapshot.Version{{Size: 3, Hashes: sum(3)}, {Size: 2, Hashes: sum(2)}}
		case "pub/os/43/Release": // the new one has no hash yet
			return []snapshot.Version{{Size: 9, Hashes: sum(9)}}
		}
		return nil
	}
	s := build(t, in)
	for name, want := range map[string]struct {
		sizes []int64
		lacks []uint32
	}{"a.iso": {[]int64{7}, []uint32{0}}, "repomd.xml": {[]int64{3, 2}, []uint32{1}}, "Release": {[]int64{9}, nil}} {
		file, ok := s.Files.Find(1, []byte(name))
		if !ok {
			t.Fatalf("no %s", name)
		}
		var sizes []int64
		for v, to := s.Files.Versions(file); v < to; v++ {
			sizes = append(sizes, s.Files.Size(v))
		}
		if !slices.Equal(sizes, want.sizes) || !slices.Equal(s.Files.Lacks(file), want.lacks) {
			t.Errorf("%s: sizes %v, lacks %v, want %v", name, sizes, s.Files.Lacks(file), want)
		}
	}
}

func TestEmbargo(t *testing.T) {
	release := &registry.Release{Name: "os 44", Paths: []string{"pub/os/44"}, LiftAt: now.Add(time.Hour)}
	in := inputs(host("told", nil), host("late", nil), release)
	in.Listings = []*registry.Listing{listing("told", 10, 11, 12), listing("late", 10, 11)}
	s := build(t, in)
	if d := cmp.Diff([]snapshot.Embargo{{Path: "pub/os/44", LiftAt: release.LiftAt}}, s.Embargoes); d != "" {
		t.Error(d)
	}
	if got := holds(s, "site/told"); !slices.Contains(got, "pub/os/44") {
		t.Errorf("a host that reported holds %v", got)
	}
	if got := holds(s, "site/late"); slices.Contains(got, "pub/os/44") {
		t.Errorf("a host that did not report holds %v", got)
	}
	in.Now = release.LiftAt
	if s = build(t, in); len(s.Embargoes) > 0 || !slices.Contains(paths(s), "pub/os/44") {
		t.Error("after the lift the release is not there, though the master may be late")
	}
}

func TestNetblocks(t *testing.T) {
	in := inputs(host("a", func(h *registry.Host) {
		h.Netblocks = []string{"192.0.2.0/24", "198.51.100.1-198.51.100.2", "office.example.org", "gone.example.org"}
	}))
	in.Resolve = func(name string) ([]netip.Addr, error) {
		if name == "office.example.org" {
			return []netip.Addr{netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8::9")}, nil
		}
		return nil, errors.New("no such name")
	}
	s, notes := publish.Build(in)
	want := []string{"192.0.2.0/24", "198.51.100.1/32", "198.51.100.2/32", "203.0.113.9/32", "2001:db8::9/128"}
	var got []string
	for _, p := range s.Hosts[0].Netblocks {
		got = append(got, p.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("netblocks %v, want %v", got, want)
	}
	if d := cmp.Diff([]string{"host site/a: netblock gone.example.org: no such name"}, notes); d != "" {
		t.Error(d)
	}
}

func TestRest(t *testing.T) {
	s := build(t, inputs(
		&registry.Repository{Name: "os-43", Arch: "x86_64", Path: "pub/os/43"},
		&registry.Repository{Name: "os-old", Arch: "x86_64", Path: "pub/os/41", Disabled: true},
		&registry.Repository{Name: "os-latest", RedirectTo: "os-43"},
		&registry.Override{Name: "lab", Netblock: "10.0.0.0/8", Country: "JP"},
		&registry.Override{Name: "il", Country: "IL", Continent: "EU"},
	))
	want := &snapshot.Snapshot{
		Repositories: []snapshot.Repository{
			{Name: "os-43", Arch: "x86_64", Path: "pub/os/43"}, {Name: "os-old", Arch: "x86_64", Path: "pub/os/41"},
		},
		RepositoryRedirects: map[string]string{"os-latest": "os-43"},
		Disabled:            map[string]bool{"os-old": true},
		CountryOverrides:    []snapshot.CountryOverride{{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Country: geo.Country{'J', 'P'}}},
		ContinentOverrides:  map[geo.Country]geo.Continent{{'I', 'L'}: {'E', 'U'}},
	}
	if d := cmp.Diff(want, s, cmpopts.EquateComparable(netip.Prefix{}),
		cmpopts.IgnoreFields(snapshot.Snapshot{}, "Created", "Categories", "Hosts", "Directories", "Files")); d != "" {
		t.Error(d)
	}
}

// A country that comes under embargo takes its hosts along.
func TestEmbargoedCountry(t *testing.T) {
	in := inputs(host("a", nil), host("b", func(h *registry.Host) { h.Country = "AT" }), host("c", func(h *registry.Host) { h.Country = "" }),
		&registry.Override{Name: "embargo", Country: "DE", Embargoed: true})
	s, notes := publish.Build(in)
	var names []string
	for _, h := range s.Hosts {
		names = append(names, h.Name)
	}
	if d := cmp.Diff([]string{"site/b", "site/c"}, names); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"host site/a: DE is under embargo"}, notes); d != "" {
		t.Error(d)
	}
}
