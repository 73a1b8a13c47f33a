package importer_test

import (
	"database/sql"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	_ "modernc.org/sqlite" // stands in for PostgreSQL: the statements are the same

	"github.com/waypost/waypost/control/importer"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store/storetest"
	"github.com/waypost/waypost/edge/snapshot"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// database is a small MirrorManager2, of which testdata/mirrormanager.sql has
// the tables as far as they are read.
func database(t *testing.T, changes ...string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1) // each connection would have a memory of its own
	schema := "ATTACH ':memory:' AS information_schema; CREATE TABLE information_schema.tables (table_name TEXT); " +
		"INSERT INTO information_schema.tables VALUES ('mm_user')"
	fill(t, db, append([]string{schema}, changes...)...)
	return db
}

// fill makes the tables, and then changes.
func fill(t *testing.T, db *sql.DB, changes ...string) {
	t.Helper()
	text, err := os.ReadFile("testdata/mirrormanager.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range append([]string{string(text)}, changes...) {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// A real PostgreSQL gives what SQLite gives.
func TestMirrorManagerPostgres(t *testing.T) {
	db, err := sql.Open("pgx", storetest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it goes with the server
	fill(t, db)
	got, err := importer.MirrorManagerDB(t.Context(), "mm2", db, now)
	if err != nil {
		t.Fatal(err)
	}
	want, err := importer.MirrorManagerDB(t.Context(), "mm2", database(t), now)
	if err != nil {
		t.Fatal(err)
	}
	hashed := cmpopts.IgnoreFields(registry.Site{}, "PasswordHash") // salted
	if d := cmp.Diff(want, got, hashed); d != "" {
		t.Errorf("(-SQLite +PostgreSQL):\n%s", d)
	}
	if _, err = db.ExecContext(t.Context(), "DROP TABLE mm_user"); err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // only read
	if got, err = importer.MirrorManagerDB(t.Context(), "mm2", tx, now); err != nil || find[*registry.User](t, got, "anna").Mail != "" {
		t.Errorf("without MirrorManager's own accounts: %v", err)
	}
}

func find[T registry.Object](t *testing.T, r *importer.Result, key string) T {
	t.Helper()
	o, ok := registry.Find[T](registry.NewWorld(slices.Values(r.Objects)), key)
	if !ok {
		t.Fatalf("no %s", key)
	}
	return o
}

func TestMirrorManagerDB(t *testing.T) {
	r, err := importer.MirrorManagerDB(t.Context(), "mm2", database(t), now)
	if err != nil {
		t.Fatal(err)
	}
	site := find[*registry.Site](t, r, "Uni")
	if !registry.IsPassword(site.PasswordHash, "secret") || !slices.Equal(site.Admins, []string{"anna"}) || site.URL != "https://uni.example.org/" {
		t.Errorf("site %+v", site)
	}
	want := &registry.Host{
		Name: "de1", Site: "Uni", Number: 7, Country: "DE", Location: &registry.Location{Lat: 52.5, Lon: 13.25}, Bandwidth: 1000,
		MaxConnections: 4, ASNs: []uint32{680}, PeerASNs: []uint32{553},
		Netblocks: []string{"192.0.2.0/24", "198.51.100.0/25", "office.example.org", "2001:db8::1"}, Allowed: []string{"DE", "AT"},
		PullAddresses: []string{"192.0.2.9"}, Contacts: []string{"robot@example.org"},
		Carries: []registry.Carry{{Category: "Fedora Linux", URLs: []registry.URL{
			{URL: "https://de1.example.org/fedora"}, {URL: "rsync://de1.example.org/private", Private: true},
		}}},
		State: registry.Approved, Activity: registry.Activity{AdminActive: true, UserActive: true},
	}
	if d := cmp.Diff(want, find[*registry.Host](t, r, "Uni/de1")); d != "" {
		t.Error(d)
	}
	if h := find[*registry.Host](t, r, "Uni/a-b"); h.UserActive || h.Reason == "" || !h.Carries[0].AlwaysUpToDate {
		t.Errorf("a host with a country that cannot be read is open to all: %+v", h)
	}
	repository := &registry.Repository{Name: "fedora-43", Arch: "x86_64", Path: "pub/fedora/linux/43", Category: "Fedora Linux", Version: "43"}
	if d := cmp.Diff(repository, find[*registry.Repository](t, r, "fedora-43+x86_64")); d != "" {
		t.Error(d)
	}
	if u := find[*registry.User](t, r, "anna"); u.Mail != "anna@example.org" {
		t.Errorf("user %+v", u)
	}
	for _, key := range []string{"continent of IL", "netblock 10.0.0.0/8", "embargo on KP"} {
		find[*registry.Override](t, r, key)
	}
	if *update {
		if failed := os.WriteFile("testdata/mirrormanager.left.txt", []byte(strings.Join(left(r), "\n")+"\n"), 0o600); failed != nil {
			t.Fatal(failed)
		}
	}
	golden, err := os.ReadFile("testdata/mirrormanager.left.txt")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(strings.TrimSpace(string(golden)), "\n"), left(r)); d != "" {
		t.Errorf("left (-want +got):\n%s", d)
	}
}

// What had several spellings there has one here: the first counts, and nothing
// of the others is left behind.
func TestMirrorManagerDBTwice(t *testing.T) {
	r, err := importer.MirrorManagerDB(t.Context(), "mm2", database(t, `
		INSERT INTO site VALUES (2, 'Uni ', '', '', FALSE, TRUE, TRUE, FALSE, '');
		INSERT INTO host VALUES (9, 'de/1', 1, '', TRUE, TRUE, NULL, 'DE', 100, NULL, FALSE, FALSE, 0, FALSE, 1, NULL, NULL),
			(10, 'de-1', 2, '', TRUE, TRUE, NULL, 'DE', 100, NULL, FALSE, FALSE, 0, FALSE, 1, NULL, NULL);
		INSERT INTO host_category VALUES (3, 9, 1, FALSE), (4, 10, 1, FALSE);
		INSERT INTO host_category_dir VALUES (5, 3, '', TRUE, 1), (6, 4, '43', TRUE, 2);
		INSERT INTO repository VALUES (3, 'fedora-43', 1, 1, 1, 1, FALSE);
		INSERT INTO repository_redirect VALUES (3, 'fedora', 'fedora-44');
		INSERT INTO country_continent_redirect VALUES (2, 'il', 'AS');
		INSERT INTO netblock_country VALUES (2, '10.0.0.1/8', 'DE');
		INSERT INTO embargoed_country VALUES (2, 'kp')`), now)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, o := range r.Objects {
		if names[registry.Name(o)] {
			t.Errorf("%s is there twice", registry.Name(o))
		}
		names[registry.Name(o)] = true
	}
	var twice []string
	for _, p := range r.Left {
		if strings.HasSuffix(p.Text, "there already") {
			twice = append(twice, fmt.Sprint(p.Line, " ", p.Key))
		}
	}
	want := []string{
		"3 repository fedora-43+x86_64", "3 repository fedora+", "2 override continent of IL", "2 override netblock 10.0.0.0/8",
		"2 override embargo on KP", "0 site Uni", "0 host Uni/de-1",
	}
	if d := cmp.Diff(want, twice); d != "" {
		t.Errorf("left out (-want +got):\n%s", d)
	}
	var holds []string
	for _, l := range r.Listings {
		holds = append(holds, fmt.Sprint(l.Host, " ", l.Holds.Has(0)))
	}
	if d := cmp.Diff([]string{"Uni/de1 true", "Uni/de-1 true"}, holds); d != "" {
		t.Errorf("listings (-want +got):\n%s", d)
	}
}

// What is published is what MirrorManager's own cache would say.
func TestMirrorManagerDBPublished(t *testing.T) {
	r, err := importer.MirrorManagerDB(t.Context(), "mm2", database(t, "DELETE FROM host_netblock WHERE netblock LIKE 'office%'"), now)
	if err != nil {
		t.Fatal(err)
	}
	s := published(t, r)
	var dirs []string
	for i, d := range s.Directories {
		if !s.Categories[d.Category].Enumerated || d.Complete {
			t.Errorf("%+v: its files are not all known", d)
		}
		if s.Hosts[0].Has.Has(uint32(i)) {
			dirs = append(dirs, d.Path)
		}
	}
	if d := cmp.Diff([]string{"pub/fedora/linux", "pub/fedora/linux/43"}, dirs); d != "" || s.Hosts[0].Name != "Uni/de1" {
		t.Errorf("%s holds %s", s.Hosts[0].Name, d)
	}
	dir := slices.IndexFunc(s.Directories, func(d snapshot.Directory) bool { return d.Path == "pub/fedora/linux/43" })
	file, ok := s.Files.Find(uint32(dir), []byte("repomd.xml"))
	if !ok {
		t.Fatal("no repomd.xml")
	}
	var sizes []int64
	for v, to := s.Files.Versions(file); v < to; v++ {
		sizes = append(sizes, s.Files.Size(v))
	}
	if d := cmp.Diff([]int64{30, 20, 10}, sizes); d != "" {
		t.Errorf("versions, the newest first: %s", d)
	}
}

func TestMirrorManagerDBErrors(t *testing.T) {
	tests := []struct{ name, change, want string }{
		{"no table", "DROP TABLE host_netblock", "importing mm2: reading table host_netblock: "},
		{"no column", "ALTER TABLE host DROP COLUMN asn", "importing mm2: reading table host: "},
		{"number", "UPDATE host SET bandwidth_int = 'fast' WHERE id = 7", `importing mm2: reading table host, row 1: bandwidth_int: want a whole number, got "fast"`},
		{"degrees", "UPDATE host SET latitude = 'north' WHERE id = 7", `importing mm2: reading table host, row 1: latitude: want a number, got "north"`},
		{"truth", "UPDATE directory SET readable = 'maybe'", `importing mm2: reading table directory, row 1: readable: want true or false, got "maybe"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := importer.MirrorManagerDB(t.Context(), "mm2", database(t, tt.change), now)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// Of many problems of one kind, the first stand for the others.
func TestManyLeft(t *testing.T) {
	many := "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i+1 FROM n WHERE i < 1499) INSERT INTO host_country SELECT i, 7, 1 FROM n"
	r, err := importer.MirrorManagerDB(t.Context(), "mm2", database(t, many), now)
	if err != nil {
		t.Fatal(err)
	}
	if last := left(r)[len(r.Left)-1]; !strings.HasPrefix(last, "mm2: 401 more like ") {
		t.Errorf("got %s", last)
	}
}
