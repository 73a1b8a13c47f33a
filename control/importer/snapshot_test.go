package importer_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/importer"
	"github.com/waypost/waypost/control/publish"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/catalog"
	"github.com/waypost/waypost/edge/snapshot/mirrormanager"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const network = `
categories: [{name: os, path: pub/os, policy: {order: nearest, minimum: 3, sticky: true, bands: [country, everywhere]}}, {name: root, path: ""}]
hosts:
- {name: de1, country: DE, bandwidth: 1000, asn: 680, peer_asns: 553, netblocks: 192.0.2.0/24, location: {lat: 52.4, lon: 13.1},
   addresses: 192.0.2.1, urls: {os: ["https://de1.example.org/os", "rsync://de1.example.org/os"], root: ["https://de1.example.org", "rsync://de1.example.org/os"]}, lacks: [pub/os/43/a]}
- {name: us/1, country: US, countries_allowed: [US, CA], urls: {os: "https://us1.example.org/os"}, lacks: [pub/os/44]}
- {name: us-1, private: true, asn: 7, urls: {os: "http://us2.example.org/os"}}
- {name: down, down: true, urls: {os: "http://down.example.org/os"}}
files:
- {path: pub/os/43/a/repomd.xml, size: 5, mtime: 2026-01-02T03:04:05Z, sha256: e5b844cc57f57094ea4585e235f36c78c1cd222262bb89d53c94dcb4d6b3e55d,
   alternates: [{size: 4, md5: 12345678901234567890123456789012}, {size: 3}], lacks: us/1}
- {path: pub/os/44/x}
- {path: other/y}
complete: [pub/os/44]
repositories: [{name: os-43, arch: x86_64, path: pub/os/43/a}, {name: os-44, arch: x86_64, path: pub/os/44}]
repository_redirects: {os: os-44}
disabled_repositories: [os-43]
netblock_countries: [{prefix: 10.0.0.0/8, country: FR}]
continents: {IL: EU}
`

// published is what publishing an import gives. All must be as the registry wants it.
func published(t *testing.T, r *importer.Result) *snapshot.Snapshot {
	t.Helper()
	numbers := make([]uint32, len(r.Paths)) // as a store might number them
	for i := range numbers {
		numbers[i] = uint32(len(numbers)-i) + 100
	}
	if err := r.Renumber(numbers); err != nil {
		t.Fatal(err)
	}
	world := registry.NewWorld(slices.Values(r.Objects))
	problems := world.Check()
	for _, o := range r.Objects {
		problems = append(problems, o.Check()...)
	}
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s, notes := publish.Build(publish.Inputs{
		World: world, Trees: r.Trees, Listings: r.Listings, Now: now,
		Number: func(path string) (uint32, bool) {
			at, ok := r.Number(path)
			return numbers[at%uint32(len(numbers))], ok
		},
		Older: func(path string) []snapshot.Version { return r.Older[path] },
	})
	for _, n := range notes {
		t.Errorf("publishing notes: %s", n)
	}
	return s
}

// answers is what a snapshot can be asked for, a line each; hosts go by their URLs.
func answers(s *snapshot.Snapshot) (lines []string) {
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for dir, d := range s.Directories {
		category := s.Categories[d.Category]
		add("%q: complete %t, %s %q enumerated %t, %+v", d.Path, d.Complete, category.Name, category.Path, category.Enumerated, category.Policy)
		for i, h := range s.Hosts {
			if h.Down {
				continue
			}
			for _, m := range h.Mounts {
				if m.Category != d.Category || !h.Has.Has(uint32(dir)) {
					continue
				}
				add("%q at %q: %s %d %v %v %v %v %v %v %v", d.Path, m.URLs, h.Country, h.Bandwidth, h.ASNs, h.PeerASNs, h.Netblocks, h.Private, h.Allowed, h.Excluded, h.Addresses)
				for f, to := s.Files.In(uint32(dir)); f < to; f++ {
					if slices.Contains(s.Files.Lacks(f), uint32(i)) {
						add("%q lacks %s", m.URLs, s.Files.Name(f))
					}
				}
			}
		}
		for f, to := s.Files.In(uint32(dir)); f < to; f++ {
			add("%q/%s", d.Path, s.Files.Name(f))
			for v, last := s.Files.Versions(f); v < last; v++ {
				if s.Files.Size(v) >= 0 || s.Files.Kinds(v) != 0 || s.Files.MTime(v) > 0 {
					add("%q/%s: %d %d %x", d.Path, s.Files.Name(f), s.Files.Size(v), s.Files.MTime(v), s.Files.Sums(v))
				}
			}
		}
	}
	for _, r := range s.Repositories {
		add("%v disabled %t", r, s.Disabled[r.Name])
	}
	add("%v %v %v", s.RepositoryRedirects, s.CountryOverrides, s.ContinentOverrides)
	slices.Sort(lines)
	return lines
}

func left(r *importer.Result) (out []string) {
	for _, p := range r.Left {
		out = append(out, p.String())
	}
	return out
}

// Publishing what was imported from a catalogue gives what the catalogue gives.
func TestCatalog(t *testing.T) {
	want, err := catalog.Decode("network.yaml", []byte(network))
	if err != nil {
		t.Fatal(err)
	}
	r, err := importer.Catalog("network.yaml", []byte(network), "imported")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"network.yaml: host us/1: named us-1", "network.yaml: host us-1: named us-1-2"}, left(r)); d != "" {
		t.Error(d)
	}
	s := published(t, r)
	if d := cmp.Diff(answers(want), answers(s)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var back bytes.Buffer // and out again, as a catalogue
	notes, err := catalog.Encode(&back, s, now)
	if err != nil || len(notes) > 0 {
		t.Fatal(err, notes)
	}
	got, err := catalog.Decode("back.yaml", back.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(answers(want), answers(got)); d != "" {
		t.Errorf("exported again (-want +got):\n%s\n%s", d, back.String())
	}
}

// Publishing what was imported from a cache gives what the cache gives.
func TestMirrorManagerCache(t *testing.T) {
	s, err := catalog.Decode("network.yaml", []byte(network))
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.Hosts {
		s.Hosts[i].ID = int64(i)*10 + 1
	}
	s.Created = now
	var cache bytes.Buffer
	if _, err = mirrormanager.Encode(&cache, s, now); err != nil {
		t.Fatal(err)
	}
	want, _, err := mirrormanager.Decode("cache.pb", bytes.NewReader(cache.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	r, err := importer.MirrorManagerCache("cache.pb", &cache, "imported")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Left) > 0 {
		t.Errorf("left: %s", left(r))
	}
	got := published(t, r)
	if d := cmp.Diff(answers(want), answers(got)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, h := range got.Hosts {
		if h.ID%10 != 1 {
			t.Errorf("host %s lost its number: %d", h.Name, h.ID)
		}
	}
}

func TestErrors(t *testing.T) {
	if _, err := importer.MirrorManagerCache("cache.pb", strings.NewReader("junk"), "x"); err == nil || !strings.Contains(err.Error(), "cache.pb: byte ") {
		t.Errorf("got %v", err)
	}
	if _, err := importer.Catalog("c.yaml", []byte("hosts: 3"), "x"); err == nil || !strings.Contains(err.Error(), "c.yaml:1: ") {
		t.Errorf("got %v", err)
	}
	r := &importer.Result{Paths: []string{"a"}}
	if r.Renumber(nil) == nil {
		t.Error("numbered without numbers")
	}
}
