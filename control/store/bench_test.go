package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/store/storetest"
)

// eachBench runs a benchmark on every kind of database.
func eachBench(b *testing.B, bench func(b *testing.B, s *store.Store)) {
	b.Helper()
	b.Run("sqlite", func(b *testing.B) { bench(b, open(b, storetest.SQLite(b), nil)) })
	b.Run("postgres", func(b *testing.B) { bench(b, open(b, storetest.Postgres(b), nil)) })
}

func BenchmarkHowLongDo1000ListingsOf200000DirectoriesTake(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	listings := make([]*registry.Listing, 1000)
	for i := range listings {
		listings[i] = &registry.Listing{Host: fmt.Sprint("s/", i), Category: "os", Seen: time.Now()}
		for dir := range uint32(200_000) {
			if rng.IntN(500) > 0 {
				listings[i].Holds.Add(dir)
			}
		}
		for range 100 {
			listings[i].Lacks = append(listings[i].Lacks, registry.FileRef{Directory: rng.Uint32N(200_000), Name: fmt.Sprint("file-", rng.IntN(1000))})
		}
	}
	eachBench(b, func(b *testing.B, s *store.Store) {
		b.Helper()
		b.Run("put", func(b *testing.B) {
			for b.Loop() {
				for _, l := range listings {
					must(b, s.PutListing(b.Context(), l))
				}
			}
		})
		b.Run("read", func(b *testing.B) {
			for b.Loop() {
				must(b, s.Listings(b.Context(), time.Time{}, func(*registry.Listing) error { return nil }))
			}
		})
	})
}

func BenchmarkHowLongDo200000NumbersTake(b *testing.B) {
	paths := make([]string, 200_000)
	for i := range paths {
		paths[i] = fmt.Sprintf("pub/os/releases/%d/Everything/x86_64/os/Packages/%06d", i%5+40, i)
	}
	eachBench(b, func(b *testing.B, s *store.Store) {
		b.Helper()
		b.Run("new", func(b *testing.B) {
			for b.Loop() {
				for i := range paths {
					paths[i] += "x"
				}
				_, err := s.Numbers(b.Context(), paths)
				must(b, err)
			}
		})
		b.Run("known", func(b *testing.B) {
			for b.Loop() {
				_, err := s.Numbers(b.Context(), paths)
				must(b, err)
			}
		})
	})
}

func BenchmarkHowLongDoesATreeOf2000000FilesTake(b *testing.B) {
	tree := &registry.Tree{Category: "os"}
	for i := range 20_000 {
		d := registry.Directory{Path: fmt.Sprintf("releases/%d/Everything/x86_64/os/Packages/%06d", i%5+40, i), Changed: 1_700_000_000 + rand.Int64N(1e7)}
		for j := range 100 {
			d.Files = append(d.Files, registry.File{
				Name: fmt.Sprintf("package-%06d-%d.fc43.x86_64.rpm", i*100+j, rand.IntN(30)),
				Size: rand.Int64N(20_000_000), Changed: d.Changed - rand.Int64N(5_000_000),
			})
		}
		tree.Directories = append(tree.Directories, d)
	}
	eachBench(b, func(b *testing.B, s *store.Store) {
		b.Helper()
		b.Run("put", func(b *testing.B) {
			for b.Loop() {
				must(b, s.PutTree(b.Context(), tree))
			}
		})
		b.Run("read", func(b *testing.B) {
			for b.Loop() {
				_, err := s.Tree(b.Context(), "os")
				must(b, err)
			}
		})
	})
}

func BenchmarkHowLongDo10000JobsOf4WorkersTake(b *testing.B) {
	eachBench(b, func(b *testing.B, s *store.Store) {
		b.Helper()
		for b.Loop() {
			tasks := make([]store.Task, 10_000)
			for i := range tasks {
				tasks[i] = store.Task{Kind: "crawl", Key: fmt.Sprint(i)}
			}
			must(b, s.Enqueue(b.Context(), tasks...))
			var wg sync.WaitGroup
			for w := range 4 {
				wg.Go(func() { drain(b, s, fmt.Sprint("w", w)) })
			}
			wg.Wait()
		}
	})
}

// drain takes and finishes jobs until there are none.
func drain(b *testing.B, s *store.Store, worker string) {
	b.Helper()
	for {
		j, ok, err := s.Take(b.Context(), worker, []string{"crawl"}, time.Minute)
		if err == nil && ok {
			err = s.Finish(b.Context(), j, "done")
		}
		if err != nil {
			b.Error(err)
		}
		if err != nil || !ok {
			return
		}
	}
}

// 8,000 objects: 1,000 hosts with 5 categories each, 500 sites, 6,500 repositories.
func BenchmarkHowLongDoesARegistryOf8000ObjectsTake(b *testing.B) {
	var changes []store.Change
	for c := range 5 {
		changes = append(changes, store.Put(&registry.Category{Name: fmt.Sprint("c", c), Path: fmt.Sprint("pub/", c)}, store.Any))
	}
	for i := range 500 {
		changes = append(changes, store.Put(site(fmt.Sprint("site-", i)), store.Any))
	}
	for i := range 1000 {
		h := host(fmt.Sprint("site-", i/2), fmt.Sprint("host-", i))
		for c := range 5 {
			h.Carries = append(h.Carries, registry.Carry{Category: fmt.Sprint("c", c), URLs: []registry.URL{
				{URL: fmt.Sprintf("https://mirror%d.example.org/pub/%d", i, c)}, {URL: fmt.Sprintf("rsync://mirror%d.example.org/pub/%d", i, c)},
			}})
		}
		changes = append(changes, store.Put(h, store.Any))
	}
	for i := range 6500 {
		changes = append(changes, store.Put(&registry.Repository{Name: fmt.Sprint("r-", i), Arch: "x86_64", Path: fmt.Sprint("pub/1/", i), Category: "c1"}, store.Any))
	}
	bench := func(b *testing.B, database string) {
		b.Helper()
		s := open(b, database, nil)
		start := time.Now()
		_, err := s.Apply(b.Context(), "import", changes...)
		must(b, err)
		b.Log("import of all:", time.Since(start).Round(time.Millisecond))
		b.Run("load", func(b *testing.B) {
			for b.Loop() {
				fresh, err := store.Open(context.Background(), store.Config{Database: database})
				must(b, err)
				_, _, err = fresh.World(b.Context())
				must(b, err)
				_ = fresh.Close()
			}
		})
		n := 0
		b.Run("change", func(b *testing.B) {
			for b.Loop() {
				n++
				changed := site("site-1")
				changed.Reason = fmt.Sprint(n)
				_, err := s.Apply(b.Context(), "alice", store.Put(changed, store.Any))
				must(b, err)
			}
		})
		b.Run("unchanged", func(b *testing.B) {
			for b.Loop() {
				_, _, err := s.World(b.Context())
				must(b, err)
			}
		})
	}
	b.Run("sqlite", func(b *testing.B) { bench(b, storetest.SQLite(b)) })
	b.Run("postgres", func(b *testing.B) { bench(b, storetest.Postgres(b)) })
}
