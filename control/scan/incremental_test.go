package scan_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan"
)

func TestIncremental(t *testing.T) {
	top := newTop(t)
	for i := range 20 {
		put(t, top, fmt.Sprintf("d%d/sub/file", i), "x")
	}
	put(t, top, "d1/sub/MD5SUM", md5x+"  file\n")
	s := scanner(t, scan.Config{Path: top, StatEvery: 1000})
	first := run(t, s, nil)
	again := run(t, s, first.State)
	if diff := cmp.Diff(show(&first.Tree), show(&again.Tree)); diff != "" || again.Report.Reused < 40 {
		t.Errorf("%s reused %d of 41 directories", diff, again.Report.Reused)
	}
	put(t, top, "d3/sub/file", "longer") // in place: is not seen by its directory
	put(t, top, "d1/sub/MD5SUM", "")     // but this is looked at
	put(t, top, "d4/sub/new", "x")
	check(t, os.RemoveAll(filepath.Join(top, "d5")))
	check(t, os.Chmod(filepath.Join(top, "d6"), 0o700))
	third := run(t, s, again.State)
	got := show(&third.Tree)
	for _, want := range []string{"d3/sub/file 1\n", "d4/sub/new 1\n", "d6/!\n", "d6/sub/!\n", "d1/sub/file 1\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "d5/") || third.Report.Reused < 30 {
		t.Errorf("reused %d\n%s", third.Report.Reused, got)
	}
	full, err := s.Scan(t.Context(), scan.Request{Last: third.State, Now: long(), Full: true})
	check(t, err)
	if got = show(&full.Tree); !strings.Contains(got, "d3/sub/file 6\n") || full.Report.Reused != 0 {
		t.Errorf("a full scan missed a file written in place:\n%s", got)
	}
}

// TestEachFileIsLookedAt makes sure that what is rewritten in place is seen
// after StatEvery scans at the latest.
func TestEachFileIsLookedAt(t *testing.T) {
	top := newTop(t)
	for i := range 30 {
		put(t, top, fmt.Sprintf("d%d/file", i), "x")
	}
	s := scanner(t, scan.Config{Path: top, StatEvery: 5})
	r := run(t, s, nil)
	for i := range 30 {
		put(t, top, fmt.Sprintf("d%d/file", i), "longer")
	}
	seen := []int{}
	for range 5 {
		r = run(t, s, r.State)
		seen = append(seen, strings.Count(show(&r.Tree), " 6\n"))
	}
	if seen[4] != 30 || seen[0] > 20 {
		t.Errorf("saw %v of 30 files, want all after 5 scans and few in the first", seen)
	}
}

// TestIncrementalTwin changes a tree at random, without writing in place, and
// compares each incremental scan with a first one.
func TestIncrementalTwin(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	top := newTop(t)
	s := scanner(t, scan.Config{Path: top, StatEvery: 1000})
	var last *scan.State
	for round := range 30 {
		for range 5 {
			path := fmt.Sprintf("d%d/e%d/f%d", random.IntN(3), random.IntN(3), random.IntN(4))
			switch random.IntN(5) {
			case 0:
				check(t, os.RemoveAll(filepath.Join(top, path)))
			case 1:
				check(t, os.RemoveAll(filepath.Join(top, filepath.Dir(path))))
			case 2:
				_ = os.Symlink("f0", filepath.Join(top, path))
			default:
				check(t, os.RemoveAll(filepath.Join(top, path)))
				put(t, top, path, strings.Repeat("x", random.IntN(9)))
			}
		}
		r := run(t, s, last)
		last = r.State
		if diff := cmp.Diff(show(&run(t, s, nil).Tree), show(&r.Tree)); diff != "" {
			t.Fatalf("round %d: %s", round, diff)
		}
	}
}

func TestCompare(t *testing.T) {
	dir := func(path string, readable bool, names ...string) registry.Directory {
		d := registry.Directory{Path: path, Readable: readable}
		for _, name := range names {
			d.Files = append(d.Files, registry.File{Name: name, Size: int64(len(path))})
		}
		return d
	}
	old := &registry.Tree{Directories: []registry.Directory{dir("", true, "a", "b"), dir("x", true, "a"), dir("y", true, "a")}}
	now := &registry.Tree{Directories: []registry.Directory{dir("", true, "b", "c"), dir("w", true, "a"), dir("x", false, "a")}}
	want := scan.Change{OldDirectories: 3, OldFiles: 4, LostDirectories: 1, LostFiles: 2, Closed: 1}
	got := scan.Compare(old, now)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if loss := got.Loss(); loss < 0.66 || loss > 0.67 {
		t.Errorf("loss %f, want two thirds of the directories", loss)
	}
	if loss := scan.Compare(old, &registry.Tree{}).Loss(); loss != 1 {
		t.Errorf("loss of all is %f", loss)
	}
	if loss := scan.Compare(&registry.Tree{}, now).Loss(); loss != 0 {
		t.Errorf("loss of nothing is %f", loss)
	}
}

// BenchmarkUnchanged asks how long a scan of an unchanged tree of 500,000
// files takes, and the first one of it. Set SCAN_FILES for another number.
func BenchmarkUnchanged(b *testing.B) {
	files := 500_000
	if text := os.Getenv("SCAN_FILES"); text != "" {
		_, err := fmt.Sscan(text, &files)
		check(b, err)
	} else if testing.Short() {
		b.Skip("makes 500,000 files")
	}
	top := newTop(b)
	const inOne = 100
	for i := range files / inOne {
		dir := filepath.Join(top, fmt.Sprintf("p%d/d%d", i%50, i))
		check(b, os.MkdirAll(dir, 0o755))
		for k := range inOne {
			check(b, os.WriteFile(filepath.Join(dir, fmt.Sprintf("package-%d-1.2.3-%d.fc43.x86_64.rpm", k, i)), nil, 0o644))
		}
	}
	s := scanner(b, scan.Config{Path: top})
	first := run(b, s, nil)
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			run(b, s, nil)
		}
	})
	b.Run("unchanged", func(b *testing.B) {
		state := first.State
		for b.Loop() {
			state = run(b, s, state).State
		}
	})
	b.Run("compare", func(b *testing.B) {
		for b.Loop() {
			scan.Compare(&first.Tree, &first.Tree)
		}
	})
}

// BenchmarkMillionInOne asks how long one directory of a million files takes, and
// how much memory.
func BenchmarkMillionInOne(b *testing.B) {
	if testing.Short() {
		b.Skip("makes 1,000,000 files")
	}
	top := newTop(b)
	for i := range 1_000_000 {
		check(b, os.WriteFile(filepath.Join(top, fmt.Sprintf("file-%d", i)), nil, 0o644))
	}
	s := scanner(b, scan.Config{Path: top})
	before := heap()
	first := run(b, s, nil)
	b.Logf("%d MiB", (heap()-before)>>20)
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			run(b, s, nil)
		}
	})
	b.Run("unchanged", func(b *testing.B) {
		for b.Loop() {
			run(b, s, first.State)
		}
	})
}

// BenchmarkSavedState asks what it takes to keep the state of 500,000 files, and
// to read it after a restart.
func BenchmarkSavedState(b *testing.B) {
	top := newTop(b)
	for i := range 5000 {
		dir := filepath.Join(top, fmt.Sprintf("p%d/d%d", i%50, i))
		check(b, os.MkdirAll(dir, 0o755))
		for k := range 100 {
			check(b, os.WriteFile(filepath.Join(dir, fmt.Sprintf("package-%d-1.2.3-%d.fc43.x86_64.rpm", k, i)), nil, 0o644))
		}
	}
	s := scanner(b, scan.Config{Path: top})
	first := run(b, s, nil)
	data, err := first.State.MarshalBinary()
	check(b, err)
	b.Run("save", func(b *testing.B) {
		for b.Loop() {
			_, err = first.State.MarshalBinary()
			check(b, err)
		}
		b.ReportMetric(float64(len(data)), "bytes")
	})
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			check(b, new(scan.State).UnmarshalBinary(data))
		}
	})
	b.Run("unchanged after a restart", func(b *testing.B) {
		for b.Loop() {
			state := new(scan.State)
			check(b, state.UnmarshalBinary(data))
			run(b, s, state)
		}
	})
}

// A list of a million files in one directory becomes a tree in bounded time.
func TestMillionInOne(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second or two")
	}
	list := filepath.Join(t.TempDir(), "list")
	var text bytes.Buffer
	for i := range 1_000_000 {
		fmt.Fprintf(&text, "-rw-r--r-- 1 2026/01/02 03:04:05 one/file-%d\n", i)
	}
	check(t, os.WriteFile(list, text.Bytes(), 0o600))
	r := run(t, scanner(t, scan.Config{Type: scan.Listing, Path: list}), nil)
	if n := len(r.Tree.Directories[1].Files); n != 1_000_000 {
		t.Errorf("%d files", n)
	}
}

// BenchmarkListing asks how long a list takes to become a tree, and how much
// memory the tree and its state keep, a file.
func BenchmarkListing(b *testing.B) {
	const files, inOne = 200_000, 100
	var text strings.Builder
	text.WriteString("drwxr-xr-x 4096 2026/01/02 03:04:05 .\n")
	for i := range files / inOne {
		fmt.Fprintf(&text, "drwxr-xr-x 4096 2026/01/02 03:04:05 releases/%d/Packages\n", i)
		for k := range inOne {
			fmt.Fprintf(&text, "-rw-r--r-- 123456 2026/01/02 03:04:05 releases/%d/Packages/package-%d-1.2.3-4.fc43.x86_64.rpm\n", i, k)
		}
	}
	list := filepath.Join(b.TempDir(), "list")
	check(b, os.WriteFile(list, []byte(text.String()), 0o600))
	text.Reset()
	s := scanner(b, scan.Config{Type: scan.Listing, Path: list})
	before := heap()
	r := run(b, s, nil)
	b.Logf("%d bytes a file", (heap()-before)/files)
	for b.Loop() {
		r = run(b, s, r.State)
	}
	b.ReportMetric(float64(b.N)*files/b.Elapsed().Seconds(), "files/s")
}

// heap returns how much memory is in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
