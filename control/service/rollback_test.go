package service_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/service"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

// TestRollbackLasts: after a roll-back, what changes is not published until
// somebody asks for it.
func TestRollbackLasts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	s, err := service.New(ctx, service.Config{
		DataDir: dir, Listen: netip.MustParseAddrPort("127.0.0.1:0"), Workers: 1,
		Database: "sqlite:" + filepath.Join(dir, "control.db"), SigningKeyFile: filepath.Join(dir, "snapshot.key"),
		Admin: &service.AdminConfig{Listen: netip.MustParseAddrPort("127.0.0.1:0")},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	db := s.Store()
	if err = s.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	version := func() uint64 {
		m, bad := db.LastManifest(ctx)
		if bad != nil {
			return 0
		}
		return m.Version
	}
	order := func(kind string, payload any) {
		t.Helper()
		text, bad := json.Marshal(payload)
		if bad == nil {
			bad = db.Enqueue(ctx, store.Task{Kind: kind, Key: "now", Payload: string(text)})
		}
		if bad != nil {
			t.Fatal(bad)
		}
	}
	add := func(name string) {
		t.Helper()
		if _, bad := db.Apply(ctx, "test", store.Put(&registry.Category{Name: name, Path: name}, 0)); bad != nil {
			t.Fatal(bad)
		}
	}
	await(t, "the first snapshot", func() bool { return version() > 0 })
	first := version()
	add("a")
	await(t, "a snapshot with the category", func() bool { return version() > first })
	second := version()
	order(web.JobRollback, web.Rollback{Version: first})
	await(t, "the roll-back", func() bool { return version() > second })
	back := version()
	if snap := last(ctx, t, db); len(snap.Categories) != 0 {
		t.Errorf("%d categories after the roll-back, want the first snapshot's none", len(snap.Categories))
	}
	heldBack := func() bool {
		text := read(t, "http://"+s.AdminAddr().String()+"/metrics")
		return !strings.Contains(text, `waypost_control_publications_total{result="held"} 0`)
	}
	if heldBack() {
		t.Error("it is tried to publish though nothing has changed")
	}
	add("b")
	await(t, "the attempt to publish the change", heldBack)
	if now := version(); now != back {
		t.Errorf("version %d was published over the roll-back, %d", now, back)
	}
	order(web.JobPublish, web.Publish{})
	await(t, "the publication that was asked for", func() bool { return version() > back })
	if snap := last(ctx, t, db); len(snap.Categories) != 2 {
		t.Errorf("%d categories, want both", len(snap.Categories))
	}
	cancel()
	if err = <-done; err != nil {
		t.Error(err)
	}
}
