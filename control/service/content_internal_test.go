package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/control/scan"
)

// TestWrongBytes: files of the right size and time, of which no hash is known,
// are compared with the master's bytes, where this process has them.
func TestWrongBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	top := t.TempDir()
	write := func(text string, at time.Time) {
		t.Helper()
		for _, dir := range []string{"a", "b", "c", "d"} {
			file := filepath.Join(top, dir, "f")
			if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(file, at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	scanned := time.Unix(1e9, 0)
	w.config.Masters = []scan.Config{{Category: "os", Type: scan.Directory, Path: top}}
	write("text", scanned)
	if got := w.look(t, "full"); !got.Out.IsZero() || !w.listed(t, "a") {
		t.Fatalf("the right bytes: %+v", got)
	}
	write("newer", scanned.Add(time.Hour)) // the mirror is as the tree says still
	if got := w.look(t, "full"); !got.Out.IsZero() || !w.listed(t, "a") {
		t.Errorf("while the master changes: %+v", got)
	}
	write("else", scanned) // as long as what the mirror has
	if got := w.look(t, "full"); got.Out.IsZero() || w.listed(t, "a") || !strings.Contains(got.Reason, "not what they seem") {
		t.Errorf("wrong bytes: %+v", got)
	}
}
