package report

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestExampleConfiguration reads configs/report.yaml as it is, and looks for all
// keys in it.
func TestExampleConfiguration(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "configs", "report.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"report.yaml": string(data), "report.token": "secret\n"} {
		if err = os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := read(filepath.Join(dir, "report.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err = s.check("report.yaml"); err != nil || s.token != "secret" || len(s.categories) != 2 {
		t.Errorf("%v: %+v", err, s)
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		key := f.Tag.Get("yaml")
		if !strings.Contains(string(data), "\n"+key+":") && !strings.Contains(string(data), "\n# "+key+":") {
			t.Errorf("the example lacks %s", key)
		}
	}
}
