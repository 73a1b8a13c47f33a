package bgp

import (
	"slices"

	"github.com/waypost/waypost/netblock"
)

// foldAt is how many prefixes may wait before they are made part of the table:
// for some 10 ms, during which answers may have to wait for a processor.
const foldAt = 1 << 15

// gone is what waits for a prefix that was withdrawn; others wait with their
// origin in the lower half.
const gone = 1 << 32

// A rib is what one session says: prefix → origin. Most of it is an immutable
// table of 9 and 21 bytes a row; what changed since the last fold waits in a
// map, where a later change of a prefix takes the place of an earlier one. So a
// full table costs as much as its columns, and the work of an update does not
// hang on how many there are.
//
// It is for one goroutine at a time.
type rib struct {
	table   *netblock.Table
	waiting [families]map[key]uint64
	adds    int // announcements that wait; some replace rows
	most    int // how many prefixes there may be; 0: any number
}

var _ sink = (*rib)(nil)

func newRIB(most int) *rib {
	return &rib{waiting: [families]map[key]uint64{{}, {}}, most: most}
}

func (r *rib) announce(family int, k key, origin uint32) {
	w := r.waiting[family]
	w[k] = uint64(origin)
	r.adds++
	if len(w) >= foldAt {
		r.fold()
	}
}

func (r *rib) withdraw(family int, k key) {
	r.waiting[family][k] = gone
}

// full reports whether there are more prefixes than there may be. It counts
// only where that is possible, since counting folds.
func (r *rib) full() bool {
	if r.most == 0 || r.table.Len()+r.adds <= r.most {
		return false
	}
	r.fold()
	return r.table.Len() > r.most
}

// fold makes what waits part of the table, and returns it in order; 10 ms for
// a full table.
func (r *rib) fold() []netblock.Change {
	n := len(r.waiting[familyV4]) + len(r.waiting[familyV6])
	if n == 0 {
		return nil
	}
	changes := make([]netblock.Change, 0, n)
	for f, w := range r.waiting {
		keys := make([]key, 0, len(w))
		for k := range w {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			changes = append(changes, netblock.Change{Prefix: k.prefix(f), Value: uint32(w[k]), Delete: w[k] == gone})
		}
		if len(w) > 1<<12 { // a map keeps the room that it once had
			r.waiting[f] = map[key]uint64{}
		} else {
			clear(w)
		}
	}
	r.adds = 0
	r.table = r.table.With(changes)
	return changes
}
