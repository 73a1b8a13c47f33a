package netblock

import (
	"iter"
	"net/netip"
	"slices"
)

// Entry is one row of a raw table.
type Entry struct {
	// Prefix may have host bits, which are cleared. A v4-mapped v6 prefix of
	// 96 bits or more is its v4 prefix. An invalid prefix is left out.
	Prefix netip.Prefix
	// Value is what the prefix stands for: an AS number, a country, a number
	// of the caller's. A value of 0 is a row like any other: it hides the
	// rows around it.
	Value uint32
}

// Table is a raw table of prefixes, each with a value: what a file or a feed
// said, unreduced. Layers of a [Map] are compiled from it, and explain reads
// it.
//
// A Table never changes; any number of goroutines may read it. It costs 9
// bytes a v4 row and 21 a v6 row. The zero value and nil hold no rows.
type Table struct{ v4, v6 rows }

// NewTable returns a table of the entries. Of entries with the same prefix
// the last one counts. Entries in ascending order cost one pass, others a
// sort.
func NewTable(entries []Entry) *Table { return FromSeq(slices.Values(entries)) }

// FromSeq is [NewTable] for entries that are not in a slice.
func FromSeq(entries iter.Seq[Entry]) *Table {
	v4, v6 := rows{is4: true}, rows{}
	for e := range entries {
		x, n, is4, ok := splitPrefix(e.Prefix)
		switch {
		case !ok:
		case is4:
			v4.append(row{x, n, e.Value})
		default:
			v6.append(row{x, n, e.Value})
		}
	}
	return &Table{v4.sorted(), v6.sorted()}
}

// Lookup returns the longest prefix that covers a, and its value. ok is false
// when there is none or a is the zero Addr. For v4-mapped v6 it is a v4
// prefix. A few binary searches: 0.2 to 1 µs in a full table, for
// explain and tests rather than for each query.
func (t *Table) Lookup(a netip.Addr) (p netip.Prefix, value uint32, ok bool) {
	if t == nil || !a.IsValid() {
		return netip.Prefix{}, 0, false
	}
	x, is4 := split(a)
	r, n := t.family(is4), 128
	if is4 {
		n = 32
	}
	i := r.match(x, n)
	if i < 0 {
		return netip.Prefix{}, 0, false
	}
	hit := r.at(i)
	return hit.addr.prefix(hit.bits, is4), hit.value, true
}

// Len is the number of rows.
func (t *Table) Len() int {
	if t == nil {
		return 0
	}
	return t.v4.len() + t.v6.len()
}

// All yields the rows, v4 before v6, by ascending address and then length.
func (t *Table) All() iter.Seq2[netip.Prefix, uint32] {
	return func(yield func(netip.Prefix, uint32) bool) {
		for _, is4 := range []bool{true, false} {
			r := t.family(is4)
			for i := range r.len() {
				x := r.at(i)
				if !yield(x.addr.prefix(x.bits, is4), x.value) {
					return
				}
			}
		}
	}
}

// family returns the rows of one family, which are empty for a nil table.
func (t *Table) family(is4 bool) *rows {
	switch {
	case t == nil:
		return &rows{is4: is4}
	case is4:
		return &t.v4
	default:
		return &t.v6
	}
}

// Get returns the value of the row of exactly the prefix p; ok is false when
// there is none. A binary search: 0.1 to 0.3 µs in a full table.
func (t *Table) Get(p netip.Prefix) (value uint32, ok bool) {
	x, n, is4, ok := splitPrefix(p)
	if !ok {
		return 0, false
	}
	r := t.family(is4)
	i := r.search(x, n)
	if i == r.len() || r.bits[i] != uint8(n) || r.addr(i) != x {
		return 0, false
	}
	return r.value[i], true
}
