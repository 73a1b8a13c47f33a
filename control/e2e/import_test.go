//go:build e2e

package e2e

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the database that is imported from

	"github.com/waypost/waypost/control/store/storetest"
)

func contains(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// TestImportMirrorbits takes over mirrorbits' mirrors while the control plane
// runs, crawls and publishes them, and asks an edge.
func TestImportMirrorbits(t *testing.T) {
	t.Parallel()
	p := discPlane(t)
	m := serve(t, copyTree(t, p.master), nil)
	shown := file(t, fmt.Sprintf("Mirror: fr1\nHttpURL: %s/\nCountryCodes: FR BE\nASNum: 16276\nEnabled: true\n\n"+
		"Mirror: uk1\nHttpURL: http://uk1.test/\nCountryCodes: UK\nEnabled: true\n", m.url), p.dir, "shown.txt")
	importing := []string{"import", "mirrorbits", shown, "-c", filepath.Join(p.dir, "control.yaml"), "--site", "s", "--category", "os", "--path", "pub/os"}
	wantText(t, output(t, waypost, append(importing, "--dry-run")...), "host fr1: it was also for [BE]")
	if list := p.ctl(t, "host", "list"); strings.Contains(list, "fr1") {
		t.Errorf("a dry run has changed something:\n%s", list)
	}
	for range 2 {
		output(t, waypost, importing...)
	}
	wantText(t, p.ctl(t, "host", "list"), "s/fr1", "s/uk1")
	p.crawl(t, "fr1")
	wantSent(t, p.edge(t), disc, m.url)
	p.ctl(t, "host", "set", "s/uk1", "bandwidth=7") // its odd country stays
	wantText(t, p.ctl(t, "host", "show", "s/uk1"), "UK")
}

// TestImportMirrorManagerDB takes over the database of a MirrorManager2, and
// what it knew of its mirrors is what an edge answers.
func TestImportMirrorManagerDB(t *testing.T) {
	t.Parallel()
	from := storetest.Postgres(t)
	db, err := sql.Open("pgx", from)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // all is written
	tables := strings.Replace(word(t, filepath.Join("..", "importer", "testdata", "mirrormanager.sql")),
		"(1, 7, 1, FALSE)", "(1, 7, 1, TRUE)", 1) // always_up2date: a crawl would find that de1.example.org is not there
	if _, err = db.ExecContext(t.Context(), tables); err != nil {
		t.Fatal(err)
	}
	p := newPlane(t, t.TempDir(), "")
	config := filepath.Join(p.dir, "control.yaml")
	wantText(t, output(t, waypost, "import", "mirrormanager-db", from, "-c", config), `host.name: "a/b" is named "a-b"`)
	p.ctl(t, "override", "set", "--new", "test", "netblock=198.51.100.0/24", "country=DE")
	p.ctl(t, "publish", "--wait", "2m")
	e := p.edge(t)
	const german = "198.51.100.1" // the mirror is for such alone
	const at = "https://de1.example.org/fedora/43"
	until(t, soon, "the edge lists the mirror", func() bool {
		return contains(e.body("/mirrorlist?repo=fedora-43&arch=x86_64", german), at)
	})
	if code, location, _, _ := e.ask("/pub/fedora/linux/43/a.rpm", german); code != 302 || location != at+"/a.rpm" {
		t.Errorf("status %d to %s", code, location)
	}
	wantText(t, e.body("/mirrorlist?repo=fedora&arch=x86_64", german), at) // by the repository's other name
}
