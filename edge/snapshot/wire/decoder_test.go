package wire_test

import (
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// A snapshot of format 1, as the program of that time left it on disk, is read
// as it was meant, without its zones; signed anew, it is one of the present
// format.
func TestFormer(t *testing.T) {
	store, err := wire.OpenStore(filepath.Join("testdata", "format1"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := store.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if m, _, bad := wire.OpenUnverified(b); bad != nil || m.Version != 7 {
		t.Fatalf("unverified: %v", bad)
	}
	m, err := wire.Open(b, public(key(0)))
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.Sign(key(1))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(again), "waypost snapshot 2\n") {
		t.Errorf("signed anew: %.40q", again)
	}
	rolledBack, err := wire.Open(again, public(key(1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, manifest := range []*wire.Manifest{m, rolledBack} {
		s, err := wire.Decode(manifest, store.Section)
		if err != nil {
			t.Fatal(err)
		}
		file, ok := s.Files.Find(1, []byte("repomd.xml"))
		if s.Version != 7 || len(s.Hosts) != 2 || !ok || !slices.Equal(s.Files.Lacks(file), []uint32{0}) || s.Files.Older(file) != nil {
			t.Errorf("got %+v", s)
		}
		if _, ok := s.Files.OlderVersion(file, make([]byte, 32)); !ok || !s.Hosts[0].Has.Has(1) || s.Hosts[1].Has.Has(1) {
			t.Errorf("got %+v", s)
		}
	}
}

// changes returns changes of a snapshot, each of which keeps much of it.
func changes() []func(*rand.Rand, *snapshot.Snapshot) {
	return []func(*rand.Rand, *snapshot.Snapshot){
		func(*rand.Rand, *snapshot.Snapshot) {}, // nothing
		func(r *rand.Rand, s *snapshot.Snapshot) { // a host gets or loses directories
			h := &s.Hosts[r.IntN(len(s.Hosts))]
			h.Has = slices.Clone(h.Has)
			h.Has[r.IntN(len(h.Has))] ^= r.Uint64()
			h.Has[len(h.Has)-1] &= 1<<(len(s.Directories)%64) - 1
		},
		func(r *rand.Rand, s *snapshot.Snapshot) { // hosts change places
			i, k := r.IntN(len(s.Hosts)), r.IntN(len(s.Hosts))
			s.Hosts[i].Has, s.Hosts[k].Has = s.Hosts[k].Has, s.Hosts[i].Has
		},
		func(r *rand.Rand, s *snapshot.Snapshot) { // a hole closes
			lacks, older := maps.Clone(s.Files.Holes()), maps.Clone(s.Files.AllOlder())
			for file := range lacks {
				if r.IntN(4) == 0 {
					delete(lacks, file)
					delete(older, file)
				}
			}
			s.Files = s.Files.WithHoles(lacks)
			s.Files = s.Files.WithOlder(older)
		},
		func(r *rand.Rand, s *snapshot.Snapshot) { // a file of one block changes
			rebuild(s, r.IntN(s.Files.Len()), nil)
		},
		func(r *rand.Rand, s *snapshot.Snapshot) { // a directory comes, in a block that is there
			number := uint32(0)
			for _, d := range s.Directories {
				number = max(number, d.Number+1)
			}
			s.Directories = append(slices.Clip(s.Directories), snapshot.Directory{Path: "pub/zz" + strings.Repeat("z", r.IntN(9)), Number: number})
			slices.SortFunc(s.Directories, func(a, b snapshot.Directory) int { return strings.Compare(a.Path, b.Path) })
			s.Directories = slices.CompactFunc(s.Directories, func(a, b snapshot.Directory) bool { return a.Path == b.Path })
			rebuild(s, -1, nil)
		},
		func(_ *rand.Rand, s *snapshot.Snapshot) { // the last directory goes
			gone := uint32(len(s.Directories) - 1)
			s.Directories = s.Directories[:gone]
			rebuild(s, -1, &gone)
			for i := range s.Hosts {
				h := &s.Hosts[i]
				h.Has = slices.Clone(h.Has)
				if int(gone/64) < len(h.Has) {
					h.Has[gone/64] &^= 1 << (gone % 64)
				}
			}
		},
		func(r *rand.Rand, s *snapshot.Snapshot) { // a host goes
			at := r.IntN(len(s.Hosts))
			s.Hosts = slices.Delete(slices.Clone(s.Hosts), at, at+1)
			s.Files = s.Files.WithHoles(nil)
			s.Files = s.Files.WithOlder(nil)
		},
		func(_ *rand.Rand, s *snapshot.Snapshot) { // categories change alone
			s.Categories = slices.Clone(s.Categories)
			s.Categories[0].Origin = "https://other.example.org/" + s.Categories[0].Path
		},
	}
}

// rebuild copies the files into columns of their own: with another version of
// one, and without those of a directory that is gone, or for one directory more.
func rebuild(s *snapshot.Snapshot, change int, gone *uint32) {
	var b snapshot.FileBuilder
	old := s.Files
	last := uint32(0)
	for dir := uint32(0); int(last) < old.Len(); dir++ {
		for file, end := old.In(dir); file < end; file++ {
			last = file + 1
			if gone != nil && dir == *gone {
				continue
			}
			versions := []snapshot.Version{}
			for v, to := old.Versions(file); v < to; v++ {
				version := snapshot.Version{Size: old.Size(v), MTime: old.MTime(v)}
				version.Hashes[snapshot.SHA256] = old.Hash(v, snapshot.SHA256)
				if int(file) == change {
					version.Size++
				}
				versions = append(versions, version)
			}
			b.Add(dir, string(old.Name(file)), versions, nil)
		}
	}
	s.Files = b.Build(len(s.Directories))
	if gone == nil { // files have the numbers that they had
		s.Files = s.Files.WithHoles(old.Holes())
		s.Files = s.Files.WithOlder(old.AllOlder())
	}
}

// One decoder for a history gives what a fresh one gives for each snapshot, and
// goes on with the last good one after a bad one.
func TestDecoder(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 'D'))
		s := random(seed)
		var d wire.Decoder
		all := changes()
		for step := range 25 {
			next := *s
			next.Version = uint64(step)
			next.Hosts = slices.Clone(s.Hosts)
			which := rng.IntN(len(all))
			all[which](rng, &next)
			s = &next
			p := encode(t, s)
			bad := *p.manifest
			bad.Sections = slices.Clone(bad.Sections[1:])
			if _, err := d.Decode(&bad, p.get); err == nil {
				t.Fatal("a manifest without categories was taken")
			}
			got, err := d.Decode(p.manifest, p.get)
			if err != nil {
				t.Fatalf("seed %d, step %d, change %d: %v", seed, step, which, err)
			}
			want, err := wire.Decode(p.manifest, p.get)
			if err != nil {
				t.Fatal(err)
			}
			if diff := difference(want, got); diff != "" {
				t.Fatalf("seed %d, step %d, change %d (-want +got):\n%s", seed, step, which, diff)
			}
		}
	}
}

// One host's change costs its section and the small ones.
func TestDecoderReadsLittle(t *testing.T) {
	s := random(1)
	var d wire.Decoder
	first := encode(t, s)
	if _, err := d.Decode(first.manifest, first.get); err != nil {
		t.Fatal(err)
	}
	s.Hosts[3].Has = slices.Clone(s.Hosts[3].Has)
	s.Hosts[3].Has[0] ^= 1
	p := encode(t, s)
	kinds := map[wire.Hash]wire.Kind{}
	for _, section := range p.manifest.Sections {
		kinds[section.Hash] = section.Kind
	}
	var read []string
	_, err := d.Decode(p.manifest, func(h wire.Hash) ([]byte, error) {
		read = append(read, string(kinds[h]))
		return p.get(h)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"categories", "hosts", "repositories", "overrides", "embargoes", "availability"}
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}
