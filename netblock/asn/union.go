package asn

import (
	"slices"

	"github.com/waypost/waypost/netblock"
)

// A Union is one table of prefix → origin AS made of those of several sources,
// in order of preference: of the sources that have a prefix, the first one that
// knows its origin counts; where none knows it, the prefix has the origin 0. The
// order is that of the slots and not of arrival, so what the union says depends
// on what the sources say now and on nothing else.
//
// Sources are files, and sessions that bring changes while they last: each
// owns a slot. Where only one slot has rows, the union is that table itself and
// costs nothing more; else it is a table of its own.
//
// It is for one goroutine at a time; the tables it returns never change.
type Union struct {
	slots []*netblock.Table
	table *netblock.Table
}

// NewUnion returns a union of n sources, none of which has rows yet.
func NewUnion(n int) *Union { return &Union{slots: make([]*netblock.Table, n)} }

// Table returns the union; nil is one without rows.
func (u *Union) Table() *netblock.Table { return u.table }

// Slots returns the number of sources.
func (u *Union) Slots() int { return len(u.slots) }

// Slot returns the table of source i.
func (u *Union) Slot(i int) *netblock.Table { return u.slots[i] }

// Set puts the table of source i in place of its last one, and returns the
// changes that this makes to the union. changes are those between the two, as
// for [netblock.Map.With]; nil: they are not known, and the tables are
// compared. The result is nil where a whole table came or went: to list its
// rows would take several times its memory.
func (u *Union) Set(i int, t *netblock.Table, changes []netblock.Change) []netblock.Change {
	if u.slots[i] == t && t.Len() > 0 {
		return []netblock.Change{}
	}
	before, was, known := u.slots[i], u.only(), changes != nil
	u.slots[i] = t
	if only := u.only(); only >= 0 {
		last := u.table
		u.table = u.slots[only]
		switch {
		case last.Len() == 0 || u.table.Len() == 0:
			return nil
		case known && only == i && was == i:
			return changes
		}
		return diff(last, u.table)
	}
	if !known {
		changes = diff(before, t)
	}
	out := make([]netblock.Change, 0, len(changes))
	for _, c := range changes {
		if now, differs := u.change(c); differs {
			out = append(out, now)
		}
	}
	u.table = u.table.With(slices.Clone(out))
	return out
}

// diff is what is different; never nil.
func diff(from, to *netblock.Table) []netblock.Change {
	if d := netblock.Diff(from, to); d != nil {
		return d
	}
	return []netblock.Change{}
}

// change returns what the slots now say of the prefix of c, and whether the
// union says something else so far.
func (u *Union) change(c netblock.Change) (netblock.Change, bool) {
	now := netblock.Change{Prefix: c.Prefix, Delete: true}
	for _, t := range u.slots {
		if v, ok := t.Get(c.Prefix); ok {
			now.Delete = false
			if now.Value = v; v != 0 {
				break
			}
		}
	}
	v, ok := u.table.Get(c.Prefix)
	return now, ok == now.Delete || ok && v != now.Value
}

// only returns the one slot that has rows, the first if none has, -1 if
// several have.
func (u *Union) only() int {
	only := -1
	for i, t := range u.slots {
		if t.Len() == 0 {
			continue
		}
		if only >= 0 {
			return -1
		}
		only = i
	}
	return max(only, 0)
}
