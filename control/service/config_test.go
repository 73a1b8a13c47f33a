package service_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
}
