package store

import (
	"context"
	"time"

	"github.com/waypost/waypost/control/registry"
)

// An Event is a line of the audit log: what became of one object.
type Event struct {
	Change int64 // objects of one [Store.Apply] have the same
	At     time.Time
	Who    string
	Kind   registry.Kind
	Key    string

	// Before and After are the object as JSON without its secrets; "": none.
	Before, After string
}

// An EventFilter says which events are wanted. Empty fields are for all.
type EventFilter struct {
	Kind  registry.Kind
	Key   string
	Who   string
	Until int64     // only changes before this one, to turn pages
	Since time.Time // only changes at this time or later
	Limit int       // how many; 0: 100
}

// Audit returns lines of the audit log, the newest first.
func (s *Store) Audit(ctx context.Context, f EventFilter) (events []Event, err error) {
	if f.Limit == 0 {
		f.Limit = 100
	}
	var w where
	w.is("kind", string(f.Kind))
	w.is("key", f.Key)
	w.is("who", f.Who)
	if f.Until != 0 {
		w.add("change < %s", f.Until)
	}
	if !f.Since.IsZero() {
		w.add("at >= %s", stamp(f.Since))
	}
	query := `SELECT change, at, who, kind, key, before, after FROM audit` + w.String() + ` ORDER BY change DESC, item DESC` + w.limit(f.Limit)
	err = each(ctx, s.read, func(scan func(...any) error) error {
		var e Event
		var at int64
		err = scan(&e.Change, &at, &e.Who, &e.Kind, &e.Key, &e.Before, &e.After)
		e.At = unstamp(at)
		events = append(events, e)
		return err
	}, query, w.args...)
	return events, wrap("reading the audit log", err)
}
