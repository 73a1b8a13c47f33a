package service_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waypost/waypost/control/service"
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
	in := service.ImportCommand{What: "catalog", File: file, Config: config, Site: "example"}
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
