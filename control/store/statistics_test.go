package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/control/store"
)

// Batches come, some late and some again, while two processes add minutes up to
// days: the sums are right.
func TestCountsWhileAging(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		day := c.now().Truncate(store.Day)
		var group errgroup.Group
		for _, edge := range []string{"edge1", "edge2"} {
			group.Go(func() error {
				for n := range 60 {
					batch := []store.Count{}
					for _, name := range []string{"DE", "FR", "US", "DE"} {
						batch = append(batch, store.Count{At: day.Add(time.Duration(n*11) * time.Minute), Category: "os", Dimension: "country", Name: name, Count: 1})
					}
					for range 1 + n%2 {
						if err := s.AddCounts(t.Context(), edge, int64(n+1), batch); err != nil {
							return err
						}
					}
				}
				return nil
			})
			group.Go(func() error {
				for range 30 {
					if err := s.AgeCounts(t.Context(), day.Add(store.Day), day); err != nil {
						return err
					}
				}
				return nil
			})
		}
		must(t, group.Wait())
		got, err := s.Counts(t.Context(), store.CountFilter{Dimension: "country", From: day, To: day.Add(store.Day)})
		must(t, err)
		want := map[string]int64{"DE": 240, "FR": 120, "US": 120}
		for _, n := range got {
			if n.Count != want[n.Name] {
				t.Errorf("%s: %d, want %d", n.Name, n.Count, want[n.Name])
			}
			delete(want, n.Name)
		}
		if len(want) > 0 {
			t.Errorf("no counts of %v", want)
		}
	})
}

// BenchmarkAddCounts asks what a batch of 1,000 counts costs with SQLite.
func BenchmarkAddCounts(b *testing.B) {
	s, err := store.Open(b.Context(), store.Config{Database: "sqlite:" + filepath.Join(b.TempDir(), "control.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	at, batch := time.Now(), int64(0)
	for b.Loop() {
		batch++
		at = at.Add(time.Minute)
		var counts []store.Count
		for i := range 1000 {
			counts = append(counts, store.Count{At: at, Category: "os", Dimension: "host", Name: fmt.Sprint(i), Count: 1})
		}
		if err := s.AddCounts(b.Context(), "edge1", batch, counts); err != nil {
			b.Fatal(err)
		}
	}
}
