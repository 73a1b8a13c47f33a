package bgp

import (
	"cmp"
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
	size    int // prefixes, with what waits; before the first fold at least as many as there are

	// Before the first fold nothing is looked up: all is written down, and
	// sorted once. A full table that way makes a tenth of the garbage.
	first [families][][]logged
	seq   uint64
	later bool // the first fold is over
	most  int  // how many prefixes there may be; 0: any number
}

var _ sink = (*rib)(nil)

// logged is a prefix and, from the lower half up, its origin, gone, and a
// number that grows.
type logged struct {
	key   key
	value uint64
}

const (
	seqShift = 33
	chunkLen = 1 << 15
	maxFirst = 1 << 22 // entries, 64 MiB
)

// log writes down what is said before the first fold.
func (r *rib) log(family int, k key, value uint64) {
	chunks := r.first[family]
	if n := len(chunks); n == 0 || len(chunks[n-1]) == chunkLen {
		chunks = append(chunks, make([]logged, 0, chunkLen))
		r.first[family] = chunks
	}
	last := &chunks[len(chunks)-1]
	*last = append(*last, logged{k, r.seq<<seqShift | value})
	if r.seq++; r.seq == maxFirst {
		r.fold()
	}
}

// foldFirst makes the table of all that was written down.
func (r *rib) foldFirst() {
	r.table = netblock.FromSeq(func(yield func(netblock.Entry) bool) {
		for f, chunks := range r.first {
			all := slices.Concat(chunks...)
			r.first[f] = nil // the copy is enough
			slices.SortFunc(all, func(a, b logged) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.value, b.value)) })
			for i, x := range all {
				superseded := i+1 < len(all) && all[i+1].key == x.key
				if !superseded && x.value&gone == 0 && !yield(netblock.Entry{Prefix: x.key.prefix(f), Value: uint32(x.value)}) {
					return
				}
			}
		}
	})
	r.first, r.later, r.size = [families][][]logged{}, true, r.table.Len()
}

func newRIB(most int) *rib {
	return &rib{waiting: [families]map[key]uint64{{}, {}}, most: most}
}

func (r *rib) announce(family int, k key, origin uint32) {
	if !r.later {
		r.size++
		r.log(family, k, uint64(origin))
		return
	}
	if !r.has(family, k) {
		r.size++
	}
	r.wait(family, k, uint64(origin))
}

// withdraw takes a prefix out. One that is not there costs no memory, however
// many of them a peer withdraws.
func (r *rib) withdraw(family int, k key) {
	switch {
	case !r.later:
		r.log(family, k, gone)
	case r.has(family, k):
		r.size--
		r.wait(family, k, gone)
	}
}

// wait notes a change until the next fold.
func (r *rib) wait(family int, k key, value uint64) {
	w := r.waiting[family]
	w[k] = value
	if len(w) >= foldAt {
		r.fold()
	}
}

// has reports whether a prefix is there, with what waits.
func (r *rib) has(family int, k key) bool {
	if v, ok := r.waiting[family][k]; ok {
		return v != gone
	}
	_, ok := r.table.Get(k.prefix(family))
	return ok
}

// full reports whether there are more prefixes than there may be. Before the
// first fold it may have to fold to tell; later it is free.
func (r *rib) full() bool {
	if r.most == 0 || r.size <= r.most {
		return false
	}
	if !r.later {
		r.fold()
	}
	return r.size > r.most
}

// fold makes what waits part of the table, and returns it in order; nil the
// first time. It takes 10 ms with a full table, and 0.3 s to make one.
func (r *rib) fold() []netblock.Change {
	if !r.later {
		r.foldFirst()
		return nil
	}
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
	r.table = r.table.With(changes)
	return changes
}
