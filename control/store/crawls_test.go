package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/store/storetest"
)

// crawled returns a settlement of a crawl at a time.
func crawled(at time.Time, mode string) store.Settlement {
	return store.Settlement{Crawl: store.Crawl{
		Host: "s/a", Category: "os", At: at, Mode: mode, Outcome: "ok", Reason: "r\x00", Method: "rsync", Took: 1500 * time.Millisecond,
		Holds: 1, Lacks: 2, Unknown: 3, Requests: 4, Bytes: 5 << 40, Details: `{"x": 1}`,
	}, Keep: 3}
}

func TestSettle(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		first := crawled(c.now(), "full")
		if err := s.Settle(t.Context(), first); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a host that is not there: %v", err)
		}
		change(t)(s.Apply(t.Context(), "test", store.Put(site("s"), store.New), store.Put(host("s", "a"), store.New)))
		first.Crawl.Sightings = `{"repomd.xml": "first"}`
		must(t, s.Settle(t.Context(), first))
		for i := range 5 {
			c.move(time.Minute)
			next := crawled(c.now(), []string{"quick", "metadata", "canary"}[i%3])
			if i == 2 {
				next.Crawl.Sightings = `{"repomd.xml": "second"}`
			}
			must(t, s.Settle(t.Context(), next))
		}
		crawls, err := s.Crawls(t.Context(), "s/a", "", 10)
		must(t, err)
		want := crawled(c.now(), "metadata").Crawl
		want.Reason = "r"
		if diff := cmp.Diff(want, crawls[0]); diff != "" {
			t.Error(diff)
		}
		if len(crawls) != 3 {
			t.Errorf("%d crawls are kept, want 3", len(crawls))
		}
		if crawls, err = s.Crawls(t.Context(), "s/b", "os", 10); err != nil || len(crawls) != 0 {
			t.Errorf("of another host: %v, %v", crawls, err)
		}
		var seen []string
		must(t, s.Sightings(t.Context(), "os", func(host, category, sightings string) error {
			seen = append(seen, host+" "+category+" "+sightings)
			return nil
		}))
		if diff := cmp.Diff([]string{`s/a os {"repomd.xml": "second"}`}, seen); diff != "" {
			t.Error(diff)
		}
	})
}

// TestSightingsStay: those of the newest crawl that has some outlast it.
func TestSightingsStay(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		change(t)(s.Apply(t.Context(), "test", store.Put(site("s"), store.New), store.Put(host("s", "a"), store.New)))
		first := crawled(c.now(), "full")
		first.Crawl.Sightings = "{}"
		must(t, s.Settle(t.Context(), first))
		for range 5 {
			c.move(time.Minute)
			must(t, s.Settle(t.Context(), crawled(c.now(), "canary")))
		}
		n := 0
		must(t, s.Sightings(t.Context(), "", func(string, string, string) error { n++; return nil }))
		if n != 1 {
			t.Errorf("%d sightings", n)
		}
	})
}

func TestStandings(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		change(t)(s.Apply(t.Context(), "test", store.Put(site("s"), store.New), store.Put(host("s", "a"), store.New)))
		must(t, s.PutListing(t.Context(), &registry.Listing{Host: "s/a", Category: "os", Seen: c.now()}))
		listed := func() (n int) {
			must(t, s.Listings(t.Context(), time.Time{}, func(*registry.Listing) error { n++; return nil }))
			return n
		}
		poor := crawled(c.now(), "full")
		poor.Standing = store.Standing{
			Crawled: [store.Modes]time.Time{c.now(), {}, {}, c.now().Add(time.Second)}, Failures: 4,
			Out: c.now(), Suspended: c.now(), Held: c.now(), Reason: "down",
		}
		must(t, s.Settle(t.Context(), poor))
		got, err := s.Standing(t.Context(), "s/a", "os")
		must(t, err)
		want := poor.Standing
		want.Host, want.Category = "s/a", "os"
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if all, bad := s.Standings(t.Context()); bad != nil || !cmp.Equal(map[store.Place]store.Standing{{Host: "s/a", Category: "os"}: want}, all) {
			t.Errorf("%v, %v", all, bad)
		}
		if n := listed(); n != 0 {
			t.Errorf("%d listings of hosts that are out", n)
		}
		if seen, bad := s.Seen(t.Context()); bad != nil || !seen[store.Place{Host: "s/a", Category: "os"}].Equal(c.now()) {
			t.Errorf("seen %v, %v", seen, bad)
		}
		must(t, s.Forgive(t.Context(), "s/a", "os"))
		if n := listed(); n != 1 {
			t.Errorf("%d listings once it is forgiven", n)
		}
		must(t, s.Settle(t.Context(), poor))
		change(t)(s.Apply(t.Context(), "test", store.Delete(registry.KindHost, "s/a", store.Any)))
		all, err := s.Standings(t.Context())
		crawls, err2 := s.Crawls(t.Context(), "", "", 10)
		if err != nil || err2 != nil || len(all)+len(crawls) != 0 {
			t.Errorf("of a host that is gone: %v, %v; %v, %v", all, crawls, err, err2)
		}
	})
}

func TestNotices(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		change(t)(s.Apply(t.Context(), "test", store.Put(site("s"), store.New), store.Put(host("s", "a"), store.New)))
		for i := range 2 {
			c.move(time.Minute)
			next := crawled(c.now(), "full")
			next.Notices = []store.Notice{{Event: "e", About: "a"}}
			must(t, s.Settle(t.Context(), next))
			if at, err := s.Told(t.Context(), "e", "a"); err != nil || !at.Equal(c.now()) {
				t.Errorf("step %d: told %v, %v, want %v", i, at, err, c.now())
			}
		}
		must(t, s.Enqueue(t.Context(), store.Task{Kind: "k", Key: "1"}, store.Task{Kind: "k", Key: "2"}, store.Task{Kind: "l", Key: "3"}))
		_, _, err := s.Take(t.Context(), "w", []string{"k"}, time.Minute)
		must(t, err)
		pending, err := s.Pending(t.Context(), "k")
		must(t, err)
		if diff := cmp.Diff(map[string]bool{"1": true, "2": true}, pending); diff != "" {
			t.Error(diff)
		}
	})
}

// TestChangesOfListings: none is lost of those that are made at once, by two
// processes.
func TestChangesOfListings(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database string) {
		t.Helper()
		stores := []*store.Store{open(t, database, nil), open(t, database, nil)}
		const each = 30
		var wg sync.WaitGroup
		for i, s := range stores {
			wg.Go(func() {
				for n := range uint32(each) {
					err := s.ChangeListing(t.Context(), "s/a", "os", func(l registry.Listing) *registry.Listing {
						l.Holds.Add(n*2 + uint32(i))
						l.Seen = time.UnixMilli(1)
						return &l
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		must(t, stores[0].ChangeListing(t.Context(), "s/a", "os", func(registry.Listing) *registry.Listing { return nil }))
		l, err := stores[0].Listing(t.Context(), "s/a", "os")
		must(t, err)
		for n := range uint32(2 * each) {
			if !l.Holds.Has(n) {
				t.Errorf("%d is lost", n)
			}
		}
	})
}

// change fails the test if a change of the registry failed.
func change(t *testing.T) func(int64, error) {
	t.Helper()
	return func(_ int64, err error) { t.Helper(); must(t, err) }
}
