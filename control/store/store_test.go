package store_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/store/storetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		child()
		return
	}
	os.Exit(storetest.Main(m))
}

// A clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func open(tb testing.TB, database string, c *clock) *store.Store {
	tb.Helper()
	config := store.Config{Database: database}
	if c != nil {
		config.Now = c.now
	}
	s, err := store.Open(tb.Context(), config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// each runs a test on every kind of database.
func each(t *testing.T, test func(t *testing.T, s *store.Store, c *clock)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, database string) {
		t.Helper()
		c := newClock()
		test(t, open(t, database, c), c)
	})
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func site(name string) *registry.Site { return &registry.Site{Name: name, State: registry.Pending} }

func host(site, name string) *registry.Host {
	return &registry.Host{Site: site, Name: name, State: registry.Approved}
}

func apply(t *testing.T, s *store.Store, changes ...store.Change) int64 {
	t.Helper()
	change, err := s.Apply(t.Context(), "alice", changes...)
	must(t, err)
	return change
}

func TestObjects(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, c *clock) {
		t.Helper()
		first := apply(t, s, store.Put(host("uni-x", "de1"), store.New), store.Put(site("uni-x"), store.New))
		entry, err := s.Get(t.Context(), registry.KindHost, "uni-x/de1")
		must(t, err)
		want := host("uni-x", "de1")
		want.Number = 1
		if diff := cmp.Diff(store.Entry{Object: want, Revision: first, Updated: c.now()}, entry); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}

		c.move(time.Hour)
		changed := *want
		changed.Number = 0 // keeps what it had
		changed.Country = "DE"
		second := apply(t, s, store.Put(&changed, first))
		again := apply(t, s, store.Put(&changed, store.Any)) // changes nothing
		if second != first+1 || again != second {
			t.Errorf("changes %d, %d, %d", first, second, again)
		}
		third := apply(t, s, store.Delete(registry.KindHost, "uni-x/de1", second))
		apply(t, s, store.Put(host("uni-x", "de2"), store.New))
		list, err := s.List(t.Context(), registry.KindHost)
		must(t, err)
		if len(list) != 1 || list[0].Object.(*registry.Host).Number != 2 {
			t.Errorf("want one host of number 2, got %+v", list)
		}
		events, err := s.Audit(t.Context(), store.EventFilter{Kind: registry.KindHost, Key: "uni-x/de1"})
		must(t, err)
		if len(events) != 3 || events[0].Change != third || events[0].After != "" || events[0].Before != events[1].After ||
			!strings.Contains(events[1].After, `"country":"DE"`) || events[2].Before != "" || events[1].Who != "alice" {
			t.Errorf("audit: %+v", events)
		}
		older, err := s.Audit(t.Context(), store.EventFilter{Who: "alice", Until: third, Limit: 1})
		must(t, err)
		if len(older) != 1 || older[0].Change != second {
			t.Errorf("the page before %d: %+v", third, older)
		}
	})
}

func TestRefusedChanges(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, _ *clock) {
		t.Helper()
		rev := apply(t, s, store.Put(site("uni-x"), store.New), store.Put(host("uni-x", "de1"), store.New))
		numbered := host("uni-x", "de1")
		numbered.Number = 7
		tests := []struct {
			name    string
			changes []store.Change
			is      error
			want    string
		}{
			{"it exists", []store.Change{store.Put(site("uni-x"), store.New)}, store.ErrConflict, "site uni-x: it exists already"},
			{"older revision", []store.Change{store.Put(site("uni-x"), rev-1+100)}, store.ErrConflict, "site uni-x is at revision 1, not 100"},
			{"no such object", []store.Change{store.Put(site("uni-y"), 1)}, store.ErrNotFound, "site uni-y: there is no such thing"},
			{"nothing to delete", []store.Change{store.Delete(registry.KindSite, "uni-y", store.Any)}, store.ErrNotFound, "site uni-y: there is no such thing"},
			{"twice", []store.Change{store.Put(site("a"), store.Any), store.Put(site("a"), store.Any)}, nil, "site a: want one change of it, got two"},
			{"bad object", []store.Change{store.Put(&registry.Site{Name: "b"}, store.New)}, nil, "site b: state: want pending"},
			{"site with hosts", []store.Change{store.Delete(registry.KindSite, "uni-x", rev)}, nil, `host uni-x/de1: site: no site has the name "uni-x"`},
			{"all or none", []store.Change{store.Put(site("c"), store.New), store.Put(host("d", "e"), store.New)}, nil, `host d/e: site: no site has the name "d"`},
			{"another number", []store.Change{store.Put(numbered, rev)}, nil, "host uni-x/de1: number: want 1 as before or none, got 7"},
		}
		for _, test := range tests {
			_, err := s.Apply(t.Context(), "alice", test.changes...)
			if err == nil || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%s: got %v, want %s", test.name, err, test.want)
			}
		}
		if change, err := s.LastChange(t.Context()); change != rev || err != nil {
			t.Errorf("a refused change counts: %d, want %d, %v", change, rev, err)
		}
		list, err := s.List(t.Context(), registry.KindSite)
		if len(list) != 1 || err != nil {
			t.Errorf("a refused change is kept: %+v, %v", list, err)
		}
	})
}

// An object that its maker changes after it was put stays as it was put.
func TestPutIsACopy(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, _ *clock) {
		t.Helper()
		mine := site("uni-x")
		mine.Contacts = []string{"a@example.org"}
		apply(t, s, store.Put(mine, store.New))
		mine.Contacts[0], mine.State = "b@example.org", registry.Rejected
		entry, err := s.Get(t.Context(), registry.KindSite, "uni-x")
		must(t, err)
		want := site("uni-x")
		want.Contacts = []string{"a@example.org"}
		if diff := cmp.Diff(want, entry.Object); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Secrets are in the database, but not in the audit log.
func TestAuditHasNoSecrets(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, _ *clock) {
		t.Helper()
		hash, err := registry.HashPassword("hunter2")
		must(t, err)
		withPassword := site("uni-x")
		withPassword.PasswordHash = hash
		apply(t, s, store.Put(withPassword, store.New))
		entry, err := s.Get(t.Context(), registry.KindSite, "uni-x")
		must(t, err)
		if entry.Object.(*registry.Site).PasswordHash != hash {
			t.Error("the hash is lost")
		}
		events, err := s.Audit(t.Context(), store.EventFilter{})
		must(t, err)
		if len(events) != 1 || strings.Contains(events[0].After, "pbkdf2") || !strings.Contains(events[0].After, "(secret)") {
			t.Errorf("audit: %+v", events)
		}
	})
}

// What one process changes another one sees, and both together lose nothing.
func TestTwoProcesses(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database string) {
		t.Helper()
		a, b := open(t, database, nil), open(t, database, nil)
		apply(t, a, store.Put(site("uni-x"), store.New))
		const n = 12
		var wg sync.WaitGroup
		for _, s := range []*store.Store{a, b} {
			for range 2 {
				wg.Go(func() { raise(t, s, n) })
			}
		}
		wg.Wait()
		for _, s := range []*store.Store{a, b} {
			entry, err := s.Get(t.Context(), registry.KindSite, "uni-x")
			must(t, err)
			if got := len(entry.Object.(*registry.Site).Contacts); got != 4*n {
				t.Errorf("%d changes are there, want %d", got, 4*n)
			}
		}
	})
}

// raise adds a contact to a site n times, trying again when another was quicker.
func raise(t *testing.T, s *store.Store, n int) {
	t.Helper()
	for done := 0; done < n; {
		entry, err := s.Get(t.Context(), registry.KindSite, "uni-x")
		if err != nil {
			t.Error(err)
			return
		}
		next := *entry.Object.(*registry.Site)
		next.Contacts = append(append([]string(nil), next.Contacts...), strings.Repeat("a", len(next.Contacts)+1)+"@example.org")
		_, err = s.Apply(t.Context(), "alice", store.Put(&next, entry.Revision))
		switch {
		case err == nil:
			done++
		case !errors.Is(err, store.ErrConflict):
			t.Error(err)
			return
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/no.db", []byte(strings.Repeat("this is no database\n", 100)), 0o600))
	for _, database := range []string{
		"", "mysql://root:hunter2@localhost/x", "sqlite:", "sqlite:" + dir + "/no/such/folder/control.db", "sqlite:" + dir + "/no.db",
		"postgres://alice:hunter2@127.0.0.1:1/x?connect_timeout=1", "postgres://alice:hunter2@%zz/", "postgres://alice:hunter2@host:port/x",
		"postgres://alice:hunter2@127.0.0.1:1/x?sslmode=hunter2", "postgres:password=hunter2",
	} {
		s, err := store.Open(t.Context(), store.Config{Database: database})
		if err == nil {
			_ = s.Close()
			t.Errorf("%s opens", database)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("an error shows the password: %v", err)
		}
	}
}

// Processes that start together on an empty database all find it ready.
func TestConcurrentOpen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database string) {
		t.Helper()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				s, err := store.Open(context.WithoutCancel(t.Context()), store.Config{Database: database})
				if err != nil {
					t.Error(err)
					return
				}
				if _, _, err := s.World(t.Context()); err != nil {
					t.Error(err)
				}
				_ = s.Close()
			})
		}
		wg.Wait()
	})
}

func TestPaths(t *testing.T) {
	for _, name := range []string{"a b.db", "what?.db", "100%.db", "#1.db", "ä.db"} {
		path := t.TempDir() + "/" + name
		open(t, "sqlite:"+path, nil)
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}
