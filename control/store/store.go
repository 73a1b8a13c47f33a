// Package store keeps what a control plane knows in a database: a file of its
// own by SQLite, or a PostgreSQL that several processes share. Both have one
// list of migrations and nearly the same statements; control/store/sqlite and
// control/store/postgres are the homes of their libraries.
//
//	registry   objects as JSON, who changed what ([Store.Apply], [Store.World], [Store.Audit])
//	content    numbers of directories, trees, listings, versions of metadata files
//	publishing sections and manifests
//	work       jobs and leases ([Store.Work], [Store.Acquire]), counts of answers
//
// The registry is small, a few thousand objects, and is handled as a whole: a
// [registry.World] is kept in memory and read anew when the change counter in
// the database has moved; a change is checked against all other objects. What
// is large is a blob: a tree of two million files has about 20 MB, a listing of
// 200,000 directories a few kilobytes.
//
// # Between processes
//
// Nothing listens: processes notice changes by polling ([Store.LastChange]).
// There are no advisory locks and no sessions with a state, so that databases
// that speak PostgreSQL's protocol and pools between will do. Leases and jobs
// go by the clocks of the processes, which should agree to some seconds: a
// clock that is wrong makes work be done twice, never by two that both count.
// Each holder has a fence, a number that grows with every holder, and what it
// writes counts only while the number is its own.
//
// # Why not River
//
// github.com/riverqueue/river 0.47 would be the queue to take. But a job there
// has no lease that its worker renews: those of a killed worker wait for a
// rescue after an hour or more by default, since River cannot tell them from
// long ones. It works by LISTEN and NOTIFY and an elected leader unless told to
// poll, brings migrations of its own beside ours, and calls its SQLite driver
// early testing. What we need is two statements on one table: jobs.go.
//
// A Store is for any number of goroutines.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/waypost/waypost/control/store/blob"
	"github.com/waypost/waypost/control/store/postgres"
	"github.com/waypost/waypost/control/store/sqlite"
)

// Config says which database to open.
type Config struct {
	// Database is sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE.
	Database string

	// Now is the clock; nil: [time.Now].
	Now func() time.Time
}

// A Store is an open database.
type Store struct {
	read, write *sql.DB // the same where a database has no need of two
	name        string
	now         func() time.Time
	skipLocked  string // makes a sub-select pass over rows that others are about to take
	mayRetry    func(error) bool
	codec       *blob.Codec

	registry atomic.Pointer[state] // as it was at its change; others may have changed it since

	trees sharedTrees

	mu          sync.Mutex
	directories directories // guarded by mu
}

// Errors that callers may look for by [errors.Is].
var (
	// ErrNotFound says that the database has no such thing.
	ErrNotFound = errors.New("there is no such thing")

	// ErrConflict says that somebody else has changed an object in between.
	ErrConflict = errors.New("somebody else has changed it")

	// ErrLost says that a lease or a job has passed to somebody else.
	ErrLost = errors.New("the lease has passed to somebody else")
)

// maxBlob is how large a tree or listing may be in memory.
const maxBlob = 2 << 30

// Open opens a database, and brings it to the newest migration. No error shows
// a password.
func Open(ctx context.Context, c Config) (*Store, error) { return open(ctx, c, migrations()) }

func open(ctx context.Context, c Config, list fs.FS) (*Store, error) {
	s := &Store{now: c.Now, mayRetry: func(error) bool { return false }}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	if s.codec, err = blob.New(maxBlob); err != nil {
		return nil, err
	}
	var dialect goose.Dialect
	scheme, rest, _ := strings.Cut(c.Database, ":")
	switch scheme {
	case "sqlite":
		dialect, s.name = goose.DialectSQLite3, c.Database
		s.read, s.write, err = sqlite.Open(rest)
	case "postgres", "postgresql":
		dialect, s.name = goose.DialectPostgres, postgres.Name(c.Database)
		s.skipLocked, s.mayRetry = " FOR UPDATE OF j SKIP LOCKED", postgres.MayRetry
		s.write, err = postgres.Open(ctx, c.Database)
		s.read = s.write
	default:
		return nil, fmt.Errorf("opening a database: want sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE, got the scheme %q", scheme)
	}
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx, dialect, list); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", s.name, err), s.Close())
	}
	return s, nil
}

// Name returns the database's name for logs and pages, without a password.
func (s *Store) Name() string { return s.name }

// Close closes the database. Whoever holds leases should release them before.
func (s *Store) Close() error {
	if s.read == s.write {
		return s.write.Close()
	}
	return errors.Join(s.read.Close(), s.write.Close())
}

// Ping reports why the database does not answer, nil if it does.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.read.PingContext(ctx); err != nil {
		return fmt.Errorf("asking %s for a sign of life: %w", s.name, err)
	}
	return nil
}

// migrate brings the database to the newest migration. Each is one transaction.
// Processes that start together stand in one another's way: all but one get an
// error, and find the work done when they look again.
func (s *Store) migrate(ctx context.Context, dialect goose.Dialect, list fs.FS) error {
	for try := 1; ; try++ {
		provider, err := goose.NewProvider(dialect, s.write, list, goose.WithDisableGlobalRegistry(true))
		if err == nil {
			_, err = provider.Up(ctx)
		}
		if err == nil || try == 5 {
			return wrap("migrating", err)
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// update runs f in a transaction that writes, again if another one was in its way.
func (s *Store) update(ctx context.Context, f func(tx *sql.Tx) error) error {
	for try := 1; ; try++ {
		err := s.once(ctx, f)
		if err == nil || try == 10 || !s.mayRetry(err) {
			return err
		}
		if err := pause(ctx, rand.N(time.Duration(try)*20*time.Millisecond)); err != nil { //nolint:gosec // jitter
			return err
		}
	}
}

func (s *Store) once(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return nil
}

// exec runs a statement in a transaction of its own and returns how many rows it changed.
func (s *Store) exec(ctx context.Context, query string, args ...any) (rows int64, err error) {
	err = s.update(ctx, func(tx *sql.Tx) error {
		rows, err = exec(ctx, tx, query, args...)
		return err
	})
	return rows, err
}

func exec(ctx context.Context, tx *sql.Tx, query string, args ...any) (int64, error) {
	result, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// raise adds n to a counter and returns its new value. The transaction holds
// the counter until it ends.
func raise(ctx context.Context, tx *sql.Tx, counter string, n int64) (value int64, err error) {
	err = tx.QueryRowContext(ctx, `UPDATE counters SET value = value + $1 WHERE name = $2 RETURNING value`, n, counter).Scan(&value)
	return value, wrap("raising the counter "+counter, err)
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// each calls f for every row; f scans it.
func each(ctx context.Context, q querier, f func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // what matters is rows.Err
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// wrap adds what was being done to an error, if it is one.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// found is like wrap, and calls a missing row [ErrNotFound].
func found(doing string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return wrap(doing, err)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// stamp returns a time as the database has it; 0 for none.
func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func unstamp(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
