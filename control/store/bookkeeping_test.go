package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/store/storetest"
	"github.com/waypost/waypost/edge/snapshot"
)

// crowd fills a database with what 1,000 hosts with 20 categories leave behind:
// 20 crawls of each, five jobs of each that are over, and 200,000 lines of the
// audit log. n makes it that many times smaller.
func crowd(tb testing.TB, s *store.Store, n int) {
	tb.Helper()
	const numbers = `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO `
	details := fmt.Sprintf(`{"urls":[{"url":"%0400d"}]}`, 0)
	for _, insert := range []string{
		fmt.Sprintf(numbers+`standings SELECT 's/h' || (i/20), 'c' || (i%%20), 1, 1, 1, 1, 0, 0, 0, 0, '' FROM n`, 20_000/n-1),
		fmt.Sprintf(numbers+`crawls SELECT 's/h' || (i/20%%%d), 'c' || (i%%20), i/%d, 'canary', 'ok', '', '', 'http', 1, 1, 1, 1, 1, 1, '%s', '' FROM n`,
			400_000/n-1, 1000/n, 20_000/n, details),
		fmt.Sprintf(numbers+`jobs SELECT i, 'crawl', 's/h' || (i/20%%%d) || ' c' || (i%%20), '{}', 'done', 4611686018427387904, 'w', 1, 2, 'ok', i FROM n`,
			100_000/n-1, 1000/n),
		fmt.Sprintf(numbers+`audit SELECT i + 1000000, 0, i, 'x', 'host', 's/h' || (i/20), '%s', '%[2]s' FROM n`, 200_000/n-1, details),
	} {
		must(tb, s.Exec(tb.Context(), insert))
	}
	if strings.HasPrefix(s.Name(), "postgres") { // which does it by itself after a minute
		must(tb, s.Exec(tb.Context(), "ANALYZE"))
	}
}

// How much is the bookkeeping of one crawl, and of one tick of the clock, with
// 1,000 hosts, 20 categories each?
func BenchmarkHowMuchIsTheBookkeepingOf1000Hosts(b *testing.B) {
	eachBench(b, func(b *testing.B, s *store.Store) {
		b.Helper()
		crowd(b, s, 1)
		for _, bb := range []struct {
			name string
			do   func(ctx context.Context) error
		}{
			{"a standing", func(ctx context.Context) error { _, err := s.Standing(ctx, "s/h7", "c3"); return err }},
			{"all standings", func(ctx context.Context) error { _, err := s.Standings(ctx); return err }},
			{"crawls of a category", func(ctx context.Context) error { _, err := s.Crawls(ctx, "s/h7", "c3", 20); return err }},
			{"crawls of a host", func(ctx context.Context) error { _, err := s.Crawls(ctx, "s/h7", "", 10); return err }},
			{"jobs of a key", func(ctx context.Context) error {
				_, err := s.Jobs(ctx, store.JobFilter{Kind: "crawl", Key: "s/h7 c3", Limit: 2})
				return err
			}},
			{"jobs of a kind without", func(ctx context.Context) error {
				_, err := s.Jobs(ctx, store.JobFilter{Kind: "mail", Key: "a@b", State: store.Done, Limit: 5})
				return err
			}},
			{"the last of a kind without", func(ctx context.Context) error {
				_, err := s.Jobs(ctx, store.JobFilter{Kind: "rollback", Limit: 1})
				return err
			}},
			{"pending", func(ctx context.Context) error { _, err := s.Pending(ctx, "crawl"); return err }},
			{"audit of releases", func(ctx context.Context) error {
				_, err := s.Audit(ctx, store.EventFilter{Kind: registry.KindRelease})
				return err
			}},
			{"sightings", func(ctx context.Context) error {
				return s.Sightings(ctx, "c3", func(_, _, _ string) error { return nil })
			}},
			{"figures", func(ctx context.Context) error { _, err := s.Figures(ctx); return err }},
			{"a job", func(ctx context.Context) error {
				must(b, s.Enqueue(ctx, store.Task{Kind: "crawl", Key: "s/h7 c3"}))
				j, ok, err := s.Take(ctx, "w", []string{"scan", "crawl", "mail"}, time.Minute)
				if err != nil || !ok {
					return fmt.Errorf("no job: %w", err)
				}
				return s.Finish(ctx, j, "ok")
			}},
		} {
			b.Run(bb.name, func(b *testing.B) {
				for b.Loop() {
					must(b, bb.do(b.Context()))
				}
			})
		}
		b.Run("queue 20000", func(b *testing.B) {
			var tasks []store.Task
			for i := range 20_000 {
				tasks = append(tasks, store.Task{Kind: "crawl", Key: fmt.Sprint("key", i), Payload: "{}", At: time.Now().Add(time.Hour)})
			}
			for b.Loop() {
				must(b, s.Enqueue(b.Context(), tasks...))
			}
		})
	})
}

// TestJobsThatAreOver has one job done again and again: the last five are kept,
// without what they were to do.
func TestJobsThatAreOver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database string) {
		t.Helper()
		c := newClock()
		s := open(t, database, c)
		for i := range 8 {
			must(t, s.Enqueue(t.Context(), store.Task{Kind: "crawl", Key: "s/h os", Payload: `{"only":["a"]}`, Attempts: 1},
				store.Task{Kind: "crawl", Key: "s/other os", Attempts: 1}))
			for range 2 {
				c.move(time.Second)
				j, ok, err := s.Take(t.Context(), "w", []string{"crawl"}, time.Minute)
				if err != nil || !ok {
					t.Fatal(ok, err)
				}
				if i%2 == 0 {
					must(t, s.Fail(t.Context(), j, errors.New("away")))
				} else {
					must(t, s.Finish(t.Context(), j, fmt.Sprint("ok ", i)))
				}
			}
		}
		list, err := s.Jobs(t.Context(), store.JobFilter{Kind: "crawl", Key: "s/h os"})
		must(t, err)
		if len(list) != 5 || list[0].Result != "ok 7" || list[0].Payload != "" {
			t.Errorf("kept are %d jobs: %+v", len(list), list)
		}
	})
}

// TestHistoryBelow has files beside a directory whose name begins like its own.
func TestHistoryBelow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database string) {
		t.Helper()
		s := open(t, database, nil)
		for i, path := range []string{"pub/os", "pub/os/a", "pub/os/b/c", "pub/os2/a", "pub/o", "a"} {
			hashes := &registry.Hashes{}
			hashes[snapshot.SHA256] = bytes.Repeat([]byte{byte(i)}, 32)
			must(t, s.NoteFile(t.Context(), path, registry.File{Hashes: hashes}, time.Unix(int64(i+1), 0)))
		}
		for below, want := range map[string]int{"pub/os": 3, "pub": 5, "": 6, "x": 0} {
			if history, err := s.HistoryBelow(t.Context(), below); err != nil || len(history) != want {
				t.Errorf("below %q are %d files, %v; want %d", below, len(history), err, want)
			}
		}
	})
}

// TestCrowd asks for what few of many rows have, as the bookkeeping does.
func TestCrowd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database string) {
		t.Helper()
		s := open(t, database, nil)
		crowd(t, s, 100)
		standing, err := s.Standing(t.Context(), "s/h7", "c3")
		must(t, err)
		crawls, err := s.Crawls(t.Context(), "s/h7", "c3", 100)
		must(t, err)
		if len(crawls) != 20 || standing.Crawled[0].IsZero() {
			t.Errorf("%d crawls, want 20; %+v", len(crawls), standing)
		}
		for i, c := range crawls {
			if c.Host != "s/h7" || c.Category != "c3" || i > 0 && !c.At.Before(crawls[i-1].At) {
				t.Errorf("crawl %d is %+v", i, c)
			}
		}
		events, err := s.Audit(t.Context(), store.EventFilter{Kind: registry.KindHost, Key: "s/h7", Who: "x", Since: time.UnixMilli(150), Until: 1_000_158})
		must(t, err)
		if len(events) != 8 || events[0].Change != 1_000_157 {
			t.Errorf("%d events, want those of changes 150 to 157: %+v", len(events), events)
		}
	})
}
