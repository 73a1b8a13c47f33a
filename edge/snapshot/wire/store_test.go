package wire_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// keep writes a snapshot into a store.
func keep(t *testing.T, store *wire.Store, s *snapshot.Snapshot) *wire.Manifest {
	t.Helper()
	m, err := wire.Encode(s, store.Put)
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Sign(key(1))
	if err != nil {
		t.Fatal(err)
	}
	if err = store.Commit(b); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	store, err := wire.OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = store.Manifest(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty store: %v", err)
	}
	first, second := random(1), random(2)
	old := keep(t, store, first)
	m := keep(t, store, second)
	for _, name := range []string{"sections/.new-x", ".new-manifest-1"} { // as a crash leaves them
		if err = os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err = store.Collect(old, m); err != nil {
		t.Fatal(err)
	}
	if _, err = wire.Decode(old, store.Section); err != nil {
		t.Errorf("the old snapshot, which was to be kept: %v", err)
	}
	if removed, bad := store.Collect(m); bad != nil || removed == 0 {
		t.Errorf("removed %d, %v", removed, bad)
	}
	if _, err = wire.Decode(old, store.Section); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old snapshot: %v", err)
	}

	again, err := wire.OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := again.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	opened, err := wire.Open(b, public(key(1)))
	if err != nil {
		t.Fatal(err)
	}
	back, err := wire.Decode(opened, again.Section)
	if err != nil {
		t.Fatal(err)
	}
	if diff := difference(second, back); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i := range m.Sections {
		if !again.Has(&m.Sections[i]) {
			t.Errorf("section %s is not there", &m.Sections[i])
		}
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "sections")); err != nil || len(entries) != len(m.Hashes()) {
		t.Errorf("%d files for %d sections, %v", len(entries), len(m.Hashes()), err)
	}
}

func TestStoreFindsDamage(t *testing.T) {
	dir := t.TempDir()
	store, err := wire.OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	m := keep(t, store, random(1))
	section := &m.Sections[2]
	path := filepath.Join(dir, "sections", section.Hash.String())
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 4
	if err = os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = wire.Decode(m, store.Section); !errors.Is(err, wire.ErrDamaged) {
		t.Errorf("got %v, want ErrDamaged", err)
	}
	if store.Has(section) {
		t.Error("the damaged section is still there")
	}
	if err = os.WriteFile(path, b[:3], 0o600); err != nil {
		t.Fatal(err)
	}
	if store.Has(section) {
		t.Error("a cut section counts as there")
	}
}
