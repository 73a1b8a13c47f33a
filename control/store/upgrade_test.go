package store_test

import (
	"io/fs"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/store/storetest"
)

// TestUpgrade opens a database of the first four migrations that has a snapshot:
// that is in force, and no roll-back.
func TestUpgrade(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database string) {
		t.Helper()
		list := fstest.MapFS{}
		names, err := fs.Glob(store.Migrations(), "0000[1-4]*")
		must(t, err)
		for _, name := range names {
			text, problem := fs.ReadFile(store.Migrations(), name)
			must(t, problem)
			list[name] = &fstest.MapFile{Data: text}
		}
		old, err := store.OpenWith(t.Context(), store.Config{Database: database}, list)
		must(t, err)
		section := putSection(t, old, "section")
		must(t, old.Exec(t.Context(), `INSERT INTO manifests (version, created_at, data) VALUES (7, 1000, 'old')`))
		must(t, old.Exec(t.Context(), `INSERT INTO manifest_sections (version, sha256) VALUES (7, '`+section+`')`))
		must(t, old.Close())

		s := open(t, database, nil)
		last, err := s.LastManifest(t.Context())
		must(t, err)
		want := store.Manifest{Version: 7, Created: time.Unix(1, 0), Data: []byte("old"), Sections: []string{section}}
		if diff := cmp.Diff(want, last, cmp.Comparer(time.Time.Equal)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		l, _, err := s.Acquire(t.Context(), "publish", "test", time.Minute)
		must(t, err)
		must(t, s.PutManifest(t.Context(), l, store.Manifest{Version: 8, Created: time.Unix(2, 0), Data: []byte("new"), RolledBackTo: 7}))
		if last, err = s.LastManifest(t.Context()); err != nil || last.RolledBackTo != 7 {
			t.Errorf("%+v, %v", last, err)
		}
	})
}
