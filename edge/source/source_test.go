package source_test

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

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/source"
)

const catalog = `categories: [{name: os, path: pub/os}]
hosts:
  - {name: a, country: DE, urls: {os: ["https://a.example.org/os"]}}
`

// write writes a file into dir and returns its path.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	s := source.New(source.Config{
		Catalog:    write(t, dir, "catalog.yaml", catalog),
		ASNs:       source.ASNFiles{Text: write(t, dir, "asn.txt", "192.0.2.0/24 64500\nnonsense\n")},
		Continents: write(t, dir, "continents.csv", "DE,EU\n"),
	})
	in, err := s.Load(time.UnixMilli(1000))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(in.Snapshot.Hosts); n != 1 {
		t.Errorf("%d hosts, want 1", n)
	}
	if _, number, ok := in.ASNs.Lookup(netip.MustParseAddr("192.0.2.1")); !ok || number != 64500 {
		t.Errorf("192.0.2.1 is in AS %d, %t", number, ok)
	}
	if in.Countries.Len() == 0 {
		t.Error("the bundled country database is empty")
	}
	if in.Snapshot.Version != 1000 {
		t.Errorf("version %d, want the time in milliseconds", in.Snapshot.Version)
	}
	if notes := strings.Join(s.Notes(), "\n"); !strings.Contains(notes, "asn.txt: 2 lines, 1 used, 1 skipped, the first at line 2") {
		t.Errorf("notes are %q", notes)
	}

	again, err := s.Load(time.UnixMilli(500))
	if err != nil {
		t.Fatal(err)
	}
	if again.Snapshot.Version != 1001 {
		t.Errorf("version %d after the clock went back, want one more", again.Snapshot.Version)
	}
	if again.Countries != in.Countries || again.ASNs != in.ASNs {
		t.Error("unchanged files were read anew")
	}
	if in.Snapshot.Version != 1000 {
		t.Error("the first snapshot changed")
	}
}

func TestLoadSaysAllThatIsWrong(t *testing.T) {
	dir := t.TempDir()
	s := source.New(source.Config{
		Catalog:    write(t, dir, "catalog.yaml", "categories: [{name: os, path: pub/os}]\n"),
		ASNs:       source.ASNFiles{Text: filepath.Join(dir, "missing.txt")},
		Countries:  []string{write(t, dir, "broken.mmdb", "this is no database")},
		Continents: write(t, dir, "continents.csv", "nothing\n"),
	})
	_, err := s.Load(time.Now())
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"catalog.yaml", "missing.txt", "broken.mmdb", "continents.csv"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s:\n%v", want, err)
		}
	}
}

// A named pipe that nobody writes must not hold up the reader for ever.
func TestLoadOnlyFiles(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	s := source.New(source.Config{Catalog: pipe, ASNs: source.ASNFiles{Text: dir}, Countries: []string{os.DevNull}, Cities: []string{pipe}})
	_, err := s.Load(time.Now())
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{pipe, dir, os.DevNull, "got a named pipe", "got a directory", "got one of mode Dcrw"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
}

func TestGoodPartsAreKept(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "catalog.yaml", catalog)
	s := source.New(source.Config{Catalog: path})
	before, err := s.Load(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "catalog.yaml", "hosts: []\n")
	if _, err = s.Load(time.Now()); err == nil {
		t.Fatal("a catalogue without hosts was taken")
	}
	write(t, dir, "catalog.yaml", catalog)
	after, err := s.Load(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if after.Countries != before.Countries {
		t.Error("the country database was read anew")
	}
}

func TestChanged(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "catalog.yaml", catalog)
	s := source.New(source.Config{Catalog: path})
	look := func(want bool, when string) {
		t.Helper()
		if got := s.Changed(); got != want {
			t.Errorf("%s: changed is %t", when, got)
		}
	}
	if _, err := s.Load(time.Now()); err != nil {
		t.Fatal(err)
	}
	look(false, "first look")
	look(false, "nothing happened")
	write(t, dir, "catalog.yaml", catalog+"# more\n")
	look(false, "while it may still be written")
	look(true, "settled")
	if _, err := s.Load(time.Now()); err != nil {
		t.Fatal(err)
	}
	look(false, "loaded")
	other := write(t, dir, "new.yaml", catalog+"# more\n")
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	look(false, "renamed over it, same size")
	look(true, "renamed and settled")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	look(false, "others may read it")
	look(true, "others may read it, settled")
	if _, err := s.Load(time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	look(false, "gone")
	look(true, "gone for good")
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "catalog.yaml", catalog)
	synctest.Test(t, func(t *testing.T) {
		s := source.New(source.Config{Catalog: path})
		if _, err := s.Load(time.Now()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		tick, force := make(chan time.Time), make(chan os.Signal)
		reloads := 0
		done := make(chan struct{})
		go func() {
			s.Watch(ctx, tick, force, func() { reloads++ }, func(index.Inputs) { t.Error("an embargo was lifted") })
			close(done)
		}()
		tick <- time.Now()
		tick <- time.Now()
		synctest.Wait()
		if reloads != 0 {
			t.Errorf("%d reloads of unchanged files", reloads)
		}
		force <- os.Interrupt
		synctest.Wait()
		if reloads != 1 {
			t.Errorf("%d reloads after a signal, want 1", reloads)
		}
		write(t, dir, "catalog.yaml", catalog+"\n")
		tick <- time.Now()
		tick <- time.Now()
		synctest.Wait()
		if reloads != 2 {
			t.Errorf("%d reloads after a change, want 2", reloads)
		}
		cancel()
		<-done
	})
}
