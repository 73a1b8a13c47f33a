package crawl_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/waypost/waypost/control/crawl"
	"github.com/waypost/waypost/control/registry"
)

// large makes a tree of dirs × 100 empty files.
func large(tb testing.TB, dirs int) (root string, t *registry.Tree) {
	tb.Helper()
	root = tb.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		tb.Fatal(err)
	}
	t = &registry.Tree{Directories: []registry.Directory{{Readable: true}}}
	for d := range dirs {
		dir := registry.Directory{Path: fmt.Sprintf("d%04d", d), Readable: true}
		if err := os.Mkdir(filepath.Join(root, dir.Path), 0o755); err != nil {
			tb.Fatal(err)
		}
		for f := range 100 {
			name := fmt.Sprintf("package-with-a-usual-name-%02d.x86_64.rpm", f)
			if err := os.WriteFile(filepath.Join(root, dir.Path, name), nil, 0o644); err != nil {
				tb.Fatal(err)
			}
			dir.Files = append(dir.Files, registry.File{Name: name, Changed: time.Now().Unix()})
		}
		t.Directories = append(t.Directories, dir)
	}
	return root, t
}

// How long does one host with 100,000 files take, listed by rsync?
func BenchmarkCrawl(b *testing.B) {
	root, tree := large(b, 1000)
	u := rsyncd(b, root)
	l := quick()
	l.Contents = -1
	for b.Loop() {
		_, r, err := crawl.Crawl(b.Context(), job(tree, u), l)
		if err != nil || r.Directories.Held != len(tree.Directories) {
			b.Fatalf("%v %+v", err, r)
		}
	}
	b.ReportMetric(100_000*float64(b.N)/b.Elapsed().Seconds(), "files/s")
}
