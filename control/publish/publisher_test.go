package publish_test

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/waypost/waypost/control/publish"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// world is a store with a site, a host and a scanned category, and its publisher.
type world struct {
	*publish.Publisher
	t     *testing.T
	clock time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: now}
	s, err := store.Open(t.Context(), store.Config{Database: "sqlite:" + filepath.Join(t.TempDir(), "control.db"), Now: func() time.Time { return w.clock }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	key, err := wire.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	w.Publisher = &publish.Publisher{
		Store: s, Key: key, Holder: "test", Now: func() time.Time { return w.clock },
		Log: slog.New(slog.DiscardHandler), Refresh: time.Hour, Keep: 10,
	}
	w.apply(
		&registry.Site{Name: "site", State: registry.Approved, Activity: on()},
		&registry.Category{Name: "os", Path: "pub/os"},
		host("a", nil), host("b", nil),
	)
	tree := inputs().Trees[0]
	if err := s.PutTree(t.Context(), tree); err != nil {
		t.Fatal(err)
	}
	w.list("a")
	return w
}

func (w *world) apply(objects ...registry.Object) {
	w.t.Helper()
	for _, o := range objects {
		if _, err := w.Store.Apply(w.t.Context(), "test", store.Put(o, 0)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// list says that a host holds all directories that the world may read.
func (w *world) list(name string) {
	w.t.Helper()
	n, err := w.Store.Numbers(w.t.Context(), []string{"pub/os", "pub/os/43"})
	if err != nil {
		w.t.Fatal(err)
	}
	l := listing(name, n...)
	l.Seen = w.clock
	if err := w.Store.PutListing(w.t.Context(), l); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) publish() uint64 {
	w.t.Helper()
	version, err := w.Publish(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return version
}

// read reads a version as an edge does.
func (w *world) read(version uint64) *snapshot.Snapshot {
	w.t.Helper()
	stored, err := w.Store.Manifest(w.t.Context(), version)
	if err != nil {
		w.t.Fatal(err)
	}
	public, _ := w.Key.Public().(ed25519.PublicKey)
	m, err := wire.Open(stored.Data, []ed25519.PublicKey{public})
	if err != nil {
		w.t.Fatal(err)
	}
	snap, err := wire.Decode(m, func(h wire.Hash) ([]byte, error) { return w.Store.Section(context.Background(), h.String()) })
	if err != nil {
		w.t.Fatal(err)
	}
	return snap
}

func TestPublish(t *testing.T) {
	w := newWorld(t)
	first := w.publish()
	if got := len(holds(w.read(first), "site/a")); got != 2 {
		t.Errorf("site/a holds %d directories, want 2", got)
	}
	w.clock = w.clock.Add(time.Minute)
	if again := w.publish(); again != first {
		t.Errorf("version %d for the same content, want %d", again, first)
	}
	w.clock = w.clock.Add(time.Hour)
	fresh := w.publish()
	if fresh <= first {
		t.Errorf("version %d after an hour, want a new one: edges must see that we live", fresh)
	}
	w.list("b")
	changed := w.publish()
	if changed <= fresh || len(holds(w.read(changed), "site/b")) != 2 {
		t.Errorf("version %d does not say what site/b holds", changed)
	}
	back, err := w.Rollback(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if back <= changed || len(holds(w.read(back), "site/b")) != 0 {
		t.Errorf("version %d is not the first one under a new version", back)
	}
}

func TestOneChangeIsOneSection(t *testing.T) {
	w := newWorld(t)
	first, err := w.Store.Manifest(t.Context(), w.publish())
	if err != nil {
		t.Fatal(err)
	}
	w.list("b")
	second, err := w.Store.Manifest(t.Context(), w.publish())
	if err != nil {
		t.Fatal(err)
	}
	known, fresh := map[string]bool{}, 0
	for _, s := range first.Sections {
		known[s] = true
	}
	for _, s := range second.Sections {
		if !known[s] {
			fresh++
		}
	}
	if fresh > 1 {
		t.Errorf("%d sections are new after one host's change, want at most 1", fresh)
	}
}

func TestOneAtATime(t *testing.T) {
	w := newWorld(t)
	if _, ok, err := w.Store.Acquire(t.Context(), "publish", "another", time.Minute); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, err := w.Publish(t.Context()); err == nil {
		t.Error("two publish at a time")
	}
}

// TestSwappedHoldings: two hosts that change places leave the same sections,
// for others than before.
func TestSwappedHoldings(t *testing.T) {
	w := newWorld(t)
	first := w.publish()
	w.list("b")
	none := listing("a")
	none.Seen = w.clock
	if err := w.Store.PutListing(t.Context(), none); err != nil {
		t.Fatal(err)
	}
	second := w.publish()
	if snap := w.read(second); second == first || len(holds(snap, "site/a")) != 0 || len(holds(snap, "site/b")) != 2 {
		t.Errorf("version %d after %d: site/a holds %v, site/b %v", second, first, holds(snap, "site/a"), holds(snap, "site/b"))
	}
}
