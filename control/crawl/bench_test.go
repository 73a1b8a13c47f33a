package crawl_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/control/crawl"
	"github.com/waypost/waypost/control/crawl/pace"
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

// How long do 50 such hosts take, four at a time, and how much memory? It is
// the goal of issue 3: five minutes on two cores.
func BenchmarkFiftyHosts(b *testing.B) {
	root, tree := large(b, 1000)
	u := rsyncd(b, root)
	l := quick()
	l.Contents, l.Shared, l.Connections = -1, pace.New(pace.Limits{Hosts: 4}), 50
	for b.Loop() {
		g := errgroup.Group{}
		for range 50 {
			g.Go(func() error {
				_, r, err := crawl.Crawl(b.Context(), job(tree, u), l)
				if err == nil && r.Directories.Held != len(tree.Directories) {
					err = fmt.Errorf("%+v", r)
				}
				return err
			})
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapSys)/(1<<20), "heap-MiB")
}
