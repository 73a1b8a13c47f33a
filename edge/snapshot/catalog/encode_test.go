package catalog_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/catalog"
)

var encodeTime = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func encode(t *testing.T, s *snapshot.Snapshot) (text string, notes []string) {
	t.Helper()
	var b bytes.Buffer
	notes, err := catalog.Encode(&b, s, encodeTime)
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), notes
}

// found returns the number of the nearest listed directory at or above path, -1
// if there is none or path does not exist.
func found(s *snapshot.Snapshot, path string) int {
	for at := path; ; at = at[:max(strings.LastIndexByte(at, '/'), 0)] {
		for i, d := range s.Directories {
			if d.Path == at && (at == path || !d.Complete) {
				return i
			}
			if d.Path == at {
				return -1
			}
		}
		if at == "" {
			return -1
		}
	}
}

// meaning says, a line each, what a snapshot says of the paths.
func meaning(s *snapshot.Snapshot, paths []string) (lines []string) {
	for _, path := range paths {
		dir := found(s, path)
		if dir < 0 {
			lines = append(lines, fmt.Sprintf("%q does not exist", path))
			continue
		}
		d := s.Directories[dir]
		lines = append(lines, fmt.Sprintf("%q: category %s, complete %t", path, s.Categories[d.Category].Name, d.Complete))
		for _, h := range s.Hosts {
			lines = append(lines, fmt.Sprintf("%q: %s holds it: %t", path, h.Name, h.Has.Has(uint32(dir))))
		}
		if d.Path != path {
			continue
		}
		for f, to := s.Files.In(uint32(dir)); f < to; f++ {
			name := fmt.Sprintf("%q/%q", path, s.Files.Name(f))
			lines = append(lines, name)
			for v, last := s.Files.Versions(f); v < last; v++ {
				if s.Files.Size(v) >= 0 || s.Files.MTime(v) != 0 || s.Files.Kinds(v) != 0 {
					lines = append(lines, fmt.Sprintf("%s: %d %d %x", name, s.Files.Size(v), s.Files.MTime(v), s.Files.Sums(v)))
				}
			}
			for _, h := range s.Files.Lacks(f) {
				lines = append(lines, name+" is lacking on "+s.Hosts[h].Name)
			}
		}
	}
	return lines
}

// same checks that two snapshots say the same.
func same(t *testing.T, want, got *snapshot.Snapshot, text string) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty(),
		cmpopts.IgnoreTypes(snapshot.Files{}, snapshot.Bitmap{}, snapshot.Directory{}),
		cmpopts.IgnoreFields(snapshot.Snapshot{}, "Directories")); d != "" {
		t.Fatalf("(-want +got):\n%s\n%s", d, text)
	}
	var paths []string
	for _, d := range slices.Concat(want.Directories, got.Directories) {
		paths = append(paths, d.Path, strings.TrimPrefix(d.Path+"/unlisted", "/"))
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	if d := cmp.Diff(meaning(want, paths), meaning(got, paths)); d != "" {
		t.Fatalf("(-want +got):\n%s\n%s", d, text)
	}
}

func roundTrip(t *testing.T, want *snapshot.Snapshot) {
	t.Helper()
	text, notes := encode(t, want)
	for _, n := range notes {
		t.Errorf("note: %s", n)
	}
	got, err := catalog.Decode("written.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	same(t, want, got, text)
}

// randomCatalogue is a random file of few paths, so that they meet.
func randomCatalogue(rng *rand.Rand) string {
	one := func(texts ...string) string { return texts[rng.IntN(len(texts))] }
	path := func() string {
		return one("pub/os", "pub/os/a", "pub/os/a/b", "pub/os/c", "pub/os/old", "pub/os/old/x", "pub/os/a/b/d")
	}
	var b strings.Builder
	b.WriteString("categories:\n- {name: os, path: pub/os, policy: {minimum: 3, sticky: true}}\n")
	nested := rng.IntN(2) == 0
	if nested {
		b.WriteString("- {name: 'NO', path: pub/os/old, origin: 'http://o/x'}\n")
	}
	b.WriteString("hosts:\n")
	for i := range 3 {
		fmt.Fprintf(&b, "- name: '%d\"\\'\n  urls: {os: ['http://h%d/os', 'rsync://h%[1]d']", i, i)
		if nested {
			fmt.Fprintf(&b, ", 'NO': 'https://h%d/old'", i)
		}
		fmt.Fprintf(&b, "}\n  asn: %d\n  bandwidth: %d\n  private: %s\n  lacks: [%s, %s]\n", i+1, rng.IntN(3)*100, one("true", "false"), path(), path())
		if rng.IntN(2) == 0 {
			fmt.Fprintf(&b, "  location: {lat: %v, lon: %v}\n", rng.Float64()*90, rng.Float64()*180)
		}
	}
	b.WriteString("files:\n")
	for i := range rng.IntN(3) {
		fmt.Fprintf(&b, "- {path: %s/f%d, size: %d, mtime: 2026-01-02T03:04:05Z, alternates: [{size: 1}], lacks: ['%d\"\\']}\n", path(), i, i, i)
	}
	fmt.Fprintf(&b, "repositories: [{name: r, arch: '1e3', path: %s}]\n", path())
	if rng.IntN(2) == 0 {
		fmt.Fprintf(&b, "complete: [%s]\n", path())
	}
	return b.String()
}

func TestRoundTrip(t *testing.T) {
	roundTrip(t, decode(t, full))
	example, err := os.ReadFile("../../../configs/catalog.yaml")
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, decode(t, string(example)))
	for seed := range uint64(300) {
		roundTrip(t, decode(t, randomCatalogue(rand.New(rand.NewPCG(seed, 1)))))
	}
}

// A host that lacks a directory but holds others below it lacks all files of the
// directory where these are known; elsewhere, a catalogue promises too little.
func TestEncodeNeverPromisesMore(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 2))
		want := decode(t, randomCatalogue(rng))
		for i := range want.Hosts {
			for dir := range want.Directories {
				if rng.IntN(3) == 0 && want.Hosts[i].Has.Has(uint32(dir)) {
					want.Hosts[i].Has[dir/64] &^= 1 << (dir % 64)
				}
			}
		}
		text, _ := encode(t, want)
		got := decode(t, text)
		for dir, d := range got.Directories {
			was := found(want, d.Path)
			for i, h := range got.Hosts {
				held := was >= 0 && want.Hosts[i].Has.Has(uint32(was))
				if h.Has.Has(uint32(dir)) && !held && !lacksAll(got, uint32(dir), uint32(i)) {
					t.Fatalf("seed %d: %s is said to hold %q\n%s", seed, h.Name, d.Path, text)
				}
			}
		}
	}
}

func lacksAll(s *snapshot.Snapshot, dir, host uint32) bool {
	for f, to := s.Files.In(dir); f < to; f++ {
		if !slices.Contains(s.Files.Lacks(f), host) {
			return false
		}
	}
	return s.Directories[dir].Complete
}

func TestEncodeNotes(t *testing.T) {
	s := decode(t, full)
	s.Embargoes = []snapshot.Embargo{{Path: "pub/os/old", LiftAt: encodeTime.Add(1)}, {Path: "pub", LiftAt: encodeTime}}
	s.Hosts[1].ASNs = nil
	s.Hosts[0].Mounts[0].URLs = append(s.Hosts[0].Mounts[0].URLs, "http://user@h/")
	text, notes := encode(t, s)
	if strings.Contains(text, "pub/os/old") || strings.Contains(text, "us1.example.org") || strings.Contains(text, "user@") {
		t.Errorf("what must not be there is there:\n%s", text)
	}
	for _, want := range []string{`"pub/os/old" is under embargo`, `host "us1": left out: it is private`, "1 URLs of"} {
		if !slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, want) }) {
			t.Errorf("no note with %q in %q", want, notes)
		}
	}
}

func TestEncodeFails(t *testing.T) {
	if _, err := catalog.Encode(io.Discard, &snapshot.Snapshot{}, encodeTime); err == nil {
		t.Error("an empty catalogue was written")
	}
	broken := errors.New("disk full")
	if _, err := catalog.Encode(failing{broken}, decode(t, full), encodeTime); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (w failing) Write([]byte) (int, error) { return 0, w.err }
