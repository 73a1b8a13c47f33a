package vote

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Drain is an operator's order to take a host or an edge out, or to take it
// back in. It ends by itself. It says how long it has left, not when it ends:
// clocks of edges differ.
type Drain struct {
	Edge    bool // an edge, whose votes do not count; else a host
	Name    string
	On      bool // false: taken back in, before its time
	Counter uint64
	Author  string // the edge at which it was ordered
	Left    time.Duration
}

// Check returns what is wrong with an order that comes from a file; nil if
// nothing is. How long it has left is not looked at.
func (d *Drain) Check() error {
	switch {
	case len(d.Name) > maxName:
		return fmt.Errorf("name: want at most %d bytes, got %d", maxName, len(d.Name))
	case len(d.Author) > maxName:
		return fmt.Errorf("author: want at most %d bytes, got %d", maxName, len(d.Author))
	case d.Counter >= maxVersion:
		return fmt.Errorf("counter: want less than %d, got %d", uint64(maxVersion), d.Counter)
	}
	return nil
}

// MaxDrain is the longest time for which something can be drained.
const MaxDrain = 30 * 24 * time.Hour

// Drains has the newest order for each host and edge. Times are passed in, and
// only compared with one another. The zero value is not ready; use [NewDrains].
type Drains struct {
	orders map[drained]order
}

type drained struct {
	edge bool
	name string
}

type order struct {
	on      bool
	counter uint64
	author  string
	ends    time.Time
}

// NewDrains returns no drains.
func NewDrains() *Drains { return &Drains{orders: map[drained]order{}} }

// Order makes an order that is newer than all that are known for what it names.
func (d *Drains) Order(now time.Time, what Drain) Drain {
	known, ok := d.orders[drained{what.Edge, what.Name}]
	what.Counter = known.counter + 1
	if left := known.ends.Sub(now); !what.On && ok {
		what.Left = left // it must outlive the order that it takes back
	}
	what.Left = min(max(what.Left, 0), MaxDrain)
	d.Merge(now, what)
	return what
}

// Merge takes an order in and reports whether it is news. Of two, that with the
// higher counter counts; of one that comes twice, the earlier end.
func (d *Drains) Merge(now time.Time, what Drain) bool {
	d.expire(now)
	if what.Left <= 0 {
		return false
	}
	key := drained{what.Edge, what.Name}
	fresh := order{what.On, what.Counter, what.Author, now.Add(min(what.Left, MaxDrain))}
	known, ok := d.orders[key]
	if ok {
		switch cmp.Or(cmp.Compare(fresh.counter, known.counter), strings.Compare(fresh.author, known.author)) {
		case -1:
			return false
		case 0:
			if fresh.ends.Before(known.ends) {
				known.ends = fresh.ends
				d.orders[key] = known
			}
			return false
		}
	}
	d.orders[key] = fresh
	return true
}

// Has reports whether a host or an edge is drained.
func (d *Drains) Has(now time.Time, name string, edge bool) bool {
	o, ok := d.orders[drained{edge, name}]
	return ok && o.on && now.Before(o.ends)
}

// All returns all orders that have not ended, also those that took something
// back in, with the time they have left. They are in order of name.
func (d *Drains) All(now time.Time) []Drain {
	d.expire(now)
	all := make([]Drain, 0, len(d.orders))
	for key, o := range d.orders {
		all = append(all, Drain{key.edge, key.name, o.on, o.counter, o.author, o.ends.Sub(now)})
	}
	slices.SortFunc(all, func(a, b Drain) int {
		if a.Edge != b.Edge {
			return map[bool]int{false: -1, true: 1}[a.Edge]
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}

// Next returns when the next order ends; zero if there is none.
func (d *Drains) Next(now time.Time) (next time.Time) {
	d.expire(now)
	for _, o := range d.orders {
		if next.IsZero() || o.ends.Before(next) {
			next = o.ends
		}
	}
	return next
}

// expire forgets what has ended.
func (d *Drains) expire(now time.Time) {
	maps.DeleteFunc(d.orders, func(_ drained, o order) bool { return !now.Before(o.ends) })
}
