package store_test

import (
	"fmt"
	"io/fs"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/store/storetest"
)

// TestUpgrade opens a database of the first four migrations that has a snapshot:
// that is in force, and a roll-back only where the records of jobs say so.
func TestUpgrade(t *testing.T) {
	const job = `INSERT INTO jobs (id, kind, key, payload, state, ready_at, worker, attempts, max_attempts, result, changed_at) VALUES `
	for _, x := range []struct {
		name, jobs string
		back       uint64
	}{
		{"no jobs", `(0, 'scan', 'os', '', 'done', 1, '', 1, 5, '', 9)`, 0},
		{"a roll-back", `(0, 'rollback', '', '', 'done', 1, '', 1, 5, '', 9)`, 7},
		{"after a publication", `(0, 'publish', '', '', 'done', 1, '', 1, 5, '', 8), (1, 'rollback', '', '', 'done', 1, '', 1, 5, '', 9)`, 7},
		{"before a publication", `(0, 'rollback', '', '', 'done', 1, '', 1, 5, '', 8), (1, 'publish', '', '', 'done', 1, '', 1, 5, '', 9)`, 0},
		{"before one that failed", `(0, 'rollback', '', '', 'done', 1, '', 1, 5, '', 8), (1, 'publish', '', '', 'failed', 1, '', 5, 5, '', 9)`, 7},
		{"one that failed", `(0, 'rollback', '', '', 'failed', 1, '', 5, 5, '', 9)`, 0},
	} {
		t.Run(x.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, database string) {
				t.Helper()
				old := openOld(t, database)
				section := putSection(t, old, "section")
				for version := range 2 {
					must(t, old.Exec(t.Context(), fmt.Sprintf(`INSERT INTO manifests (version, created_at, data) VALUES (%d, 1000, 'old')`, 6+version)))
				}
				must(t, old.Exec(t.Context(), `INSERT INTO manifest_sections (version, sha256) VALUES (7, '`+section+`')`))
				must(t, old.Exec(t.Context(), job+x.jobs))
				must(t, old.Close())

				s := open(t, database, nil)
				last, err := s.LastManifest(t.Context())
				must(t, err)
				want := store.Manifest{Version: 7, Created: time.Unix(1, 0), Data: []byte("old"), Sections: []string{section}, RolledBackTo: x.back}
				if diff := cmp.Diff(want, last, cmp.Comparer(time.Time.Equal)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if first, bad := s.Manifest(t.Context(), 6); bad != nil || first.RolledBackTo != 0 {
					t.Errorf("%+v, %v", first, bad)
				}
				l, _, err := s.Acquire(t.Context(), "publish", "test", time.Minute)
				must(t, err)
				must(t, s.PutManifest(t.Context(), l, store.Manifest{Version: 8, Created: time.Unix(2, 0), Data: []byte("new"), RolledBackTo: 7}))
				if last, err = s.LastManifest(t.Context()); err != nil || last.RolledBackTo != 7 {
					t.Errorf("%+v, %v", last, err)
				}
			})
		})
	}
}

// openOld opens a database with the first four migrations.
func openOld(t *testing.T, database string) *store.Store {
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
	return old
}
