package service_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/waypost/waypost/control/publish/export"
	"github.com/waypost/waypost/control/service"
	"github.com/waypost/waypost/control/store/storetest"
	"github.com/waypost/waypost/edge/snapshot/catalog"
)

// TestImportExport: a catalogue that comes in goes out with the same hosts, and
// coming in again changes nothing.
func TestImportExport(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "control.yaml")
	if err := os.WriteFile(config, []byte("control: {data_dir: data, listen: \"127.0.0.1:0\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("..", "..", "configs", "catalog.yaml")
	in := service.ImportCommand{What: "catalog", From: file, Config: config, Site: "example"}
	for range 2 {
		var said strings.Builder
		if err := in.Run(t.Context(), &said); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(said.String(), "listings") {
			t.Errorf("said %q", said.String())
		}
	}
	out := service.ExportCommand{What: "catalog", Config: config, Out: filepath.Join(dir, "out.yaml")}
	if err := out.Run(t.Context(), os.Stdout); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out.Out)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := catalog.Decode("out.yaml", data)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	if len(snap.Hosts) != 3 || len(snap.Hosts[0].Has) == 0 {
		t.Errorf("%d hosts came out, want 3:\n%s", len(snap.Hosts), data)
	}
	var public strings.Builder
	text := service.ExportCommand{What: "text", Config: config}
	if err = text.Run(t.Context(), &public); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(public.String(), "https://de1.example.org/os") || strings.Contains(public.String(), "campus") {
		t.Errorf("the public list is\n%s", public.String())
	}
}

// TestImportMirrorManagerDB: a real PostgreSQL with MirrorManager2's tables comes
// in whole, twice, with nothing but the password in the way of equality.
func TestImportMirrorManagerDB(t *testing.T) {
	from := storetest.Postgres(t)
	db, err := sql.Open("pgx", from)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := os.ReadFile(filepath.Join("..", "importer", "testdata", "mirrormanager.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = db.ExecContext(t.Context(), string(tables)); err != nil {
		t.Fatal(err)
	}
	if err = db.Close(); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "control.yaml")
	if err = os.WriteFile(config, []byte("control: {data_dir: data, listen: \"127.0.0.1:0\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	in := service.ImportCommand{What: "mirrormanager-db", From: from, Config: config, DryRun: true}
	out := service.ExportCommand{What: "text", Config: config}
	for _, dry := range []bool{true, false, false} {
		in.DryRun = dry
		var said, text strings.Builder
		if err = in.Run(t.Context(), &said); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(said.String(), "host.name: \"a/b\" is named \"a-b\"") {
			t.Errorf("said %q", said.String())
		}
		if err = out.Run(t.Context(), &text); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(text.String(), "https://de1.example.org/fedora"); got == dry || strings.Contains(text.String(), "rsync://de1.example.org/private") {
			t.Errorf("dry run %t: the public list is\n%s", dry, text.String())
		}
	}
	in.From = "postgres://mm:hunter2@127.0.0.1:1/mm?connect_timeout=1"
	if err = in.Run(t.Context(), os.Stdout); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("no server: %v", err)
	}
}

// TestExportFormats: the command knows all formats that the API knows.
func TestExportFormats(t *testing.T) {
	field, _ := reflect.TypeFor[service.ExportCommand]().FieldByName("What")
	known := strings.Split(field.Tag.Get("enum"), ",")
	for _, f := range export.Formats() {
		if !slices.Contains(known, f.Name) {
			t.Errorf("waypost export knows no %s", f.Name)
		}
	}
	if len(known) != len(export.Formats())+2 { // and the two for rsync
		t.Errorf("waypost export knows %s", known)
	}
}
