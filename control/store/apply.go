package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

// errNothing ends a transaction that would change nothing.
var errNothing = errors.New("nothing changes")

// An applying is one change of the registry while it is made.
type applying struct {
	tx     *sql.Tx
	who    string
	at     time.Time
	change int64
	before *state
}

// A row is an object that changes.
type row struct {
	ref

	object        registry.Object // nil: it ends
	doc           string
	before, after string // for the audit log
}

// apply makes the changes and returns the state after them.
func (a *applying) apply(ctx context.Context, changes []Change) (*state, error) {
	var rows []row
	var made []registry.Change
	var problems snapshot.Problems
	seen := map[ref]bool{}
	for _, c := range changes {
		kind, key := c.Of()
		r := row{ref: ref{kind, key}, object: c.Object}
		if seen[r.ref] {
			return nil, fmt.Errorf("%s %s: want one change of it, got two", kind, key)
		}
		seen[r.ref] = true
		changed, err := a.prepare(ctx, &r, c.Revision)
		if err != nil {
			return nil, err
		}
		if r.object != nil {
			problems = append(problems, r.object.Check()...)
		}
		if changed {
			rows = append(rows, r)
			made = append(made, registry.Change{Object: r.object, Kind: kind, Key: key})
		}
	}
	if problems != nil {
		return nil, problems
	}
	if len(rows) == 0 {
		return nil, errNothing
	}
	next := a.before.with(a.change, unstamp(stamp(a.at)), made)
	if err := newProblems(a.before.world, next.world); err != nil {
		return nil, err
	}
	for i, r := range rows {
		if err := a.write(ctx, i, r); err != nil {
			return nil, fmt.Errorf("writing %s %s: %w", r.kind, r.key, err)
		}
	}
	return next, nil
}

// prepare compares an object with what is there and reports whether it changes.
func (a *applying) prepare(ctx context.Context, r *row, revision int64) (changed bool, err error) {
	entry, exists := a.before.entries[r.ref]
	switch {
	case revision == New && exists:
		return false, fmt.Errorf("%s %s: it exists already: %w", r.kind, r.key, ErrConflict)
	case revision != New && !exists && (revision != Any || r.object == nil):
		return false, fmt.Errorf("%s %s: %w", r.kind, r.key, ErrNotFound)
	case revision > 0 && entry.Revision != revision:
		return false, fmt.Errorf("%s %s is at revision %d, not %d: %w", r.kind, r.key, entry.Revision, revision, ErrConflict)
	}
	old := ""
	if exists {
		if old, r.before, err = documents(entry.Object); err != nil {
			return false, err
		}
	}
	if r.object == nil {
		return true, nil
	}
	if h, ok := r.object.(*registry.Host); ok {
		if r.object, err = a.numbered(ctx, h, entry); err != nil {
			return false, err
		}
	}
	if r.doc, r.after, err = documents(r.object); err != nil || r.doc == old {
		return false, err
	}
	// kept as it would be read: what the caller does to its own does not matter
	kept := registry.New(r.kind)
	if err := json.Unmarshal([]byte(r.doc), kept); err != nil {
		return false, fmt.Errorf("reading %s %s back: %w", r.kind, r.key, err)
	}
	r.object = kept
	return true, nil
}

// documents returns an object as JSON, with and without its secrets.
func documents(o registry.Object) (doc, public string, err error) {
	d, err := json.Marshal(o)
	if err != nil {
		return "", "", fmt.Errorf("encoding %s: %w", registry.Name(o), err)
	}
	p, err := json.Marshal(o.Redacted())
	if err != nil {
		return "", "", fmt.Errorf("encoding %s: %w", registry.Name(o), err)
	}
	return string(d), string(p), nil
}

// numbered returns a copy of a host with its number.
func (a *applying) numbered(ctx context.Context, h *registry.Host, before Entry) (*registry.Host, error) {
	numbered := *h
	old, exists := before.Object.(*registry.Host)
	switch {
	case exists && h.Number != 0 && h.Number != old.Number:
		return nil, fmt.Errorf("host %s: number: want %d as before or none, got %d", h.Key(), old.Number, h.Number)
	case exists:
		numbered.Number = old.Number
	case h.Number == 0:
		n, err := raise(ctx, a.tx, "host", 1)
		if err != nil {
			return nil, err
		}
		numbered.Number = n
	default:
		if _, err := exec(ctx, a.tx, `UPDATE counters SET value = $1 WHERE name = 'host' AND value < $1`, h.Number); err != nil {
			return nil, err
		}
	}
	return &numbered, nil
}

// write writes an object and a line of the audit log.
func (a *applying) write(ctx context.Context, item int, r row) error {
	var err error
	if r.object == nil {
		err = a.delete(ctx, r.ref)
	} else {
		_, err = exec(ctx, a.tx, `INSERT INTO objects (kind, key, revision, doc, updated_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (kind, key) DO UPDATE SET revision = excluded.revision, doc = excluded.doc, updated_at = excluded.updated_at`,
			r.kind, r.key, a.change, r.doc, stamp(a.at))
	}
	if err != nil {
		return err
	}
	_, err = exec(ctx, a.tx, `INSERT INTO audit (change, item, at, who, kind, key, before, after) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		a.change, item, stamp(a.at), a.who, r.kind, r.key, r.before, r.after)
	return err
}

// delete deletes an object, and what was seen of it.
func (a *applying) delete(ctx context.Context, r ref) error {
	if _, err := exec(ctx, a.tx, `DELETE FROM objects WHERE kind = $1 AND key = $2`, r.kind, r.key); err != nil {
		return err
	}
	switch r.kind {
	case registry.KindHost:
		return a.forget(ctx, "host", r.key)
	case registry.KindCategory:
		if err := a.forget(ctx, "category", r.key); err != nil {
			return err
		}
		return forgetScans(ctx, a.tx, r.key)
	}
	return nil
}

// forget deletes what was seen of a host or of a category, which column says.
func (a *applying) forget(ctx context.Context, column, key string) error {
	for _, table := range []string{"listings", "crawls", "standings"} {
		if _, err := exec(ctx, a.tx, `DELETE FROM `+table+` WHERE `+column+` = $1`, key); err != nil {
			return err
		}
	}
	return nil
}
