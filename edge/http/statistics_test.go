package http

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waypost/waypost/geo"
)

var aLine = Statistic{
	Time: time.Date(2026, 7, 21, 23, 59, 59, 0, time.UTC), Client: netip.MustParseAddr("192.0.2.7"),
	Country: geo.Country{'D', 'E'}, Repo: []byte("epel-9"), Arch: []byte("x86_64"),
}

func openLog(t *testing.T, c StatisticsConfig) *StatisticsLog {
	t.Helper()
	c.Path = filepath.Join(t.TempDir(), "mirrorlist.log")
	l, err := OpenStatisticsLog(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func contents(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestStatisticsLines(t *testing.T) {
	v6 := netip.MustParseAddr("2001:db8:1:2::7")
	tests := []struct {
		name     string
		truncate bool
		change   func(*Statistic)
		want     string
	}{
		{"plain", false, func(*Statistic) {}, "IP: 192.0.2.7; DATE: 2026-07-21; COUNTRY: DE; REPO: epel-9; ARCH: x86_64\n"},
		{"as given", false, func(s *Statistic) { s.Given = "::FFFF:192.0.2.7" }, "IP: ::FFFF:192.0.2.7; DATE: 2026-07-21; COUNTRY: DE; REPO: epel-9; ARCH: x86_64\n"},
		{"no country", false, func(s *Statistic) { s.Country = geo.Country{} }, "IP: 192.0.2.7; DATE: 2026-07-21; COUNTRY: N/A; REPO: epel-9; ARCH: x86_64\n"},
		{"truncated", true, func(s *Statistic) { s.Given = "192.0.2.7" }, "IP: 192.0.2.0; DATE: 2026-07-21; COUNTRY: DE; REPO: epel-9; ARCH: x86_64\n"},
		{"truncated v6", true, func(s *Statistic) { s.Client = v6 }, "IP: 2001:db8:1::; DATE: 2026-07-21; COUNTRY: DE; REPO: epel-9; ARCH: x86_64\n"},
		{"columns stay columns", false, func(s *Statistic) { s.Repo = []byte("a b;\nIP: x") }, "IP: 192.0.2.7; DATE: 2026-07-21; COUNTRY: DE; REPO: a?b??IP:?x; ARCH: x86_64\n"},
		{"blanks of Unicode", false, func(s *Statistic) { s.Repo = []byte("a\u00a0b\xff") }, "IP: 192.0.2.7; DATE: 2026-07-21; COUNTRY: DE; REPO: a??b?; ARCH: x86_64\n"},
		{"long", false, func(s *Statistic) { s.Arch = []byte(strings.Repeat("x", 999)) }, "IP: 192.0.2.7; DATE: 2026-07-21; COUNTRY: DE; REPO: epel-9; ARCH: " + strings.Repeat("x", 128) + "\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := openLog(t, StatisticsConfig{Truncate: test.truncate, Sync: true})
			st := aLine
			test.change(&st)
			l.Add(&st)
			if got := contents(t, l.config.Path); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestStatisticsRun asks that queued lines are written without a wait, that
// rotation loses none, and that the rest is written at the end.
func TestStatisticsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLog(t, StatisticsConfig{})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		for range 3 {
			l.Add(&aLine)
		}
		synctest.Wait()
		if got := strings.Count(contents(t, l.config.Path), "\n"); got != 3 {
			t.Errorf("%d lines written, want 3", got)
		}
		old := l.config.Path + ".1"
		if err := os.Rename(l.config.Path, old); err != nil {
			t.Fatal(err)
		}
		l.Add(&aLine)
		synctest.Wait()
		if err := l.Reopen(); err != nil {
			t.Fatal(err)
		}
		l.Add(&aLine)
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if before, after := strings.Count(contents(t, old), "\n"), strings.Count(contents(t, l.config.Path), "\n"); before != 4 || after != 1 {
			t.Errorf("%d lines before and %d after rotation, want 4 and 1", before, after)
		}
	})
}

// TestStatisticsFull asks that a disk that hangs costs lines, and neither
// memory nor time.
func TestStatisticsFull(t *testing.T) {
	for _, sync := range []bool{false, true} {
		l := openLog(t, StatisticsConfig{Sync: sync, QueueBytes: 200})
		l.writer.Lock() // as while the disk hangs
		for range 10 {
			l.Add(&aLine)
		}
		l.writer.Unlock()
		if l.Dropped() != 8 || len(l.pending) > 200 {
			t.Errorf("sync %t: %d dropped and %d bytes queued, want 8 and at most 200", sync, l.Dropped(), len(l.pending))
		}
		if err := l.close(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(contents(t, l.config.Path), "\n"); got != 2 {
			t.Errorf("sync %t: %d lines written, want 2", sync, got)
		}
		l.Add(&aLine)
		if l.config.Sync && l.Failed() != 1 {
			t.Errorf("a line after the end: %d failures, want 1", l.Failed())
		}
	}
}

func TestStatisticsErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "mirrorlist.log")
	pipe := filepath.Join(t.TempDir(), "pipe") // that nobody reads
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, pipe} {
		if _, err := OpenStatisticsLog(StatisticsConfig{Path: path}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want one that names the file %s", err, path)
		}
	}
}

// TestStatisticsWhich asks which lists are logged: those that name a
// repository and get past the look-up of it and of the client.
func TestStatisticsWhich(t *testing.T) {
	const line = "IP: 192.0.2.7; DATE: 2026-01-02; COUNTRY: DE; REPO: "
	tests := []struct{ name, uri, want string }{
		{"repository", "/mirrorlist?repo=fedora-43&arch=x86_64", line + "fedora-43; ARCH: x86_64\n"},
		{"metalink", "/metalink?repo=fedora-43&arch=x86_64", line + "fedora-43; ARCH: x86_64\n"},
		{"redirect", "/mirrorlist?repo=fedora-43&arch=x86_64&redirect", line + "fedora-43; ARCH: x86_64\n"},
		{"redirected name", "/mirrorlist?repo=core-43&arch=x86_64", line + "core-43; ARCH: x86_64\n"},
		{"source", "/mirrorlist?repo=fedora-source-43&arch=i386", line + "fedora-source-43; ARCH: source\n"},
		{"path beside it", "/mirrorlist?path=pub/fedora&repo=any&arch=x", line + "any; ARCH: x\n"},
		{"no metalink", "/metalink?repo=fedora-43&arch=x86_64&path=pub/fedora", line + "fedora-43; ARCH: x86_64\n"},
		{"path", "/mirrorlist?path=pub/fedora", ""},
		{"unknown", "/mirrorlist?repo=none&arch=x86_64", ""},
		{"disabled", "/mirrorlist?repo=old&arch=x86_64", ""},
		{"unknown path", "/mirrorlist?repo=fedora-43&arch=x86_64&path=none", ""},
		{"bad address", "/mirrorlist?repo=fedora-43&arch=x86_64&ip=x", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := openLog(t, StatisticsConfig{Sync: true})
			s := New(Config{Engine: listEngine(), MirrorlistServer: true, Statistics: l})
			s.tick(tested)
			get(t, s, german, test.uri)
			if got := contents(t, l.config.Path); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
