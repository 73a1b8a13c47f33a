//go:build unix

package listing_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waypost/waypost/control/internal/needs"
	"github.com/waypost/waypost/control/scan/listing"
)

// program writes a shell script that plays rsync and returns its name.
func program(t *testing.T, script string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "rsync")
	// A test beside this one that forks now would inherit the open file, and
	// running it would fail: text file busy (go.dev/issue/22315).
	syscall.ForkLock.RLock()
	err := os.WriteFile(name, []byte("#!/bin/sh\n"+script), 0o700)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func paths(all *[]string) func(listing.Entry) error {
	return func(e listing.Entry) error {
		*all = append(*all, e.Path)
		return nil
	}
}

func TestListVerdict(t *testing.T) {
	const top = "echo 'drwxr-xr-x 4096 2026/01/02 03:04:05 .'\n"
	tests := []struct{ name, script, wantErr, wantWarning string }{
		{"good", top, "", ""},
		{"nothing", "", "not even the top", ""},
		{"refused", "echo 'rsync: failed to connect' >&2; exit 10", "exit code 10, error in socket I/O", ""},
		{"broken half-way", top + "printf -- '-rw-r--r-- 5 2026/01'; echo 'reset' >&2; exit 12", "exit code 12", ""},
		{"vanished", top + "echo 'file has vanished: \"/x\"' >&2; echo 'rsync warning: some' >&2; exit 24", "", "file has vanished"},
		{"closed", top + "echo 'rsync: opendir \"/x\" failed: Permission denied (13)' >&2; exit 23", "", "Permission denied"},
		{"broken disk", top + "echo 'rsync: readdir(x): Input/output error (5)' >&2; exit 23", "Input/output error", ""},
		{"no explanation", top + "exit 23", "not explained", ""},
		{"no top", "echo 'rsync: link_stat \"/x\" failed: No such file or directory (2)' >&2; exit 23", "not even the top", ""},
		{"killed", top + "kill -9 $$", "signal: killed", ""},
		{"noise", top + "echo oops; sleep 60", "line 2: want PERMISSIONS", ""},
		{"too many", top + top + top + top + "sleep 60", "more than 3 entries", ""},
		{"hangs", top + "sleep 60 & wait", "nothing came for too long", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			idle := 20 * time.Second
			if tt.name == "hangs" {
				idle = 200 * time.Millisecond
			}
			r := listing.Rsync{Program: program(t, tt.script), URL: "rsync://x/", MaxEntries: 3, Idle: idle}
			var got []string
			warnings, err := r.List(t.Context(), paths(&got))
			if !matches(err, tt.wantErr) {
				t.Errorf("error %v, want %q", err, tt.wantErr)
			}
			if text := strings.Join(warnings, "\n"); !strings.Contains(text, tt.wantWarning) || tt.wantWarning == "" && text != "" {
				t.Errorf("warnings %q, want %q", text, tt.wantWarning)
			}
		})
	}
}

func TestListCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := listing.Rsync{Program: program(t, "echo 'drwxr-xr-x 4096 2026/01/02 03:04:05 .'; sleep 60"), URL: "rsync://x/"}
	_, err := r.List(ctx, func(listing.Entry) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err = (listing.Rsync{URL: "--rsh=evil"}).List(t.Context(), nil); err == nil {
		t.Error("took an option for a URL")
	}
}

// serve runs an rsync daemon for root on loopback, read as user uid, and
// returns the URL of its module.
func serve(t *testing.T, root, uid string) string {
	t.Helper()
	needs.Program(t, "rsync", "rsync")
	conf := filepath.Join(t.TempDir(), "rsyncd.conf")
	text := fmt.Sprintf("use chroot = no\nmotd file = %s\nlog file = /dev/null\nuid = %s\n[m]\npath = %s\n", conf, uid, root)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return listenDaemon(t, conf)
}

// listenDaemon gives each connection to an rsync daemon of its own, as inetd would.
func listenDaemon(t *testing.T, conf string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f, err := c.(*net.TCPConn).File()
			_ = c.Close()
			if err != nil {
				return
			}
			cmd := exec.Command("rsync", "--daemon", "--config="+conf)
			cmd.Stdin, cmd.Stdout = f, f
			_ = cmd.Run()
			_ = f.Close()
		}
	}()
	return "rsync://" + l.Addr().String() + "/m/"
}

func TestListFromDaemon(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"a b", "new\nline", "b\xff", `back\#123`, "sub/é", "x -> y", ".~tmp~/part"} {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("12345"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("sub/é", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 7, 8, 9, 10, 11, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(root, "a b"), at, at); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TZ", "America/New_York")
	r := listing.Rsync{URL: serve(t, root, "root"), Excludes: []string{".~tmp~"}}
	var got []string
	warnings, err := r.List(t.Context(), func(e listing.Entry) error {
		got = append(got, e.Path)
		switch {
		case e.Path == "link" && (e.Kind != listing.Link || e.Target != "sub/é"):
			t.Errorf("link is %+v", e)
		case e.Path == "a b" && (e.MTime != at.Unix() || e.Size != 5 || e.Kind != listing.File):
			t.Errorf("a b is %+v, want time %d", e, at.Unix())
		}
		return nil
	})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	slices.Sort(got)
	want := []string{"", "a b", `back\#123`, "b\xff", "link", "new\nline", "sub", "sub/é", "x -> y"}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	r.URL += "gone/"
	if _, err = r.List(t.Context(), paths(&got)); err == nil {
		t.Error("a missing directory was listed")
	}
}
