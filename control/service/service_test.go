package service_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan"
	"github.com/waypost/waypost/control/service"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// tree writes files below a new folder.
func tree(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	for _, name := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("content of "+name), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// mirror serves a folder over HTTP.
func mirror(t *testing.T, dir string) string {
	t.Helper()
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	return server.URL
}

func host(name, url string) *registry.Host {
	return &registry.Host{
		Name: name, Site: "site", Country: "DE", Bandwidth: 100, State: registry.Approved,
		Activity: registry.Activity{AdminActive: true, UserActive: true},
		Carries:  []registry.Carry{{Category: "os", URLs: []registry.URL{{URL: url}}}},
	}
}

// TestFromMasterToSnapshot runs a whole control plane: it scans a master,
// crawls a good mirror and one that lacks a directory, and publishes.
func TestFromMasterToSnapshot(t *testing.T) {
	all := []string{"43/a.iso", "43/b.iso", "44/a.iso"}
	good, half := mirror(t, tree(t, all...)), mirror(t, tree(t, all[:2]...))
	ctx, cancel := context.WithCancel(t.Context())
	s, err := service.New(ctx, service.Config{
		DataDir: t.TempDir(), Listen: netip.MustParseAddrPort("127.0.0.1:0"),
		Database: "sqlite:" + filepath.Join(t.TempDir(), "control.db"), SigningKeyFile: filepath.Join(t.TempDir(), "snapshot.key"),
		Masters: []scan.Config{{Category: "os", Type: scan.Directory, Path: tree(t, all...)}}, CrawlPrivate: true, Workers: 2,
	}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	db := s.Store()
	for _, o := range []registry.Object{
		&registry.Site{Name: "site", State: registry.Approved, Activity: registry.Activity{AdminActive: true, UserActive: true}},
		&registry.Category{Name: "os", Path: "pub/os"},
		host("good", good), host("half", half),
	} {
		if _, err = db.Apply(ctx, "test", store.Put(o, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err = s.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	if err = db.Enqueue(ctx, store.Task{Kind: "scan", Key: "os", Payload: `{"category": "os"}`}); err != nil {
		t.Fatal(err)
	}
	await(t, "the master's tree", func() bool { _, bad := db.Tree(ctx, "os"); return bad == nil })
	for _, name := range []string{"good", "half"} {
		payload := `{"host": "site/` + name + `", "category": "os"}`
		if err = db.Enqueue(ctx, store.Task{Kind: "crawl", Key: "site/" + name + " os", Payload: payload}); err != nil {
			t.Fatal(err)
		}
	}
	var snap *snapshot.Snapshot
	await(t, "a snapshot in which both hosts were crawled", func() bool {
		snap = last(ctx, t, db)
		return snap != nil && len(held(snap, "site/good")) == 3 && len(held(snap, "site/half")) > 0
	})
	if got := held(snap, "site/half"); len(got) != 2 {
		t.Errorf("the mirror that lacks pub/os/44 holds %v", got)
	}
	cancel()
	if err = <-done; err != nil {
		t.Error(err)
	}
}

// await waits until ok, which asks something that happens by itself.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 2400 {
		if ok() {
			return
		}
		<-tick.C
	}
	t.Fatalf("waited two minutes for %s", what)
}

// last returns the snapshot in force, nil if there is none.
func last(ctx context.Context, t *testing.T, db *store.Store) *snapshot.Snapshot {
	t.Helper()
	stored, err := db.LastManifest(ctx)
	if err != nil {
		return nil
	}
	m, _, err := wire.OpenUnverified(stored.Data)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := wire.Decode(m, func(h wire.Hash) ([]byte, error) { return db.Section(ctx, h.String()) })
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func held(s *snapshot.Snapshot, name string) (paths []string) {
	for _, h := range s.Hosts {
		for at, d := range s.Directories {
			if h.Name == name && h.Has.Has(uint32(at)) {
				paths = append(paths, d.Path)
			}
		}
	}
	return paths
}
