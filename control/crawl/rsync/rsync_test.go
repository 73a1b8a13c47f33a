package rsync_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waypost/waypost/control/crawl/rsync"
	"github.com/waypost/waypost/control/scan/listing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// program is a stand-in for rsync.
func program(t *testing.T, script string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "rsync")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestEndings(t *testing.T) {
	const two = `printf 'drwxr-xr-x 4,096 2026/01/02 03:04:05 .\n-rw-r--r-- 1 2026/01/02 03:04:05 a\n'; `
	tests := []struct {
		name, script string
		ending       rsync.Ending
		entries      int
	}{
		{"whole", two + "exit 0", rsync.Whole, 2},
		{"vanished", two + "echo vanished >&2; exit 24", rsync.Partial, 2},
		{"could not read", two + "exit 23", rsync.Partial, 2},
		{"no such module", "echo '@ERROR: Unknown module' >&2; exit 5", rsync.Refused, 0},
		{"no connection", "exit 10", rsync.Refused, 0},
		{"connection lost", two + "exit 10", rsync.Broken, 2},
		{"timeout", two + "exit 30", rsync.Broken, 2},
		{"cut in a line", two + "printf -- '-rw-r'; exit 12", rsync.Broken, 2},
		{"killed", two + "kill -9 $$", rsync.Broken, 2},
		{"complains without end", two + "yes no | head -c 1000000 >&2; exit 0", rsync.Whole, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := rsync.List(t.Context(), "rsync://m.test/os", rsync.Options{Program: program(t, tt.script)},
				func(listing.Entry) error { return nil })
			if err != nil || r.Ending != tt.ending || r.Entries != tt.entries || len(r.Stderr) > 16<<10 {
				t.Errorf("%v, %+v", err, r)
			}
		})
	}
}

func TestKilled(t *testing.T) {
	// a program with a child that keeps its output open, as a helper of rsync may
	hangs := program(t, "printf 'drwxr-xr-x 4,096 2026/01/02 03:04:05 .\n'; sleep 300 & wait")
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := rsync.List(ctx, "rsync://m.test/os", rsync.Options{Program: hangs}, func(listing.Entry) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	enough := errors.New("enough")
	if _, err := rsync.List(t.Context(), "rsync://m.test/os", rsync.Options{Program: hangs}, func(listing.Entry) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestRefusesURLs(t *testing.T) {
	for _, u := range []string{"", "-e sh", "host:/path", "/etc", "rsync:/x", "ssh://x"} {
		if _, err := rsync.List(t.Context(), u, rsync.Options{}, nil); err == nil || !strings.Contains(err.Error(), "rsync://") {
			t.Errorf("%q: %v", u, err)
		}
	}
}
