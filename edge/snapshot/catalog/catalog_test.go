package catalog_test

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/catalog"
	"github.com/waypost/waypost/geo"
)

func decode(t *testing.T, text string) *snapshot.Snapshot {
	t.Helper()
	snap, err := catalog.Decode("catalog.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func code(s string) geo.Country { return geo.Country{s[0], s[1]} }

// Every key at least once.
const full = `
categories:
  - {name: os, path: /pub/os/, origin: "https://origin.example.org/pub/os/", policy: {order: nearest, minimum: 2, sticky: true, scheme: same, bands: [country, everywhere]}}
  - {name: old, path: pub/os/old}
hosts:
  - name: de1
    country: de
    location: {lat: 52.5, lon: 13.5}
    bandwidth: 1000
    asn: 680
    peer_asns: [553, 12, 553]
    netblocks: [198.51.100.0/24, "2001:db8:1::/48"]
    private: false
    countries_allowed: []
    countries_excluded: [US]
    addresses: [192.0.2.10, "2001:db8::10"]
    urls:
      os: ["https://de1.example.org/os/", "rsync://de1.example.org/os"]
      old: http://de1.example.org:8080
    lacks: [pub/os/releases/41, pub/os/f.iso]
  - {name: us1, asn: [1, 2], private: true, countries_allowed: [US, CA], down: true, dns: true, urls: {os: "ftp://us1.example.org/"}}
files:
  - path: pub/os/f.iso
    size: 10485760
    mtime: 2026-01-02T03:04:05Z
    md5: 12345678901234567890123456789012
    alternates: [{size: 0, mtime: 2025-01-02T03:04:05+01:00}]
    lacks: [us1]
  - {path: pub/os/old/x/y/unknown}
complete: [pub/os/old]
repositories:
  - {name: os-43, arch: x86_64, path: pub/os/releases/43/x86_64}
repository_redirects: {os: os-43}
disabled_repositories: [os-1]
netblock_countries: [{prefix: 10.0.0.0/8, country: FR}]
continents: {il: EU, XK: "--"}
`

func TestDecode(t *testing.T) {
	got := decode(t, full)
	want := &snapshot.Snapshot{
		Categories: []snapshot.Category{
			{Name: "os", Path: "pub/os", Origin: "https://origin.example.org/pub/os", Policy: snapshot.Policy{
				Order: snapshot.Nearest, Minimum: 2, Sticky: true, SameScheme: true,
				Bands: 1<<snapshot.BandCountry | 1<<snapshot.BandEverywhere,
			}},
			{Name: "old", Path: "pub/os/old", Policy: snapshot.Policy{Minimum: snapshot.DefaultMinimum, Bands: snapshot.AllBands}},
		},
		Hosts: []snapshot.Host{
			{
				Name: "de1", Country: code("DE"), Place: &geo.Point{Lat: 52.5, Lon: 13.5}, Bandwidth: 1000,
				ASNs: []uint32{680}, PeerASNs: []uint32{12, 553},
				Netblocks: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8:1::/48")},
				Excluded:  []geo.Country{code("US")},
				Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")}, DNS: true,
				Mounts: []snapshot.Mount{
					{Category: 0, URLs: []string{"https://de1.example.org/os", "rsync://de1.example.org/os"}},
					{Category: 1, URLs: []string{"http://de1.example.org:8080"}},
				},
				Has: snapshot.Bitmap{0b11011111},
			},
			{
				Name: "us1", Bandwidth: catalog.DefaultBandwidth, ASNs: []uint32{1, 2}, Private: true,
				Allowed: []geo.Country{code("US"), code("CA")}, Down: true, DNS: true,
				Mounts: []snapshot.Mount{{URLs: []string{"ftp://us1.example.org"}}},
				Has:    snapshot.Bitmap{0b11110001},
			},
		},
		Directories: []snapshot.Directory{
			{Path: "pub/os"},
			{Path: "pub/os/old", Category: 1, Complete: true},
			{Path: "pub/os/old/x", Category: 1, Complete: true},
			{Path: "pub/os/old/x/y", Category: 1, Complete: true},
			{Path: "pub/os/releases"},
			{Path: "pub/os/releases/41"},
			{Path: "pub/os/releases/43"},
			{Path: "pub/os/releases/43/x86_64"},
		},
		Repositories:        []snapshot.Repository{{Name: "os-43", Arch: "x86_64", Path: "pub/os/releases/43/x86_64"}},
		RepositoryRedirects: map[string]string{"os": "os-43"},
		Disabled:            map[string]bool{"os-1": true},
		CountryOverrides:    []snapshot.CountryOverride{{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Country: code("FR")}},
		ContinentOverrides:  map[geo.Country]geo.Continent{code("IL"): {'E', 'U'}, code("XK"): {}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreTypes(snapshot.Files{}),
		cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	checkFiles(t, &got.Files)
}

// checkFiles looks at the files of full.
func checkFiles(t *testing.T, f *snapshot.Files) {
	t.Helper()
	iso, ok := f.Find(0, []byte("f.iso"))
	from, to := f.Versions(iso)
	if !ok || to-from != 2 || f.Size(from) != 10485760 || f.Size(from+1) != 0 || f.MTime(from+1) != 1735783445 ||
		f.Hash(from, snapshot.MD5)[0] != 0x12 || f.Hash(from, snapshot.SHA256) != nil {
		t.Errorf("f.iso: %v, versions %d to %d", ok, from, to)
	}
	if diff := cmp.Diff([]uint32{0, 1}, f.Lacks(iso)); diff != "" {
		t.Errorf("f.iso is lacked by (-want +got):\n%s", diff)
	}
	unknown, ok := f.Find(3, []byte("unknown"))
	if from, to := f.Versions(unknown); !ok || from != to || f.Len() != 2 {
		t.Errorf("unknown: %v, versions %d to %d", ok, from, to)
	}
}

func TestNestedAndRoot(t *testing.T) {
	snap := decode(t, `
categories: [{name: all, path: ""}, {name: os, path: a/os}]
hosts:
  - {name: h, urls: {all: http://h.example.org/, os: http://os.example.org}, lacks: [a]}
  - {name: i, addresses: 192.0.2.1, urls: {all: []}, dns: false, bandwidth: 0}
complete: [a/os/x]
files: [{path: top.txt}]
`)
	var got []string
	for i, d := range snap.Directories {
		line := d.Path + " " + snap.Categories[d.Category].Name
		for _, h := range snap.Hosts {
			if h.Has.Has(uint32(i)) {
				line += " " + h.Name
			}
		}
		if d.Complete {
			line += " complete"
		}
		got = append(got, line)
	}
	want := []string{" all h i", "a all i", "a/os os", "a/os/x os complete"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, ok := snap.Files.Find(0, []byte("top.txt")); !ok {
		t.Error("top.txt is not there")
	}
	if h := snap.Hosts[1]; h.DNS || h.Bandwidth != 0 || len(h.Mounts) != 1 {
		t.Errorf("%+v", h)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(full))
	bad, err := os.ReadFile("testdata/bad.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bad)
	f.Add([]byte("categories: [{name: a, path: ''}]\nhosts: [{name: h, urls: {a: http://h}}]\n"))
	f.Add([]byte("a: &x [1, *x]"))
	f.Add([]byte("categories:\n- &c {name: a, path: b}\n- <<: *c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		one, err := catalog.Decode("fuzz.yaml", data)
		two, again := catalog.Decode("fuzz.yaml", data)
		if err != nil {
			var problems snapshot.Problems
			if !errors.As(err, &problems) || again == nil || err.Error() != again.Error() {
				t.Errorf("first %v\nthen %v", err, again)
			}
			return
		}
		if diff := cmp.Diff(one, two, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.IgnoreTypes(snapshot.Files{})); diff != "" {
			t.Errorf("decoded twice (-first +then):\n%s", diff)
		}
		checkSound(t, one)
		roundTrip(t, one)
	})
}

// checkSound checks what edge/index relies on.
func checkSound(t *testing.T, s *snapshot.Snapshot) {
	t.Helper()
	if len(s.Hosts) == 0 || len(s.Categories) == 0 {
		t.Error("no hosts or no categories")
	}
	listed := map[string]bool{}
	for i, d := range s.Directories {
		if i > 0 && s.Directories[i-1].Path >= d.Path {
			t.Errorf("directories %q and %q are out of order", s.Directories[i-1].Path, d.Path)
		}
		listed[d.Path] = true
		top := s.Categories[d.Category].Path
		if d.Path != top && top != "" && !strings.HasPrefix(d.Path, top+"/") {
			t.Errorf("directory %q is not below %q", d.Path, top)
		}
		above := d.Path[:max(strings.LastIndexByte(d.Path, '/'), 0)]
		if d.Path != top && !listed[above] {
			t.Errorf("%q is listed, and the directory above it is not", d.Path)
		}
	}
	for _, c := range s.Categories {
		if !listed[c.Path] {
			t.Errorf("top directory %q is not listed", c.Path)
		}
	}
}
