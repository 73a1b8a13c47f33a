package wire_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
	"github.com/waypost/waypost/geo"
)

func Example() {
	s := &snapshot.Snapshot{
		Version:     wire.NextVersion(0, time.UnixMilli(1_800_000_000_000)),
		Categories:  []snapshot.Category{{Name: "os", Path: "pub/os", Policy: snapshot.Policy{Minimum: 5, Bands: snapshot.AllBands}}},
		Hosts:       []snapshot.Host{{Name: "de1", Has: snapshot.Bitmap{1}}, {Name: "us1", Has: snapshot.Bitmap{1}}},
		Directories: []snapshot.Directory{{Path: "pub/os", Number: 7}},
	}
	sections := map[wire.Hash][]byte{}
	manifest, err := wire.Encode(s, func(h wire.Hash, b []byte) error { sections[h] = b; return nil })
	if err != nil {
		fmt.Println(err)
		return
	}
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	signed, _ := manifest.Sign(private)

	opened, err := wire.Open(signed, []ed25519.PublicKey{private.Public().(ed25519.PublicKey)})
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := wire.Decode(opened, func(h wire.Hash) ([]byte, error) { return sections[h], nil })
	fmt.Println(back.Version, back.Hosts[1].Name, back.Hosts[1].Has.Has(0), err)
	fmt.Println(len(opened.Sections), "sections,", len(sections), "different ones")
	// Output:
	// 1800000000000 us1 true <nil>
	// 8 sections, 7 different ones
}

// published is a snapshot in its published form.
type published struct {
	manifest *wire.Manifest
	sections map[wire.Hash][]byte
}

func (p *published) get(h wire.Hash) ([]byte, error) {
	b, ok := p.sections[h]
	if !ok {
		return nil, fmt.Errorf("it is missing")
	}
	return b, nil
}

func encode(tb testing.TB, s *snapshot.Snapshot) *published {
	tb.Helper()
	p := &published{sections: map[wire.Hash][]byte{}}
	var err error
	p.manifest, err = wire.Encode(s, func(h wire.Hash, b []byte) error { p.sections[h] = b; return nil })
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// random returns a snapshot with all that one can have, and with numbers of
// directories that are neither dense nor in order.
func random(seed uint64) *snapshot.Snapshot {
	rng := rand.New(rand.NewPCG(seed, 'W'))
	c := synth.Small(seed)
	c.Nearest = seed%2 == 0
	s := synth.Snapshot(c)
	number := uint32(rng.IntN(3000))
	for _, i := range rng.Perm(len(s.Directories)) {
		s.Directories[i].Number = number
		number += 1 + uint32(rng.IntN(1+200*rng.IntN(2)))
	}
	s.ContinentOverrides = map[geo.Country]geo.Continent{{'T', 'R'}: {'E', 'U'}, {'C', 'Y'}: {'A', 'S'}}
	s.CountryOverrides = append(s.CountryOverrides, snapshot.CountryOverride{Prefix: netip.MustParsePrefix("2001:db8::/32"), Country: geo.Country{'D', 'E'}})
	s.Embargoes = []snapshot.Embargo{{Path: "pub/cat0/x", LiftAt: time.UnixMilli(1_900_000_000_123).UTC()}}
	s.Created = s.Created.UTC()
	return s
}

// difference compares all of two snapshots.
func difference(a, b *snapshot.Snapshot) string {
	return cmp.Diff(plain(a), plain(b), cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(snapshot.Files{}), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }))
}

type plainSnapshot struct {
	Snapshot snapshot.Snapshot
	Files    []string
}

// plain makes the columns of files and the bitmaps comparable.
func plain(s *snapshot.Snapshot) plainSnapshot {
	p := plainSnapshot{Snapshot: *s}
	p.Snapshot.Files = snapshot.Files{}
	p.Snapshot.Hosts = slices.Clone(s.Hosts)
	for i := range p.Snapshot.Hosts {
		has := slices.Clone(s.Hosts[i].Has)
		for len(has) > 0 && has[len(has)-1] == 0 {
			has = has[:len(has)-1]
		}
		p.Snapshot.Hosts[i].Has = has
	}
	for dir := range uint32(len(s.Directories)) {
		for file, end := s.Files.In(dir); file < end; file++ {
			lacks := slices.Clone(s.Files.Lacks(file))
			slices.Sort(lacks)
			older := slices.Clone(s.Files.Older(file))
			slices.SortFunc(older, func(a, b snapshot.Holder) int { return int(a.Host) - int(b.Host) })
			line := fmt.Sprintf("%d/%s lacks %v, older %v:", dir, s.Files.Name(file), slices.Compact(lacks), older)
			v, last := s.Files.Versions(file)
			for ; v < last; v++ {
				line += fmt.Sprintf(" %d %d %d %x", s.Files.Size(v), s.Files.MTime(v), s.Files.Kinds(v), s.Files.Sums(v))
			}
			p.Files = append(p.Files, line)
		}
	}
	return p
}

func TestRoundTrip(t *testing.T) {
	for seed := range uint64(20) {
		s := random(seed)
		p := encode(t, s)
		back, err := wire.Decode(p.manifest, p.get)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if diff := difference(s, back); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
		again := encode(t, back)
		if diff := cmp.Diff(p.manifest, again.manifest); diff != "" {
			t.Fatalf("seed %d: what was decoded has other bytes (-want +got):\n%s", seed, diff)
		}
	}
}

func TestEmptySnapshot(t *testing.T) {
	p := encode(t, &snapshot.Snapshot{Version: 3, Created: time.UnixMilli(0).UTC()})
	back, err := wire.Decode(p.manifest, p.get)
	if err != nil || back.Version != 3 {
		t.Errorf("got %v, %v", back, err)
	}
}

// changed returns the names of the sections that differ.
func changed(a, b *wire.Manifest) (names []string) {
	old := a.Hashes()
	for i := range b.Sections {
		if !old[b.Sections[i].Hash] {
			names = append(names, strings.TrimSpace(string(b.Sections[i].Kind)+" "+b.Sections[i].Name))
		}
	}
	return names
}

// A change costs the sections that it concerns, and no others.
func TestChangesCostLittle(t *testing.T) {
	tests := []struct {
		name   string
		change func(s *snapshot.Snapshot)
		want   []string
	}{
		{"nothing", func(*snapshot.Snapshot) {}, nil},
		{"a host gets a directory", func(s *snapshot.Snapshot) {
			s.Hosts[3].Has = slices.Clone(s.Hosts[3].Has)
			s.Hosts[3].Has[0] ^= 1
		}, []string{"availability m3.example.org"}},
		{"a host goes down", func(s *snapshot.Snapshot) { s.Hosts[3].Down = !s.Hosts[3].Down }, []string{"hosts"}},
		{"an embargo", func(s *snapshot.Snapshot) { s.Embargoes = nil }, []string{"embargoes"}},
		{"a directory that nobody holds yet", func(s *snapshot.Snapshot) {
			s.Directories = append(s.Directories, snapshot.Directory{Path: "pub/zzz", Number: 1 << 20})
		}, []string{"directories"}},
	}
	for _, tt := range tests {
		s := random(1)
		before := encode(t, s)
		tt.change(s)
		after := encode(t, s)
		if diff := cmp.Diff(tt.want, changed(before.manifest, after.manifest)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestEncodeErrors(t *testing.T) {
	tests := []struct {
		name   string
		change func(s *snapshot.Snapshot)
		want   string
	}{
		{"numbers", func(s *snapshot.Snapshot) { s.Directories[1].Number = s.Directories[0].Number }, "have the same number"},
		{"high number", func(s *snapshot.Snapshot) { s.Directories[1].Number = wire.MaxNumber + 1 }, "want at most"},
		{"names of hosts", func(s *snapshot.Snapshot) { s.Hosts[1].Name = s.Hosts[0].Name }, "host 1: want a name of its own"},
	}
	for _, tt := range tests {
		s := random(1)
		tt.change(s)
		if _, err := wire.Encode(s, func(wire.Hash, []byte) error { return nil }); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
	full := fmt.Errorf("the disk is full")
	if _, err := wire.Encode(random(1), func(wire.Hash, []byte) error { return full }); err == nil || !strings.Contains(err.Error(), full.Error()) {
		t.Errorf("put failed: got %v", err)
	}
}

// What a host holds in an older version costs its own section, and leaves the
// others as they were in format 1.
func TestOlderVersions(t *testing.T) {
	s := random(4)
	older := s.Files.AllOlder()
	s.Files = s.Files.WithOlder(nil)
	before := encode(t, s)
	for file, holders := range older {
		s.Files = s.Files.WithOlder(map[uint32][]snapshot.Holder{file: holders[:1]})
		after := encode(t, s)
		want := []string{"availability " + s.Hosts[holders[0].Host].Name}
		if diff := cmp.Diff(want, changed(before.manifest, after.manifest)); diff != "" {
			t.Errorf("file %d (-want +got):\n%s", file, diff)
		}
	}
	if len(older) == 0 {
		t.Error("no file has older versions")
	}
}

// A version that is not live any more is passed over: the host lacks the file.
func TestVersionIsGone(t *testing.T) {
	build := func(versions ...byte) *snapshot.Snapshot {
		s := &snapshot.Snapshot{
			Categories:  []snapshot.Category{{Name: "os", Policy: snapshot.Policy{Minimum: 5, Bands: snapshot.AllBands}}},
			Hosts:       []snapshot.Host{{Name: "stale", Has: snapshot.Bitmap{1}}},
			Directories: []snapshot.Directory{{Path: "os"}},
		}
		var all []snapshot.Version
		for _, v := range versions {
			version := snapshot.Version{Size: 1}
			version.Hashes[snapshot.SHA256] = bytes.Repeat([]byte{v}, 32)
			all = append(all, version)
		}
		var b snapshot.FileBuilder
		b.Add(0, "repomd.xml", all, []uint32{0})
		s.Files = b.Build(1)
		return s
	}
	held := build(3, 2, 1)
	held.Files = held.Files.WithOlder(map[uint32][]snapshot.Holder{0: {{Host: 0, Version: 2}}})
	old := encode(t, held)
	for _, tt := range []struct {
		name string
		now  *snapshot.Snapshot
		want []snapshot.Holder
	}{
		{"a new version comes", build(4, 3, 2, 1), []snapshot.Holder{{Host: 0, Version: 3}}},
		{"the version ages out", build(4, 3, 2), nil},
		{"there is but one version", build(4), nil},
	} {
		p := encode(t, tt.now)
		at, was := p.each()[wire.Availability], old.each()[wire.Availability]
		p.manifest.Sections[at] = old.manifest.Sections[was]
		p.sections[old.manifest.Sections[was].Hash] = old.sections[old.manifest.Sections[was].Hash]
		back, err := wire.Decode(p.manifest, p.get)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, back.Files.Older(0)); diff != "" || !slices.Equal(back.Files.Lacks(0), []uint32{0}) {
			t.Errorf("%s: lacks %v, older (-want +got):\n%s", tt.name, back.Files.Lacks(0), diff)
		}
	}
}

// Numbers and names that are gone are passed over: sections of hosts outlive
// directories and files.
func TestWhatIsGone(t *testing.T) {
	s := random(2)
	old := encode(t, s)
	less := *s
	less.Directories = slices.Clone(s.Directories[:len(s.Directories)/2])
	less.Files = new(snapshot.FileBuilder).Build(len(less.Directories))
	p := encode(t, &less)
	for i, section := range p.manifest.Sections {
		for _, was := range old.manifest.Sections {
			if section.Kind == wire.Availability && was.Kind == wire.Availability && was.Name == section.Name {
				p.manifest.Sections[i] = was
				p.sections[was.Hash] = old.sections[was.Hash]
			}
		}
	}
	back, err := wire.Decode(p.manifest, p.get)
	if err != nil {
		t.Fatal(err)
	}
	for h := range less.Hosts {
		for dir := range uint32(len(s.Directories)) {
			want := int(dir) < len(less.Directories) && s.Hosts[h].Has.Has(dir)
			if got := back.Hosts[h].Has.Has(dir); got != want {
				t.Fatalf("host %d, directory %d: %t, want %t", h, dir, got, want)
			}
		}
	}
}

func TestNextVersion(t *testing.T) {
	for _, tt := range []struct {
		previous uint64
		now      int64
		want     uint64
	}{{0, 5, 5}, {5, 5, 6}, {9, 5, 10}, {0, -5, 1}} {
		if got := wire.NextVersion(tt.previous, time.UnixMilli(tt.now)); got != tt.want {
			t.Errorf("NextVersion(%d, %d) = %d, want %d", tt.previous, tt.now, got, tt.want)
		}
	}
}

func TestHash(t *testing.T) {
	h := wire.HashOf([]byte("a"))
	if same, err := wire.ParseHash(h.String()); err != nil || same != h {
		t.Errorf("got %v, %v", same, err)
	}
	for _, bad := range []string{"", "ab", strings.ToUpper(h.String()), h.String() + "00", strings.Repeat("x", 64)} {
		if _, err := wire.ParseHash(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestKeys(t *testing.T) {
	key, err := wire.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	back, err := wire.ParsePrivateKey(wire.FormatPrivateKey(key) + "\n")
	if err != nil || !bytes.Equal(back, key) {
		t.Errorf("private key: %v", err)
	}
	public := key.Public().(ed25519.PublicKey)
	if got, err := wire.ParsePublicKey(wire.FormatPublicKey(public)); err != nil || !bytes.Equal(got, public) {
		t.Errorf("public key: %v", err)
	}
	secret := "c2VjcmV0"
	if _, err := wire.ParsePrivateKey(secret); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("short private key: %v", err)
	}
	for _, bad := range []string{"", secret, "???"} {
		if _, err := wire.ParsePublicKey(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
