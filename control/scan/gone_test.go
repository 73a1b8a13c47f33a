package scan

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan/listing"
)

func newScanner(tb testing.TB, c Config) *Scanner {
	tb.Helper()
	s, err := New(c, "pub")
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// TestTopReplaced takes the top away, or puts another in its place, after the
// scan has opened it: as an unmount in mid-scan does.
func TestTopReplaced(t *testing.T) {
	for _, replace := range []bool{false, true} {
		top := filepath.Join(t.TempDir(), "top")
		if err := os.MkdirAll(filepath.Join(top, "a"), 0o755); err != nil {
			t.Fatal(err)
		}
		s := newScanner(t, Config{Category: "c", Type: Directory, Path: top})
		files, err := openContent(top, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err = os.Rename(top, top+"2"); err != nil {
			t.Fatal(err)
		}
		if replace {
			if err = os.Mkdir(top, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		err = s.builder(Request{Now: time.Now()}, &State{}).walk(t.Context(), files)
		if err == nil || !strings.Contains(err.Error(), "top went away") && !strings.Contains(err.Error(), "was replaced") {
			t.Errorf("replaced %v: error %v", replace, err)
		}
		files.close()
	}
}

func TestForgive(t *testing.T) {
	w := &walker{builder: newScanner(t, Config{Category: "c", Type: Directory, Path: "x"}).builder(Request{}, &State{})}
	for _, err := range []error{syscall.EIO, syscall.ESTALE, syscall.ENOTCONN, io.ErrUnexpectedEOF} {
		if w.forgive(&fs.PathError{Op: "lstat", Path: "a", Err: err}, "a") == nil {
			t.Errorf("%v was forgiven", err)
		}
	}
	for _, err := range []error{syscall.ENOENT, syscall.EACCES, syscall.EPERM} {
		if got := w.forgive(&fs.PathError{Op: "lstat", Path: "a", Err: err}, "a"); got != nil {
			t.Errorf("%v was not forgiven", got)
		}
		if w.forgive(&fs.PathError{Op: "lstat", Path: "", Err: err}, "") == nil {
			t.Errorf("%v of the top was forgiven", err)
		}
	}
}

// A brokenDisk fails after the files were listed.
type brokenDisk struct {
	diskContent
	err error
}

func (b *brokenDisk) open(context.Context, string, *registry.File) (io.ReadCloser, fileID, error) {
	return nil, fileID{}, b.err
}

func (b *brokenDisk) stat(string, *registry.File) (fileID, error) { return fileID{}, b.err }

func TestDiskFailsWhileHashing(t *testing.T) {
	s := newScanner(t, Config{Category: "c", Type: Directory, Path: "x"})
	b := s.builder(Request{Now: time.Now()}, &State{})
	tree := &registry.Tree{Directories: []registry.Directory{{Files: []registry.File{{Name: "MD5SUM"}}}}}
	err := newHasher(b, &brokenDisk{err: syscall.EIO}, &State{}, tree).run(t.Context())
	if !errors.Is(err, syscall.EIO) {
		t.Errorf("error %v, want EIO", err)
	}
	h := newHasher(b, &brokenDisk{err: syscall.ENOENT}, &State{}, tree)
	if err = h.run(t.Context()); err != nil || b.report.Withheld[isGone] != 1 {
		t.Errorf("error %v, report %+v", err, b.report)
	}
}

// FuzzBuild builds trees of lists of any kind and looks whether they are in order.
func FuzzBuild(f *testing.F) {
	f.Add("d a\nf a/b\nl a/c b\nf a\nf a/b\nl a/c c\nl x ../..\nf q/r/s\nf .snapshot/x\nd \nu d/e\nd- d\nf d/x")
	f.Add("l a b\nl b a\nl c d/../e\nf e\nl d e\nl g /e\nl h ./e\nl i .")
	s := newScanner(f, Config{Category: "c", Type: Listing, Path: "x", Excludes: []string{"^no"}})
	f.Fuzz(func(t *testing.T, text string) {
		b := s.builder(Request{}, &State{})
		for line := range strings.SplitSeq(text, "\n") {
			if err := b.add(entry(line)); err != nil {
				return
			}
		}
		inOrder(t, b.finish())
	})
}

// entry reads KIND PATH TARGET.
func entry(line string) listing.Entry {
	kind, rest, _ := strings.Cut(line, " ")
	path, target, _ := strings.Cut(rest, " ")
	e := listing.Entry{Path: path, Target: target, Readable: !strings.HasSuffix(kind, "-"), Kind: listing.File}
	switch {
	case strings.HasPrefix(kind, "d"):
		e.Kind = listing.Dir
	case strings.HasPrefix(kind, "l"):
		e.Kind = listing.Link
	case strings.HasPrefix(kind, "u"):
		e.Kind = listing.Other
	}
	return e
}

func inOrder(t *testing.T, tree *registry.Tree) {
	t.Helper()
	readable := map[string]bool{}
	all := map[string]bool{}
	for i, d := range tree.Directories {
		if i > 0 && tree.Directories[i-1].Path >= d.Path {
			t.Errorf("%q stands before %q", tree.Directories[i-1].Path, d.Path)
		}
		parent, _ := listing.Split(d.Path)
		if _, ok := readable[parent]; !ok && d.Path != "" {
			t.Errorf("%q has no parent", d.Path)
		}
		if d.Readable && d.Path != "" && !readable[parent] {
			t.Errorf("%q is readable, its parent is not", d.Path)
		}
		readable[d.Path] = d.Readable
		if all[d.Path] {
			t.Errorf("%q is twice", d.Path)
		}
		all[d.Path] = true
		if !slices.IsSortedFunc(d.Files, func(a, b registry.File) int { return strings.Compare(a.Name, b.Name) }) {
			t.Errorf("files of %q are not sorted", d.Path)
		}
		for _, f := range d.Files {
			path := listing.Join(d.Path, f.Name)
			if all[path] || listing.Flaw(path) != "" || strings.HasPrefix(path, "no") || strings.Contains("/"+path+"/", "/.snapshot/") {
				t.Errorf("%q is twice, flawed or excluded", path)
			}
			all[path] = true
		}
	}
}
