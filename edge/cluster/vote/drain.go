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
// clocks of edges differ. It is remembered for as long as any order that it
// replaces would last, lest that come back from an edge that was cut off.
type Drain struct {
	Edge    bool // an edge, whose votes do not count; else a host
	Name    string
	On      bool // false: taken back in, before its time
	Counter uint64
	Author  string        // the edge at which it was ordered
	Left    time.Duration // in force
	Kept    time.Duration // remembered; at least Left
}

// Compare orders two orders on the same host or edge, the older one first.
func (d *Drain) Compare(other *Drain) int {
	return cmp.Or(cmp.Compare(d.Counter, other.Counter), strings.Compare(d.Author, other.Author))
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
	until   time.Time // remembered
}

// NewDrains returns no drains.
func NewDrains() *Drains { return &Drains{orders: map[drained]order{}} }

// Order makes an order that is newer than all that are known for what it names.
func (d *Drains) Order(now time.Time, what Drain) Drain {
	known := d.orders[drained{what.Edge, what.Name}]
	what.Counter = known.counter + 1
	what.Left = min(max(what.Left, 0), MaxDrain)
	what.Kept = min(max(what.Left, known.until.Sub(now)), MaxDrain)
	d.Merge(now, what)
	return what
}

// Merge takes an order in and reports whether it is news. Of two, that with the
// higher counter counts; of one that comes twice, the earlier end. All are
// remembered for as long as the longest.
func (d *Drains) Merge(now time.Time, what Drain) bool {
	d.expire(now)
	key := drained{what.Edge, what.Name}
	known, ok := d.orders[key]
	left := min(max(what.Left, 0), MaxDrain)
	kept := min(max(left, what.Kept), MaxDrain)
	if kept <= 0 || what.Counter > known.counter+leap {
		return false
	}
	fresh := order{what.On, what.Counter, what.Author, now.Add(left), now.Add(kept)}
	newer := 1
	if ok {
		newer = cmp.Or(cmp.Compare(fresh.counter, known.counter), strings.Compare(fresh.author, known.author))
		if known.until.After(fresh.until) {
			fresh.until = known.until
		}
		if newer < 0 || newer == 0 && known.ends.Before(fresh.ends) {
			known.until = fresh.until
			fresh = known
		}
	}
	d.orders[key] = fresh
	return newer > 0
}

// Has reports whether a host or an edge is drained.
func (d *Drains) Has(now time.Time, name string, edge bool) bool {
	return now.Before(d.Until(name, edge))
}

// Hosts returns the hosts that are drained, in order; nil if none is.
func (d *Drains) Hosts(now time.Time) (hosts []string) {
	for key := range d.orders {
		if !key.edge && d.Has(now, key.name, false) {
			hosts = append(hosts, key.name)
		}
	}
	slices.Sort(hosts)
	return hosts
}

// Count returns how many hosts and edges are drained.
func (d *Drains) Count(now time.Time) (hosts, edges int) {
	for key := range d.orders {
		switch {
		case !d.Has(now, key.name, key.edge):
		case key.edge:
			edges++
		default:
			hosts++
		}
	}
	return hosts, edges
}

// Until returns when the order ends by which a host or an edge is drained; zero:
// there is none.
func (d *Drains) Until(name string, edge bool) time.Time {
	if o, ok := d.orders[drained{edge, name}]; ok && o.on {
		return o.ends
	}
	return time.Time{}
}

// All returns all orders that are remembered, also those that have ended or took
// something back in, with the time they have left. They are in order of name.
func (d *Drains) All(now time.Time) []Drain {
	d.expire(now)
	all := make([]Drain, 0, len(d.orders))
	for key, o := range d.orders {
		all = append(all, Drain{key.edge, key.name, o.on, o.counter, o.author, max(o.ends.Sub(now), 0), o.until.Sub(now)})
	}
	slices.SortFunc(all, func(a, b Drain) int {
		if a.Edge != b.Edge {
			return map[bool]int{false: -1, true: 1}[a.Edge]
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}

// Next returns when the next order that is in force ends; zero if there is none.
func (d *Drains) Next(now time.Time) (next time.Time) {
	for _, o := range d.orders {
		if o.on && now.Before(o.ends) && (next.IsZero() || o.ends.Before(next)) {
			next = o.ends
		}
	}
	return next
}

// expire forgets what need not be remembered.
func (d *Drains) expire(now time.Time) {
	maps.DeleteFunc(d.orders, func(_ drained, o order) bool { return !now.Before(o.until) })
}
