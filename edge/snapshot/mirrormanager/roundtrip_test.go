package mirrormanager_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/mirrormanager"
	"github.com/waypost/waypost/geo"
)

var roundTime = time.Unix(1_700_000_000, 0).UTC()

func encode(t *testing.T, s *snapshot.Snapshot) ([]byte, mirrormanager.Report) {
	t.Helper()
	var b bytes.Buffer
	report, err := mirrormanager.Encode(&b, s, roundTime)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), report
}

// answers is what a snapshot can be asked for, a line each, as plain as can be:
// what two snapshots that give the same answers have in common.
func answers(s *snapshot.Snapshot) []string {
	lines := []string{fmt.Sprint("time ", s.Created.Unix())}
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, h := range s.Hosts {
		if h.Down {
			continue
		}
		asns := slices.Concat(h.ASNs, h.PeerASNs)
		slices.Sort(asns)
		add("host %d %s %d %v %v %v", h.ID, h.Country, max(h.Bandwidth, 1), slices.Compact(asns), h.Netblocks, h.Allowed)
		for dir, d := range s.Directories {
			if h.Has.Has(uint32(dir)) {
				add("host %d private %t in %q: %q", h.ID, h.Private, d.Path, mounted(h, d.Category))
			}
		}
	}
	for dir, d := range s.Directories {
		add("directory %q below %q", d.Path, s.Categories[d.Category].Path)
		for file, to := s.Files.In(uint32(dir)); file < to; file++ {
			add("file %q/%q", d.Path, s.Files.Name(file))
			for v, last := s.Files.Versions(file); v < last; v++ {
				add("file %q/%q: %d %d %x", d.Path, s.Files.Name(file), max(s.Files.Size(v), 0), s.Files.MTime(v), s.Files.Sums(v))
			}
		}
	}
	for _, r := range s.Repositories {
		add("repository %v", r)
	}
	for from, to := range s.RepositoryRedirects {
		add("redirect %s %s", from, to)
	}
	for name, off := range s.Disabled {
		add("disabled %s %t", name, off)
	}
	for _, o := range s.CountryOverrides {
		add("netblock %s %s", o.Prefix, o.Country)
	}
	for c, k := range s.ContinentOverrides {
		add("continent %s %s", c, k)
	}
	slices.Sort(lines)
	return lines
}

func compare(t *testing.T, what string, want, got *snapshot.Snapshot) {
	t.Helper()
	if d := cmp.Diff(answers(want), answers(got)); d != "" {
		t.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

// What was read from a cache is written as a cache that gives the same answers,
// and a second time as the very same bytes.
func TestRoundTripOfCaches(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 2))
		for what, data := range map[string][]byte{"model": randomModel(rng).encode(rng), "F": join(fixtureF())} {
			first, _ := decode(t, data)
			written, _ := encode(t, first)
			second, _ := decode(t, written)
			compare(t, fmt.Sprintf("%s, seed %d", what, seed), first, second)
			again, _ := encode(t, second)
			third, _ := decode(t, again)
			compare(t, fmt.Sprintf("%s, seed %d, again", what, seed), second, third)
			if last, _ := encode(t, third); what == "F" && !bytes.Equal(last, again) {
				t.Fatalf("seed %d: other bytes", seed)
			}
		}
	}
}

// randomSnapshot is one as a control plane publishes it.
func randomSnapshot(rng *rand.Rand) *snapshot.Snapshot {
	s := &snapshot.Snapshot{
		Created:             roundTime,
		RepositoryRedirects: map[string]string{"a": "b"}, Disabled: map[string]bool{"off": true},
		Repositories:       []snapshot.Repository{{Name: "os-c++", Arch: "x86_64", Path: "pub/os/d1"}},
		CountryOverrides:   []snapshot.CountryOverride{{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Country: code("JP")}},
		ContinentOverrides: map[geo.Country]geo.Continent{code("IL"): {'E', 'U'}, code("XK"): {}},
		Categories: []snapshot.Category{
			{Name: "os", Path: "pub/os", Enumerated: true}, {Name: "all", Path: "", Enumerated: true},
		},
	}
	var files snapshot.FileBuilder
	for i := range 20 {
		category := uint32(i % 2)
		path := fmt.Sprintf("%s/d%02d", []string{"pub/os", "other"}[category], i/2)
		s.Directories = append(s.Directories, snapshot.Directory{Path: path, Category: category})
	}
	slices.SortFunc(s.Directories, func(x, y snapshot.Directory) int { return strings.Compare(x.Path, y.Path) })
	for dir := range s.Directories {
		for i := range rng.IntN(3) {
			v := snapshot.Version{Size: int64(rng.IntN(100)) - 1, MTime: int64(rng.IntN(100))}
			if rng.IntN(2) == 0 {
				v.Hashes[snapshot.SHA256] = make([]byte, 32)
				v.Hashes[snapshot.MD5] = make([]byte, 16)
			}
			files.Add(uint32(dir), fmt.Sprint("f", i), []snapshot.Version{v, {Size: 7}}, nil)
		}
	}
	s.Files = files.Build(len(s.Directories))
	for id := range int64(12) {
		h := snapshot.Host{
			Name: fmt.Sprint("h", id), ID: id + 1, Bandwidth: uint32(rng.IntN(3)) * 100, Private: rng.IntN(4) == 0, Down: rng.IntN(8) == 0,
			ASNs: []uint32{uint32(id%3) + 1}, PeerASNs: []uint32{uint32(id%4) + 1},
			Netblocks: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(id % 5)}), 16)},
			Mounts:    []snapshot.Mount{{Category: 0, URLs: []string{fmt.Sprintf("https://h%d/os", id)}}, {Category: 1}},
		}
		if id%3 > 0 {
			h.Country = []geo.Country{code("DE"), code("US")}[id%2]
			h.Mounts[1].URLs = []string{fmt.Sprintf("https://h%d/os", id), fmt.Sprintf("rsync://h%d", id)}
		}
		h.Has.Add(uint32(id)) // something, so that a private host is known as one
		for dir := range s.Directories {
			if rng.IntN(3) > 0 {
				h.Has.Add(uint32(dir))
			}
		}
		s.Hosts = append(s.Hosts, h)
	}
	return s
}

func TestRoundTripOfSnapshots(t *testing.T) {
	for seed := range uint64(100) {
		want := randomSnapshot(rand.New(rand.NewPCG(seed, 3)))
		data, _ := encode(t, want)
		got, _ := decode(t, data)
		compare(t, fmt.Sprint("seed ", seed), want, got)
	}
}

// What a cache cannot say is said in the report.
func TestEncodeReport(t *testing.T) {
	s := randomSnapshot(rand.New(rand.NewPCG(1, 4)))
	s.Hosts = s.Hosts[:4]
	for i := range s.Hosts {
		s.Hosts[i].Down, s.Hosts[i].Private, s.Hosts[i].ID = false, false, 0
		s.Hosts[i].PeerASNs, s.Hosts[i].Bandwidth = nil, 10
	}
	s.Hosts[1].Excluded = []geo.Country{code("KP")}
	s.Hosts[2].Allowed, s.Hosts[2].Excluded = []geo.Country{code("DE"), code("KP")}, []geo.Country{code("KP")}
	s.Hosts[3].Allowed, s.Hosts[3].Excluded = []geo.Country{code("KP")}, []geo.Country{code("KP")}
	s.Embargoes = []snapshot.Embargo{
		{Path: "pub/os/d01", LiftAt: roundTime.Add(time.Hour)}, {Path: "pub", LiftAt: roundTime}, {Path: "pub/os/d1", LiftAt: roundTime.Add(1)},
	}
	s.Categories[0].Enumerated, s.Categories[0].Origin = false, "https://o.example.org"
	data, report := encode(t, s)
	want := []string{
		"1 × category whose directories are not all known: only the known ones can be asked for: \"os\"",
		"1 × origin of a category left out: \"os\"",
		"4 × host got a new number: it had none of its own: h0: 1, h1: 2, h2: 3, h3: 4",
		"1 × repository under embargo left out: \"os-c+++x86_64\"",
		"2 × excluded countries of a host became a list of all others, without clients of no known country: h1, h2",
		"1 × host left out: it is down or serves no country: h3",
		"1 × directory under embargo left out: \"pub/os/d01\"",
	}
	lines := strings.Split(report.String(), "\n")
	if d := cmp.Diff(want, lines[1:]); d != "" {
		t.Errorf("report (-want +got):\n%s", d)
	}
	if bytes.Contains(data, []byte("pub/os/d01")) || bytes.Contains(data, []byte("https://h3/os")) {
		t.Error("what must not be known yet, or a host that serves nobody, is in the cache")
	}
	got, _ := decode(t, data)
	if allowed := got.Hosts[1].Allowed; len(allowed) < 200 || slices.Contains(allowed, code("KP")) || !slices.Contains(allowed, code("DE")) {
		t.Errorf("h1 serves %v", allowed)
	}
	if d := cmp.Diff([]geo.Country{code("DE")}, got.Hosts[2].Allowed); d != "" {
		t.Error(d)
	}
}

func TestEncodeFails(t *testing.T) {
	if _, err := mirrormanager.Encode(io.Discard, &snapshot.Snapshot{}, roundTime); err == nil {
		t.Error("a cache from which no server starts was written")
	}
	broken := errors.New("disk full")
	s := randomSnapshot(rand.New(rand.NewPCG(1, 5)))
	if _, err := mirrormanager.Encode(failingWriter{broken}, s, roundTime); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
