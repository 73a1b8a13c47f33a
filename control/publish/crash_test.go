package publish_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waypost/waypost/control/internal/needs"
	"github.com/waypost/waypost/control/publish"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/store/storetest"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// These variables make this program a child that publishes on a database until
// it is killed, or in a folder until its disk is full.
const (
	crashVariable = "WAYPOST_PUBLISH_TEST_CRASH"
	diskVariable  = "WAYPOST_PUBLISH_TEST_DISK"
)

// publisher returns one for a database whose clock may be ahead.
func publisher(s *store.Store, ahead time.Duration) *publish.Publisher {
	key, err := wire.NewKey()
	try(err)
	return &publish.Publisher{
		Store: s, Key: key, Holder: fmt.Sprint("process ", os.Getpid()), Log: slog.New(slog.DiscardHandler), Refresh: time.Hour, Keep: 10,
		Now: func() time.Time { return time.Now().Add(ahead) },
	}
}

func openDatabase(database string, ahead time.Duration) *store.Store {
	s, err := store.Open(context.Background(), store.Config{Database: database, Now: func() time.Time { return time.Now().Add(ahead) }})
	try(err)
	return s
}

// firstWorld puts a category with files, and a host, into a database.
func firstWorld(s *store.Store, files int) {
	ctx := context.Background()
	_, err := s.Apply(ctx, "test",
		store.Put(&registry.Site{Name: "site", State: registry.Approved, Activity: on()}, store.Any),
		store.Put(&registry.Category{Name: "os", Path: "pub/os"}, store.Any), store.Put(host("a", nil), store.Any))
	try(err)
	newTree(s, files)
}

// newTree puts a tree whose hashes do not compress.
func newTree(s *store.Store, files int) {
	t := &registry.Tree{Category: "os", Scanned: time.Now(), Directories: []registry.Directory{{Readable: true}}}
	for i := range files {
		sum := sha256.Sum256(fmt.Append(nil, rand.Int64()))
		t.Directories[0].Files = append(t.Directories[0].Files, registry.File{
			Name: fmt.Sprintf("%07d", i), Size: int64(i), Hashes: &registry.Hashes{snapshot.SHA256: sum[:]},
		})
	}
	try(s.PutTree(context.Background(), t))
}

// files returns how many files the snapshot in force has, as an edge reads it.
func files(tb testing.TB, s *store.Store) int {
	tb.Helper()
	stored, err := s.LastManifest(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	m, _, err := wire.OpenUnverified(stored.Data)
	if err != nil {
		tb.Fatal(err)
	}
	snap, err := wire.Decode(m, func(h wire.Hash) ([]byte, error) { return s.Section(context.Background(), h.String()) })
	if err != nil {
		tb.Fatal(err)
	}
	return snap.Files.Len()
}

// crashChild publishes, and rests between the sections and the manifest.
func crashChild(database string) {
	s := openDatabase(database, 0)
	p := publisher(s, 0)
	asked := 0
	p.Now = func() time.Time {
		if asked++; asked == 2 { // first for the inputs, then when all sections are there
			fmt.Println("publishing")
			select {}
		}
		return time.Now()
	}
	_, err := p.Publish(context.Background())
	fmt.Println("published", err)
}

// A publisher is killed when its sections are there and its manifest is not: the
// old snapshot stays in force and is whole, and another publisher goes on when
// the lease has run out.
func TestKilledInPublish(t *testing.T) {
	storetest.Each(t, func(t *testing.T, database string) {
		t.Helper()
		s := openDatabase(database, 0)
		defer s.Close() //nolint:errcheck // a test's
		firstWorld(s, 10)
		first, err := publisher(s, 0).Publish(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		newTree(s, 20)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashVariable+"="+database)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := bufio.NewReader(out).ReadString('\n'); text != "publishing\n" {
			t.Fatalf("the child said %q", text)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		stored, err := s.LastManifest(t.Context())
		if n := files(t, s); err != nil || stored.Version != first || n != 10 {
			t.Errorf("version %d with %d files is in force, want %d with 10: %v", stored.Version, n, first, err)
		}
		if _, err = publisher(s, 0).Publish(t.Context()); !errors.Is(err, publish.ErrBusy) {
			t.Errorf("while the lease lasts: %v", err)
		}
		later := openDatabase(database, 30*time.Second)
		defer later.Close() //nolint:errcheck // a test's
		if _, err = publisher(later, 30*time.Second).Publish(t.Context()); err != nil || files(t, later) != 20 {
			t.Errorf("%d files after the lease: %v", files(t, later), err)
		}
	})
}

// diskChild mounts a small file system and fills it: it prints what happens.
func diskChild(dir string) {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=12m"); err != nil {
		fmt.Println("no tmpfs:", err)
		return
	}
	s := openDatabase("sqlite:"+filepath.Join(dir, "control.db"), 0)
	p := publisher(s, 0)
	firstWorld(s, 100)
	first, err := p.Publish(context.Background())
	fmt.Println("first:", err)
	newTree(s, 40_000) // 1.3 MB, and as much of sections
	ballast := filepath.Join(dir, "ballast")
	err = os.WriteFile(ballast, make([]byte, 12<<20), 0o600)
	fmt.Println("ballast:", errors.Is(err, syscall.ENOSPC))
	_, err = p.Publish(context.Background())
	fmt.Println("full:", err)
	err = s.PutTree(context.Background(), &registry.Tree{Category: "os", Directories: make([]registry.Directory, 10_000)})
	fmt.Println("full, a tree:", err)
	last, err := s.LastManifest(context.Background())
	fmt.Println("in force:", last.Version == first, err)
	try(os.Remove(ballast))
	_, err = p.Publish(context.Background())
	fmt.Println("after:", err)
	last, err = s.LastManifest(context.Background())
	fmt.Println("in force:", last.Version > first, err)
}

// On a full disk nothing is published by halves, the error says what is wrong,
// and when there is room again it goes on.
func TestFullDisk(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), diskVariable+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
	}
	var text bytes.Buffer
	cmd.Stderr = &text
	out, err := cmd.Output()
	if errors.Is(err, syscall.EPERM) || strings.HasPrefix(string(out), "no tmpfs") {
		needs.Missing(t, fmt.Sprintf("this machine lets no test mount a small file system: %v %s", err, out))
	}
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, text.String())
	}
	want := []string{
		"first: <nil>", "ballast: true", "full: publishing: *database or disk is full*", "full, a tree: keeping the tree of os: *database or disk is full*",
		"in force: true <nil>", "after: <nil>", "in force: true <nil>",
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(want) {
		t.Fatalf("the child said:\n%s", out)
	}
	for i, line := range lines {
		if ok, _ := filepath.Match(want[i], strings.ReplaceAll(line, "/", "|")); !ok {
			t.Errorf("got  %s\nwant %s", line, want[i])
		}
	}
}
