package index_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

func TestSchemeOf(t *testing.T) {
	for url, want := range map[string]index.Schemes{
		"https://a/": index.HTTPS, "http://a/": index.HTTP, "ftp://a/": index.FTP, "rsync://a/m": index.RSYNC,
		"gopher://a": index.OtherScheme, "a": index.OtherScheme, "": index.OtherScheme, "httpsx://a": index.OtherScheme,
	} {
		if got := index.SchemeOf(url); got != want {
			t.Errorf("SchemeOf(%q) = %b, want %b", url, got, want)
		}
	}
	if index.AnyScheme != index.HTTPS|index.HTTP|index.FTP|index.RSYNC|index.OtherScheme {
		t.Errorf("AnyScheme is %b", index.AnyScheme)
	}
}

func TestFamilyOf(t *testing.T) {
	for a, want := range map[netip.Addr]index.Family{
		netip.MustParseAddr("192.0.2.1"): index.V4, netip.MustParseAddr("2001:db8::1"): index.V6, {}: 0,
	} {
		if got := index.FamilyOf(a); got != want {
			t.Errorf("FamilyOf(%v) = %d, want %d", a, got, want)
		}
	}
}

// TestHostColumns compares every set of hosts with a scan of the snapshot.
func TestHostColumns(t *testing.T) {
	in := inputs(5)
	ix, s := index.Compile(in), in.Snapshot
	check := func(what string, got []uint32, want func(h *snapshot.Host) bool) {
		t.Helper()
		var hosts []uint32
		for i := range s.Hosts {
			if want(&s.Hosts[i]) {
				hosts = append(hosts, uint32(i))
			}
		}
		if diff := cmp.Diff(hosts, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	has := func(h *snapshot.Host, is4 bool) bool {
		return slices.ContainsFunc(h.Addresses, func(a netip.Addr) bool { return a.Is4() == is4 })
	}
	check("Public", members(ix.Public()), func(h *snapshot.Host) bool { return !h.Private })
	check("Active", members(ix.Active()), func(h *snapshot.Host) bool { return !h.Down })
	check("Placed", members(ix.Placed()), func(h *snapshot.Host) bool {
		_, ok := geo.Centroid(h.Country)
		return ok || h.Place != nil
	})
	for f, is4 := range map[index.Family]bool{index.V4: true, index.V6: false} {
		check("Reachable", members(ix.Reachable(f)), func(h *snapshot.Host) bool { return len(h.Addresses) == 0 || has(h, is4) })
		check("WithRecord", members(ix.WithRecord(f)), func(h *snapshot.Host) bool { return h.DNS && has(h, is4) })
	}
	for c := range uint32(len(s.Categories)) {
		for scheme := index.HTTPS; scheme <= index.OtherScheme; scheme <<= 1 {
			check("WithScheme", members(ix.WithScheme(c, scheme)), func(h *snapshot.Host) bool {
				return slices.ContainsFunc(h.Mounts, func(m snapshot.Mount) bool {
					return m.Category == c && slices.ContainsFunc(m.URLs, func(u string) bool { return index.SchemeOf(u) == scheme })
				})
			})
		}
	}
	for d := range s.Directories {
		check("Holders", members(ix.Holders(uint32(d))), func(h *snapshot.Host) bool { return h.Has.Has(uint32(d)) })
	}
	for f := range uint32(s.Files.Len()) {
		want := slices.Compact(slices.Sorted(slices.Values(s.Files.Lacks(f))))
		if diff := cmp.Diff(want, members(ix.Lacking(f))); diff != "" && len(want) > 0 {
			t.Errorf("Lacking(%d) (-want +got):\n%s", f, diff)
		}
		var older []uint32
		for _, h := range s.Files.Older(f) {
			older = append(older, h.Host)
		}
		slices.Sort(older)
		if diff := cmp.Diff(older, members(ix.HoldingOlder(f))); diff != "" && len(older) > 0 {
			t.Errorf("HoldingOlder(%d) (-want +got):\n%s", f, diff)
		}
	}
}

// TestKeys: what draws hang on is the same on every edge, whatever else is in
// its catalogue, and differs between hosts and categories.
func TestKeys(t *testing.T) {
	in := inputs(6)
	ix := index.Compile(in)
	keys := map[uint64]bool{}
	for h := range uint32(ix.Hosts()) {
		keys[ix.Host(h).Key] = true
	}
	for c := range ix.Categories() {
		keys[ix.CategoryKey(uint32(c))] = true
	}
	if want := ix.Hosts() + len(ix.Categories()); len(keys) != want {
		t.Errorf("%d different keys of %d hosts and categories", len(keys), want)
	}
	slices.Reverse(in.Snapshot.Hosts)
	turned := index.Compile(in)
	if a, b := ix.Host(0).Key, turned.Host(uint32(ix.Hosts()-1)).Key; a != b {
		t.Errorf("one host has keys %x and %x", a, b)
	}
}

func TestRepositories(t *testing.T) {
	s := synth.Snapshot(synth.Small(1))
	s.Repositories = []snapshot.Repository{
		{Name: "os", Arch: "x86_64", Path: "a"},
		{Name: "os", Arch: "aarch64", Path: "b"},
		{Name: "os-43", Arch: "x86_64", Path: "c"},
		{Name: "os", Arch: "x86_64", Path: "again"},
	}
	s.RepositoryRedirects = map[string]string{"rawhide": "os", "x": "rawhide"}
	s.Disabled = map[string]bool{"old": true}
	ix := index.Compile(index.Inputs{Snapshot: s})
	for _, tt := range []struct {
		name, arch, want string
		ok               bool
	}{
		{"os", "aarch64", "b", true},
		{"os", "x86_64", "again", true}, // the later one
		{"os-43", "x86_64", "c", true},
		{"os-43", "aarch64", "", false},
		{"", "", "", false},
	} {
		got, ok := ix.RepositoryNumber(tt.name, tt.arch)
		if ok != tt.ok || ok && s.Repositories[got].Path != tt.want {
			t.Errorf("RepositoryNumber(%q, %q) = %d, %v", tt.name, tt.arch, got, ok)
		}
	}
	for name, want := range map[string]string{"rawhide": "os", "x": "rawhide", "os": "os", "none": "none"} {
		if got := ix.RepositoryName(name); got != want {
			t.Errorf("RepositoryName(%q) = %q, want %q", name, got, want)
		}
	}
	if !ix.Disabled("old") || ix.Disabled("os") {
		t.Errorf("Disabled: old %v, os %v", ix.Disabled("old"), ix.Disabled("os"))
	}
	var order []string
	ix.Repositories(func(r *snapshot.Repository) { order = append(order, r.Name+"+"+r.Arch) })
	if diff := cmp.Diff([]string{"os+aarch64", "os+x86_64", "os-43+x86_64"}, order); diff != "" {
		t.Errorf("Repositories (-want +got):\n%s", diff)
	}
}
