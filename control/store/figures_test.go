package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
)

func TestFigures(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		check := func(want store.Figures) {
			t.Helper()
			got, err := s.Figures(t.Context())
			must(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("figures (-want +got):\n%s", diff)
			}
		}
		check(store.Figures{Jobs: map[store.JobOf]int{}})
		must(t, s.Enqueue(t.Context(), store.Task{Kind: "crawl", Key: "a"}, store.Task{Kind: "crawl", Key: "b"}, store.Task{Kind: "scan"}))
		_, _, err := s.Take(t.Context(), "w", []string{"crawl"}, time.Minute)
		must(t, err)
		name := putSection(t, s, "twelve bytes")
		l, _, err := s.Acquire(t.Context(), "publish", "w", time.Minute)
		must(t, err)
		created := c.now().UTC().Truncate(time.Millisecond)
		must(t, s.PutManifest(t.Context(), l, store.Manifest{Version: 6, Created: created.Add(time.Hour), Data: []byte("old")}))
		must(t, s.PutManifest(t.Context(), l, store.Manifest{Version: 7, Created: created, Data: []byte("m"), Sections: []string{name}}))
		check(store.Figures{
			Jobs:    map[store.JobOf]int{{"crawl", store.Queued}: 1, {"crawl", store.Running}: 1, {"scan", store.Queued}: 1},
			Version: 7, Created: created, Sections: 1, Bytes: 12,
		})
	})
}

func TestPruneAudit(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		_, err := s.Apply(t.Context(), "me", store.Put(&registry.Site{Name: "x", State: registry.Approved}, store.New))
		must(t, err)
		must(t, s.PruneAudit(t.Context(), c.now()))
		events, err := s.Audit(t.Context(), store.EventFilter{})
		must(t, err)
		must(t, s.PruneAudit(t.Context(), c.now().Add(time.Second)))
		left, err := s.Audit(t.Context(), store.EventFilter{})
		if must(t, err); len(events) != 1 || len(left) != 0 {
			t.Errorf("%d lines, then %d", len(events), len(left))
		}
	})
}
