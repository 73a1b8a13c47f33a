package service

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

// crowd returns a service with hosts that carry categories, none of which was
// crawled; each category has 1/20 of 200,000 directories and 2,000,000 files, and
// of its metadata several versions.
func crowd(tb testing.TB, hosts, categories, metadata int) *Service {
	tb.Helper()
	s, err := New(tb.Context(), Config{
		DataDir: tb.TempDir(), Listen: netip.MustParseAddrPort("127.0.0.1:0"),
		Database: "sqlite:" + filepath.Join(tb.TempDir(), "control.db"), SigningKeyFile: filepath.Join(tb.TempDir(), "snapshot.key"),
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.store.Close() })
	on := registry.Activity{AdminActive: true, UserActive: true}
	changes := []store.Change{store.Put(&registry.Site{Name: "s", State: registry.Approved, Activity: on}, store.New)}
	for c := range categories {
		changes = append(changes, store.Put(&registry.Category{Name: fmt.Sprint("c", c), Path: fmt.Sprint("pub/", c)}, store.New))
	}
	for h := range hosts {
		host := &registry.Host{Site: "s", Name: fmt.Sprint("h", h), State: registry.Approved, Activity: on}
		for c := range categories {
			host.Carries = append(host.Carries, registry.Carry{
				Category: fmt.Sprint("c", c), URLs: []registry.URL{{URL: fmt.Sprintf("https://h%d.example.org/%d", h, c)}},
			})
		}
		changes = append(changes, store.Put(host, store.New))
	}
	if _, err = s.store.Apply(tb.Context(), "test", changes...); err != nil {
		tb.Fatal(err)
	}
	files := make([]registry.File, 10)
	for i := range files {
		files[i] = registry.File{Name: fmt.Sprint("package-", i, ".rpm"), Size: 1000, Changed: 1e9}
	}
	for c := range categories {
		tree := &registry.Tree{Category: fmt.Sprint("c", c), Scanned: time.Now()}
		for d := range 10_000 {
			tree.Directories = append(tree.Directories, registry.Directory{Path: fmt.Sprintf("releases/43/%05d", d), Readable: true, Files: files})
		}
		if err = s.store.PutTree(tb.Context(), tree); err != nil {
			tb.Fatal(err)
		}
		for i := range metadata {
			sum := sha256.Sum256(fmt.Append(nil, c, i))
			hashes := &registry.Hashes{}
			hashes[2] = sum[:]
			file := registry.File{Size: 1000, Hashes: hashes}
			if err = s.store.NoteFile(tb.Context(), fmt.Sprintf("pub/%d/releases/43/%05d/repomd.xml", c, i%(metadata/4+1)), file, time.Unix(int64(i), 0)); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return s
}

// How much is a tick of the clock that queues nothing, and how much all that a
// crawl needs and leaves but for the crawl itself, with 1,000 hosts, 20
// categories each?
func BenchmarkHowMuchAreThePlansFor1000Hosts(b *testing.B) {
	s := crowd(b, 1000, 20, 1000)
	now := time.Now()
	b.Run("first tick", func(b *testing.B) {
		for b.Loop() {
			if err := s.queue(b.Context(), now); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("tick", func(b *testing.B) {
		for b.Loop() {
			if err := s.queue(b.Context(), now); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("reading for a crawl", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.newCrawling(context.Background(), crawlOrder{Crawl: web.Crawl{Host: "s/h7", Category: "c3"}}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
