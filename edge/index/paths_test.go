package index

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
)

// TestPathsTwin compares find and findAbove with a map's.
func TestPathsTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		twin := map[string]bool{}
		for range r.IntN(60) {
			twin[randomPath(r)] = true
		}
		var dirs []snapshot.Directory
		for path := range twin {
			dirs = append(dirs, snapshot.Directory{Path: path})
		}
		slices.SortFunc(dirs, func(a, b snapshot.Directory) int { return strings.Compare(a.Path, b.Path) })
		p := compilePaths(&snapshot.Snapshot{Directories: dirs}, time.Time{})
		for range 200 {
			path := randomPath(r)
			dir, ok := p.find([]byte(path))
			if ok != twin[path] || ok && dirs[dir].Path != path {
				t.Fatalf("find(%q) = %d, %v; listed: %v", path, dir, ok, dirs)
			}
			want, wantOK := slowAbove(twin, path)
			dir, ok = p.findAbove([]byte(path))
			if ok != wantOK || ok && dirs[dir].Path != want {
				t.Fatalf("findAbove(%q) = %d, %v, want %q, %v; listed: %v", path, dir, ok, want, wantOK, dirs)
			}
		}
		for i := range dirs {
			if got := string(p.path(uint32(i))); got != dirs[i].Path {
				t.Fatalf("path(%d) = %q, want %q", i, got, dirs[i].Path)
			}
		}
	}
}

// randomPath returns a path of up to four short names; names are prefixes of one another.
func randomPath(r *rand.Rand) string {
	names := make([]string, r.IntN(5))
	for i := range names {
		names[i] = []string{"a", "ab", "b", "ba", "abc"}[r.IntN(5)]
	}
	return strings.Join(names, "/")
}

func slowAbove(listed map[string]bool, path string) (string, bool) {
	for path != "" {
		parts := strings.Split(path, "/")
		path = strings.Join(parts[:len(parts)-1], "/")
		if listed[path] {
			return path, true
		}
	}
	return "", false
}

// findIndex has an enumerated, an open and a nested category and, with root,
// one at the top of everything.
func findIndex(root bool) *Index {
	s := &snapshot.Snapshot{
		Categories: []snapshot.Category{
			{Name: "os", Path: "pub/os"},
			{Name: "list", Path: "pub/list", Enumerated: true},
			{Name: "nested", Path: "pub/os/nested"},
		},
		Directories: []snapshot.Directory{
			{Path: "pub/list", Category: 1},
			{Path: "pub/list/a", Category: 1},
			{Path: "pub/list/a/full", Category: 1, Complete: true},
			{Path: "pub/os", Category: 0},
			{Path: "pub/os/43", Category: 0},
			{Path: "pub/os/full", Category: 0, Complete: true},
			{Path: "pub/os/full/open", Category: 0},
			{Path: "pub/os/nested", Category: 2},
		},
		Hosts: make([]snapshot.Host, 3),
	}
	if root {
		s.Categories = append(s.Categories, snapshot.Category{Name: "root"})
		s.Directories = append([]snapshot.Directory{{Category: 3}}, s.Directories...)
	}
	var b snapshot.FileBuilder
	for dir := range s.Directories {
		switch s.Directories[dir].Path {
		case "pub/os/full":
			b.Add(uint32(dir), "known.iso", nil, []uint32{2})
		case "pub/os/43":
			b.Add(uint32(dir), "known.iso", nil, nil)
		case "":
			b.Add(uint32(dir), "top.txt", nil, nil)
		}
	}
	s.Files = b.Build(len(s.Directories))
	return Compile(Inputs{Snapshot: s})
}

func TestFind(t *testing.T) {
	tests := []struct {
		path     string
		root     bool   // with a category at the top
		want     string // directory, "-" if not found
		category string
		suffix   string
		isDir    bool
		file     bool
	}{
		{path: "pub/os", want: "pub/os", category: "os", isDir: true},
		{path: "pub/os/43", want: "pub/os/43", category: "os", suffix: "43", isDir: true},
		{path: "pub/os/43/known.iso", want: "pub/os/43", category: "os", suffix: "43/known.iso", file: true},
		{path: "pub/os/43/other.iso", want: "pub/os/43", category: "os", suffix: "43/other.iso"},
		{path: "pub/os/43/x/y/z", want: "pub/os/43", category: "os", suffix: "43/x/y/z"},
		{path: "pub/os/file", want: "pub/os", category: "os", suffix: "file"},
		{path: "pub/os/full/known.iso", want: "pub/os/full", category: "os", suffix: "full/known.iso", file: true},
		{path: "pub/os/full/other.iso", want: "-"},
		{path: "pub/os/full/x/other.iso", want: "-"},
		{path: "pub/os/full/open/other.iso", want: "pub/os/full/open", category: "os", suffix: "full/open/other.iso"},
		{path: "pub/os/nested", want: "pub/os/nested", category: "nested", isDir: true},
		{path: "pub/os/nested/f", want: "pub/os/nested", category: "nested", suffix: "f"},
		{path: "pub/os/nested/d/f", want: "pub/os/nested", category: "nested", suffix: "d/f"},
		{path: "pub/os/nestedx/f", want: "pub/os", category: "os", suffix: "nestedx/f"},
		{path: "pub/osx", want: "-"},
		{path: "pub/osx/f", want: "-"},
		{path: "pub/o", want: "-"},
		{path: "pub", want: "-"},
		{path: "", want: "-"},
		{path: "other", want: "-"},
		{path: "pub/list/a/f", want: "pub/list/a", category: "list", suffix: "a/f"},
		{path: "pub/list/a/x/f", want: "-"},
		{path: "pub/list/b/f", want: "-"},
		{path: "pub/list/a/full/f", want: "-"},
		{path: "pub/list/b", want: "pub/list", category: "list", suffix: "b"}, // may be a file

		{path: "", root: true, want: "", category: "root", isDir: true},
		{path: "top.txt", root: true, want: "", category: "root", suffix: "top.txt", file: true},
		{path: "other", root: true, want: "", category: "root", suffix: "other"},
		{path: "other/deep/f", root: true, want: "", category: "root", suffix: "other/deep/f"},
		{path: "pub", root: true, want: "", category: "root", suffix: "pub"},
		{path: "pub/osx/f", root: true, want: "", category: "root", suffix: "pub/osx/f"},
		{path: "pub/os/43", root: true, want: "pub/os/43", category: "os", suffix: "43", isDir: true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s root %v", tt.path, tt.root), func(t *testing.T) {
			ix := findIndex(tt.root)
			got, ok := ix.Find([]byte(tt.path))
			if string(got.Path) != tt.path {
				t.Errorf("Path %q", got.Path)
			}
			if ok != (tt.want != "-") {
				t.Fatalf("found: %v, want %v; %+v", ok, !ok, got)
			}
			if !ok {
				return
			}
			if dir := ix.in.Snapshot.Directories[got.Directory].Path; dir != tt.want {
				t.Errorf("directory %q, want %q", dir, tt.want)
			}
			if name := ix.Category(got.Category).Name; name != tt.category {
				t.Errorf("category %q, want %q", name, tt.category)
			}
			if suffix := string(ix.Suffix(&got)); suffix != tt.suffix {
				t.Errorf("suffix %q, want %q", suffix, tt.suffix)
			}
			if got.IsDir != tt.isDir || got.HasFile != tt.file {
				t.Errorf("IsDir %v, HasFile %v, want %v, %v", got.IsDir, got.HasFile, tt.isDir, tt.file)
			}
			if got.HasFile && string(ix.Files().Name(got.File)) != tt.path[strings.LastIndexByte(tt.path, '/')+1:] {
				t.Errorf("file %q", ix.Files().Name(got.File))
			}
		})
	}
}

// TestLacking: a hole is of one file, and only where the source said so.
func TestLacking(t *testing.T) {
	ix := findIndex(false)
	for path, want := range map[string]bool{"pub/os/full/known.iso": true, "pub/os/43/known.iso": false} {
		got, _ := ix.Find([]byte(path))
		lacking := ix.Lacking(got.File)
		if lacking.Has(2) != want || lacking.Has(0) || lacking.Has(1) {
			t.Errorf("%s: lacked by %b, want host 2: %v", path, lacking, want)
		}
	}
}

// TestNothing compiles a catalogue without anything.
func TestNothing(t *testing.T) {
	ix := Compile(Inputs{Snapshot: &snapshot.Snapshot{}})
	if got, ok := ix.Find([]byte("pub/os")); ok {
		t.Errorf("Find = %+v", got)
	}
	if ix.Hosts() != 0 || ix.Directories() != 0 {
		t.Errorf("%d hosts, %d directories", ix.Hosts(), ix.Directories())
	}
}

func FuzzFind(f *testing.F) {
	for _, path := range []string{"", "/", "pub/os", "pub/os/43/known.iso", "pub//os", "pub/os/", "/pub", "pub/list/a/x"} {
		f.Add(path, true)
	}
	with, without := findIndex(true), findIndex(false)
	f.Fuzz(func(t *testing.T, path string, root bool) {
		ix := without
		if root {
			ix = with
		}
		got, ok := ix.Find([]byte(path))
		if !ok {
			return
		}
		dir := ix.in.Snapshot.Directories[got.Directory]
		if dir.Path != "" && path != dir.Path && !strings.HasPrefix(path, dir.Path+"/") {
			t.Errorf("Find(%q) is in %q", path, dir.Path)
		}
		top := ix.Category(got.Category).Path
		if suffix := ix.Suffix(&got); top != "" && strings.Trim(top+"/"+string(suffix), "/") != strings.Trim(path, "/") {
			t.Errorf("Suffix of %q below %q is %q", path, top, suffix)
		}
	})
}
