// Package storetest gives tests databases: SQLite files, and a PostgreSQL
// server of their own on a socket in a temporary folder.
//
//	func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
//
//	func TestIt(t *testing.T) {
//		storetest.Each(t, func(t *testing.T, database string) { … store.Open … })
//	}
package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// Debian's package, and where it has the server's programs.
const (
	debian   = "postgresql-15"
	programs = "/usr/lib/postgresql/*/bin/postgres"
)

// A server is a running PostgreSQL.
type server struct {
	dir   string
	cmd   *exec.Cmd
	over  chan struct{} // closed when it has ended
	count int           // databases made so far
}

//nolint:gochecknoglobals // one server serves all tests of a package
var shared struct {
	sync.Mutex
	server *server
	err    error
}

// Main runs a package's tests and stops the server that they started. Give what
// it returns to [os.Exit].
func Main(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		shared.server.stop()
	}
	return code
}

// Each runs a test on a new, empty database of every kind.
func Each(t *testing.T, test func(t *testing.T, database string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

// SQLite returns the name of a database for store.Open.
func SQLite(tb testing.TB) string {
	tb.Helper()
	return "sqlite:" + filepath.Join(tb.TempDir(), "control.db")
}

// Postgres returns the name of a database for store.Open, on a server that the
// package's tests share. Where the server is not installed the test is skipped;
// in CI (CI=true) it fails.
func Postgres(tb testing.TB) string {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = start()
	}
	switch {
	case errors.Is(shared.err, exec.ErrNotFound) && os.Getenv("CI") != "true":
		tb.Skipf("%v: apt-get install %s", shared.err, debian)
	case shared.err != nil:
		tb.Fatalf("starting PostgreSQL (apt-get install %s): %v", debian, shared.err)
	}
	name, err := shared.server.database()
	if err != nil {
		tb.Fatal(err)
	}
	return name
}

// start makes a cluster in a temporary folder and starts a server for it.
func start() (s *server, err error) {
	found, err := filepath.Glob(programs)
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("looking for %s: %w", programs, exec.ErrNotFound)
	}
	bin := filepath.Dir(slices.Max(found))
	dir, err := os.MkdirTemp("", "waypost-postgres-")
	if err != nil {
		return nil, err
	}
	s = &server{dir: dir, over: make(chan struct{})}
	attr, err := unprivileged(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "waypost", //nolint:gosec // from a fixed folder
		"--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
	initdb.SysProcAttr, initdb.Dir = attr, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(dir))
	}
	s.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", filepath.Join(dir, "data"), "-k", dir, //nolint:gosec // as above
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200", "-c", "log_min_messages=fatal")
	s.cmd.SysProcAttr, s.cmd.Dir = attr, dir
	if err := s.run(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.wait(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// run starts the server, which the kernel stops should this process be killed:
// that holds while the thread that started it lives.
func (s *server) run() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait() // stop kills it
		}
		close(s.over)
	}()
	return <-started
}

// unprivileged returns how to start programs that root must not run.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Geteuid() != 0 {
		return attr, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2, os.Chown(dir, int(uid), int(gid))); err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, nil
}

// url returns the name of one of the server's databases.
func (s *server) url(database string) string {
	return "postgres://waypost@/" + database + "?" + url.Values{"host": {s.dir}}.Encode()
}

// wait waits until the server answers.
func (s *server) wait() error {
	db, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for err = db.PingContext(ctx); err != nil; err = db.PingContext(ctx) {
		select {
		case <-s.over:
			return errors.Join(errors.New("the server ended"), db.Close())
		case <-ctx.Done():
			return errors.Join(err, db.Close())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return db.Close()
}

// database makes a database and returns its name for store.Open.
func (s *server) database() (string, error) {
	db, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		return "", err
	}
	s.count++
	name := "test" + strconv.Itoa(s.count)
	_, err = db.Exec("CREATE DATABASE " + strings.ToLower(name))
	return s.url(name), errors.Join(err, db.Close())
}

// stop ends the server at once and removes its files.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGQUIT) // it may have ended already
	<-s.over
	_ = os.RemoveAll(s.dir)
}
