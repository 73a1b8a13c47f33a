package snapshot_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waypost/waypost/edge/snapshot"
)

func ExampleFileBuilder() {
	var b snapshot.FileBuilder
	now := snapshot.Version{Size: 3, MTime: 1_700_000_000}
	before := snapshot.Version{Size: 2, MTime: 1_600_000_000}
	b.Add(1, "b.iso", []snapshot.Version{now, before}, []uint32{7}) // host 7 lacks it
	b.Add(1, "a.iso", nil, nil)
	files := b.Build(2)

	file, ok := files.Find(1, []byte("b.iso"))
	from, to := files.Versions(file)
	fmt.Println(ok, files.Size(from), to-from, files.Lacks(file))
	_, ok = files.Find(0, []byte("b.iso"))
	fmt.Println(ok)
	// Output:
	// true 3 2 [7]
	// false
}

// A slowFiles is the obvious twin of snapshot.Files: a map of maps.
type slowFiles map[uint32]map[string]*slowFile

type slowFile struct {
	Versions []snapshot.Version
	Lacks    []uint32
}

func (s slowFiles) add(dir uint32, name string, versions []snapshot.Version, lacks []uint32) {
	if s[dir] == nil {
		s[dir] = map[string]*slowFile{}
	}
	f := s[dir][name]
	if f == nil {
		f = &slowFile{}
		s[dir][name] = f
	}
	f.Versions = append(f.Versions, versions...)
	f.Lacks = append(f.Lacks, lacks...)
}

// slow reads everything out of f that can be read.
func slow(f *snapshot.Files, dirs int) slowFiles {
	s := slowFiles{}
	for dir := range uint32(dirs) {
		from, to := f.In(dir)
		for file := from; file < to; file++ {
			var versions []snapshot.Version
			v, end := f.Versions(file)
			for ; v < end; v++ {
				versions = append(versions, version(f, v))
			}
			s.add(dir, string(f.Name(file)), versions, f.Lacks(file))
		}
	}
	return s
}

func version(f *snapshot.Files, v uint32) snapshot.Version {
	out := snapshot.Version{Size: f.Size(v), MTime: f.MTime(v)}
	for k := range snapshot.HashKinds {
		out.Hashes[k] = f.Hash(v, k)
	}
	return out
}

// randomFiles builds the same random files twice, with repeated names, files
// without versions, every mixture of hashes, and empty directories.
func randomFiles(rng *rand.Rand, dirs, n int) (snapshot.Files, slowFiles) {
	var b snapshot.FileBuilder
	s := slowFiles{}
	for range n {
		dir := rng.Uint32N(uint32(dirs))
		name := strings.Repeat(string(rune('a'+rng.IntN(3))), rng.IntN(4)) + []string{"", ".", ".iso", "é"}[rng.IntN(4)]
		var versions []snapshot.Version
		for range rng.IntN(4) {
			v := snapshot.Version{Size: rng.Int64N(100) - 1, MTime: rng.Int64N(1 << 40)}
			for k := range snapshot.HashKinds {
				if rng.IntN(2) == 0 {
					v.Hashes[k] = randomBytes(rng, k.Size())
				}
			}
			versions = append(versions, v)
		}
		var lacks []uint32
		for range rng.IntN(6) - 3 {
			lacks = append(lacks, rng.Uint32N(100))
		}
		b.Add(dir, name, versions, lacks)
		s.add(dir, name, versions, lacks)
	}
	return b.Build(dirs), s
}

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestFilesAgainstTwin(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 2))
		dirs := 1 + rng.IntN(20)
		files, want := randomFiles(rng, dirs, rng.IntN(100))
		if diff := cmp.Diff(want, slow(&files, dirs), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
		total := 0
		for _, dir := range want {
			total += len(dir)
		}
		if files.Len() != total {
			t.Fatalf("seed %d: Len %d, want %d", seed, files.Len(), total)
		}
		checkFind(t, &files, dirs)
		checkHoles(t, &files)
	}
}

// checkFind compares Find with a linear search, for every name in every directory and for some that are nowhere.
func checkFind(t *testing.T, f *snapshot.Files, dirs int) {
	t.Helper()
	names := []string{"", "\x00", "b", "zz", "é\xff"}
	for file := range uint32(f.Len()) {
		names = append(names, string(f.Name(file)))
	}
	for dir := range uint32(dirs + 2) {
		for _, name := range names {
			got, ok := f.Find(dir, []byte(name))
			want, wantOK := linear(f, dir, name)
			if ok != wantOK || ok && got != want {
				t.Fatalf("Find(%d, %q) = %d, %v; want %d, %v", dir, name, got, ok, want, wantOK)
			}
		}
	}
}

func linear(f *snapshot.Files, dir uint32, name string) (uint32, bool) {
	from, to := f.In(dir)
	for file := from; file < to; file++ {
		if string(f.Name(file)) == name {
			return file, true
		}
	}
	return 0, false
}

// OlderVersion finds all versions but the first by their hash, the newest first,
// and Older what WithOlder was given.
func TestOlder(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 3))
		files, _ := randomFiles(rng, 5, 60)
		older := map[uint32][]snapshot.Holder{}
		for file := range uint32(files.Len()) {
			first, end := files.Versions(file)
			want := map[string]uint32{}
			for v := end; v > first+1; v-- {
				if sum := files.Hash(v-1, snapshot.SHA256); sum != nil {
					want[string(sum)] = v - 1
					older[file] = append(older[file], snapshot.Holder{Host: v, Version: v - 1})
				}
			}
			for v := first; v < end; v++ {
				sum := files.Hash(v, snapshot.SHA256)
				got, ok := files.OlderVersion(file, sum)
				if at, known := want[string(sum)]; ok != known || got != at {
					t.Fatalf("seed %d: OlderVersion(%d, of %d) = %d, %v, want %d, %v", seed, file, v, got, ok, at, known)
				}
			}
			if _, ok := files.OlderVersion(file, nil); ok {
				t.Fatal("an unknown hash was found")
			}
		}
		with := files.WithOlder(older)
		for file := range uint32(files.Len()) {
			if diff := cmp.Diff(older[file], with.Older(file)); diff != "" || files.Older(file) != nil {
				t.Fatalf("Older(%d) (-want +got):\n%s", file, diff)
			}
		}
		if len(older) != len(with.AllOlder()) {
			t.Fatalf("%d files, want %d", len(with.AllOlder()), len(older))
		}
	}
}

func checkHoles(t *testing.T, f *snapshot.Files) {
	t.Helper()
	holes := map[uint32][]uint32{}
	for file := range uint32(f.Len()) {
		if lacks := f.Lacks(file); len(lacks) > 0 {
			holes[file] = lacks
		}
	}
	if diff := cmp.Diff(holes, f.Holes()); diff != "" {
		t.Fatalf("Holes (-want +got):\n%s", diff)
	}
}

// The order in which files are added matters only between those of one name.
func TestBuildOrder(t *testing.T) {
	var forward, backward snapshot.FileBuilder
	for i := range 100 {
		forward.Add(uint32(i/10), fmt.Sprint(i), []snapshot.Version{{Size: int64(i)}}, []uint32{uint32(i)})
		j := 99 - i
		backward.Add(uint32(j/10), fmt.Sprint(j), []snapshot.Version{{Size: int64(j)}}, []uint32{uint32(j)})
	}
	a, b := forward.Build(10), backward.Build(10)
	if diff := cmp.Diff(slow(&a, 10), slow(&b, 10)); diff != "" {
		t.Error(diff)
	}
}

func TestZeroFiles(t *testing.T) {
	var files snapshot.Files
	if _, ok := files.Find(0, []byte("a")); ok || files.Len() != 0 || len(files.Holes()) != 0 {
		t.Error("zero Files hold something")
	}
	built := new(snapshot.FileBuilder).Build(3)
	if _, ok := built.Find(2, nil); ok || built.Len() != 0 {
		t.Error("Files of no file hold something")
	}
}

func TestSetHash(t *testing.T) {
	for k := range snapshot.HashKinds {
		var v snapshot.Version
		text := strings.Repeat("aB", k.Size())
		if err := v.SetHash(k, " "+text+"\n"); err != nil || !bytes.Equal(v.Hashes[k], bytes.Repeat([]byte{0xab}, k.Size())) {
			t.Errorf("%s of %q: %x, %v", k, text, v.Hashes[k], err)
		}
		v = snapshot.Version{}
		if err := v.SetHash(k, ""); err != nil || v.Hashes[k] != nil {
			t.Errorf("%s of nothing: %x, %v", k, v.Hashes[k], err)
		}
		for _, bad := range []string{text[1:], text + "00", strings.Replace(text, "a", "x", 1), "abc"} {
			want := fmt.Sprintf("%s: want %d hexadecimal digits, got %q", k, 2*k.Size(), bad)
			if err := v.SetHash(k, bad); err == nil || err.Error() != want || v.Hashes[k] != nil {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add("a\nb\nb\n\nba", "b")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, lines, name string) {
		var b snapshot.FileBuilder
		names := map[string]bool{}
		for line := range strings.SplitSeq(lines, "\n") {
			b.Add(1, line, nil, nil)
			names[line] = true
		}
		files := b.Build(3)
		file, ok := files.Find(1, []byte(name))
		if ok != names[name] || ok && string(files.Name(file)) != name {
			t.Errorf("Find(%q) = %d, %v", name, file, ok)
		}
		var got []string
		for file := range uint32(files.Len()) {
			got = append(got, string(files.Name(file)))
		}
		if want := slices.Sorted(maps.Keys(names)); !slices.Equal(got, want) {
			t.Errorf("names %q, want %q", got, want)
		}
	})
}
