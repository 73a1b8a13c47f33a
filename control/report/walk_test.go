package report

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree makes directories and returns where.
func tree(tb testing.TB, directories ...string) string {
	tb.Helper()
	root := tb.TempDir()
	for _, d := range directories {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	return root
}

func TestWalk(t *testing.T) {
	var want []directory
	directories := []string{""}
	for i := range 20 {
		for _, sub := range []string{"", "/x", "/x/y", "/z"} {
			directories = append(directories, fmt.Sprintf("%02d%s", i, sub))
		}
	}
	for _, d := range directories {
		want = append(want, directory{path: d})
	}
	root := tree(t, append(directories, "05/left.out/below")...)
	if err := os.Symlink("..", filepath.Join(root, "00/loop")); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(root, link); err != nil {
		t.Fatal(err)
	}
	for _, jobs := range []int{1, 3, 50} {
		for _, top := range []string{root, root + "/", link} {
			w := walker{root: top, jobs: jobs, exclude: []string{"/left.out/"}}
			if err := w.walk(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, w.found, cmp.AllowUnexported(directory{})); diff != "" {
				t.Errorf("%s with %d jobs: want -, got +:\n%s", top, jobs, diff)
			}
		}
	}
}

func TestWalkStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := walker{root: tree(t, "a"), jobs: 2}
	if err := w.walk(ctx); err == nil {
		t.Error("a walk went on that was cancelled")
	}
}

// TestRows: who may read is marked, links are, other things are not listed.
func TestRows(t *testing.T) {
	root := tree(t, "open", "closed/below")
	for _, name := range []string{"open/a", "open/b", "closed/c", "closed/below/d"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte("12"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"open/b": 0o600, "closed": 0o700} {
		if err := os.Chmod(filepath.Join(root, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a", filepath.Join(root, "open/link")); err != nil {
		t.Fatal(err)
	}
	w := walker{root: root, files: true, jobs: 2}
	if err := w.walk(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range w.found {
		for row := range strings.Lines(string(d.rows)) {
			f := strings.Split(strings.TrimSuffix(row, "\n"), "\t")
			if strings.Contains(f[1], "d") || f[1] == "l" {
				f[2] = "" // sizes of these mean nothing
			}
			got = append(got, strings.Join(f[1:], " "))
		}
	}
	want := []string{"d-  closed", "d  open", "d*  closed/below", "f* 2 closed/c", "f* 2 closed/below/d", "f 2 open/a", "f- 2 open/b", "l  open/link"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("want -, got +:\n" + diff)
	}
}
