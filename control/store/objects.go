package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

// Revisions for [Change].
const (
	New int64 = 0  // the object must not exist
	Any int64 = -1 // whatever is there
)

// A Change is an object's new state, or its end.
type Change struct {
	registry.Change

	// Revision is the one that is to be changed: that of the [Entry] that was
	// read, [New] or [Any].
	Revision int64
}

// Put is the change to an object's new state.
func Put(o registry.Object, revision int64) Change {
	return Change{registry.Change{Object: o}, revision}
}

// Delete is the change to no object.
func Delete(kind registry.Kind, key string, revision int64) Change {
	return Change{registry.Change{Kind: kind, Key: key}, revision}
}

// An Entry is an object with its revision, which is the number of the change
// that wrote it.
type Entry struct {
	Object   registry.Object
	Revision int64
	Updated  time.Time
}

// A ref names an object.
type ref struct {
	kind registry.Kind
	key  string
}

// A state is the whole registry as of a change. It does not change.
type state struct {
	change  int64
	world   *registry.World
	entries map[ref]Entry
}

// LastChange returns the number of the registry's last change. It costs one
// small query: to notice what others do, ask every few seconds.
func (s *Store) LastChange(ctx context.Context) (change int64, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT value FROM counters WHERE name = 'change'`).Scan(&change)
	return change, wrap("reading the last change", err)
}

// World returns all objects, and the number of the last change in them. It is
// read from the database only if that has changed since: of 8,000 objects in
// about 0.1 s. The objects are shared; do not change them.
func (s *Store) World(ctx context.Context) (*registry.World, int64, error) {
	now, err := s.current(ctx)
	if err != nil {
		return nil, 0, err
	}
	return now.world, now.change, nil
}

// Get returns an object, or [ErrNotFound].
func (s *Store) Get(ctx context.Context, kind registry.Kind, key string) (Entry, error) {
	now, err := s.current(ctx)
	if err != nil {
		return Entry{}, err
	}
	entry, ok := now.entries[ref{kind, key}]
	if !ok {
		return Entry{}, fmt.Errorf("%s %s: %w", kind, key, ErrNotFound)
	}
	return entry, nil
}

// List returns all objects of a kind, sorted by key.
func (s *Store) List(ctx context.Context, kind registry.Kind) ([]Entry, error) {
	now, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	var list []Entry
	for r, entry := range now.entries {
		if r.kind == kind {
			list = append(list, entry)
		}
	}
	slices.SortFunc(list, func(a, b Entry) int { return strings.Compare(a.Object.Key(), b.Object.Key()) })
	return list, nil
}

// current returns the registry as it is now.
func (s *Store) current(ctx context.Context) (*state, error) {
	change, err := s.LastChange(ctx)
	if err != nil {
		return nil, err
	}
	if known := s.registry.Load(); known != nil && known.change == change {
		return known, nil
	}
	now, err := loadState(ctx, s.read)
	if err != nil {
		return nil, err
	}
	s.remember(now)
	return now, nil
}

// remember keeps a state unless a newer one is kept already.
func (s *Store) remember(now *state) {
	for {
		known := s.registry.Load()
		if known != nil && known.change >= now.change || s.registry.CompareAndSwap(known, now) {
			return
		}
	}
}

// loadState reads the registry and its last change in one statement, which sees
// both as of the same moment.
func loadState(ctx context.Context, q querier) (*state, error) {
	now := &state{entries: map[ref]Entry{}}
	var kind registry.Kind
	var key, doc string
	var revision, updated int64
	err := each(ctx, q, func(scan func(...any) error) error {
		if err := scan(&now.change, &kind, &key, &revision, &doc, &updated); err != nil || kind == "" {
			return err
		}
		object := registry.New(kind)
		if object == nil {
			return fmt.Errorf("%s %s: a newer version of this program wrote it: there is no such kind here", kind, key)
		}
		if err := json.Unmarshal([]byte(doc), object); err != nil {
			return fmt.Errorf("%s %s: %w", kind, key, err)
		}
		now.entries[ref{kind, key}] = Entry{object, revision, unstamp(updated)}
		return nil
	}, `SELECT c.value, COALESCE(o.kind, ''), COALESCE(o.key, ''), COALESCE(o.revision, 0), COALESCE(o.doc, ''), COALESCE(o.updated_at, 0)
		FROM counters c LEFT JOIN objects o ON o.kind <> '' WHERE c.name = 'change'`)
	if err != nil {
		return nil, wrap("reading the registry", err)
	}
	now.world = registry.NewWorld(func(yield func(registry.Object) bool) {
		for _, entry := range now.entries {
			if !yield(entry.Object) {
				return
			}
		}
	})
	return now, nil
}

// Apply makes changes, all or none, and returns the number of the change. who
// is for the audit log. Every object is checked by itself and with all others:
// what is wrong is an error of [snapshot.Problems]. An object of another
// revision than expected is [ErrConflict]. Objects that stay as they are do not
// count: where nothing changes, the number is that of the last change.
//
// A new host without a number is given one; a host without a number keeps what it had.
func (s *Store) Apply(ctx context.Context, who string, changes ...Change) (int64, error) {
	var next *state
	err := s.update(ctx, func(tx *sql.Tx) error {
		change, err := raise(ctx, tx, "change", 1) // from here on nobody else changes the registry
		if err != nil {
			return err
		}
		before := s.registry.Load()
		if before == nil || before.change != change-1 {
			if before, err = loadState(ctx, tx); err != nil {
				return err
			}
		}
		a := &applying{tx: tx, who: who, at: s.now(), change: change, before: before}
		next, err = a.apply(ctx, changes)
		return err
	})
	if errors.Is(err, errNothing) {
		return s.LastChange(ctx)
	}
	if err != nil {
		return 0, wrap("changing the registry", err)
	}
	s.remember(next)
	return next.change, nil
}

// newProblems returns the problems of a world that the one before did not have.
// Old ones, which a new version of this program may find, do not keep people
// from changing other things.
func newProblems(before, after *registry.World) error {
	problems := after.Check()
	if problems == nil {
		return nil
	}
	known := map[snapshot.Problem]bool{}
	for _, p := range before.Check() {
		known[p] = true
	}
	return slices.DeleteFunc(problems, func(p snapshot.Problem) bool { return known[p] }).Err()
}

// with returns the state after some changes were made.
func (s *state) with(change int64, at time.Time, changes []registry.Change) *state {
	next := &state{change: change, world: s.world.With(changes...), entries: maps.Clone(s.entries)}
	for _, c := range changes {
		kind, key := c.Of()
		if c.Object == nil {
			delete(next.entries, ref{kind, key})
		} else {
			next.entries[ref{kind, key}] = Entry{c.Object, change, at}
		}
	}
	return next
}
