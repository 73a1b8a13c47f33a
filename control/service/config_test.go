package service_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waypost/waypost/control/scan"
	"github.com/waypost/waypost/control/service"
)

func TestExample(t *testing.T) {
	c, err := service.ReadConfig(filepath.Join("..", "..", "configs", "control.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join("..", "..", "configs", "control-data", "snapshot.key"); c.SigningKeyFile != want {
		t.Errorf("signing key %s, want %s", c.SigningKeyFile, want)
	}
	if c, err = service.ReadConfig(filepath.Join("..", "..", "configs", "edge.yaml")); c != nil || err != nil {
		t.Errorf("edge.yaml has a control half: %+v, %v", c, err)
	}
}

func TestReadConfigSaysAllThatIsWrong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.yaml")
	text := `control:
  listen: 8081
  scan_every: -1s
  colour: red
  masters:
    - {category: os, type: floppy, path: a}
    - {category: os, type: directory, path: a}
  database: "mysql://user:hunter2@db/waypost"
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := service.ReadConfig(path)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`bad.yaml:2: control.listen: want an address and port`, `bad.yaml:3: control.scan_every: want a time`,
		`bad.yaml:4: control.colour: unknown key`, `bad.yaml:6: control.masters[0]`,
		`bad.yaml:7: control.masters[1].category: os has a master already`, `bad.yaml:1: control.data_dir: want a folder`,
		`bad.yaml:8: control.database: want sqlite:PATH or postgres://USER@HOST/DATABASE, got the scheme "mysql"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
	if n := strings.Count(err.Error(), "control.listen"); n != 1 {
		t.Errorf("control.listen is told %d times in\n%v", n, err)
	}
}

// TestZeros: what may be 0 has its default only where it is left out.
func TestZeros(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.yaml")
	text := "control: {data_dir: data, listen: \"127.0.0.1:1\", crawl: {jitter: 0, max_loss: 0, requests: 0}}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := service.ReadConfig(path)
	if err != nil || *c.Crawl.Jitter != 0 || *c.Crawl.MaxLoss != 0 || *c.Crawl.Requests != 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestMissing(t *testing.T) {
	here := t.TempDir()
	c := service.Config{Masters: []scan.Config{
		{Category: "here", Type: scan.Directory, Path: here},
		{Category: "away", Type: scan.Directory, Path: filepath.Join(here, "away")},
		{Category: "far", Type: scan.Rsync, URL: "rsync://master.example.org/os/"},
	}}
	if got := c.Missing(); len(got) != 1 || !strings.HasPrefix(got[0], "control.masters[1].path: ") {
		t.Errorf("%q", got)
	}
}

// TestFirstTokenThatCannotBeWritten: nobody would know the token, so that the
// next start makes another one.
func TestFirstTokenThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	c := service.Config{DataDir: dir, Database: "sqlite:" + filepath.Join(dir, "control.db"), SigningKeyFile: filepath.Join(dir, "snapshot.key")}
	file := filepath.Join(dir, "admin.token")
	if err := os.Mkdir(file, 0o700); err != nil { // in the way
		t.Fatal(err)
	}
	if _, err := service.New(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("no error")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	s, err := service.New(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err = s.Store().Close(); err != nil {
		t.Error(err)
	}
	if _, err = os.Stat(file); err != nil {
		t.Errorf("no token at the second start: %v", err)
	}
}
