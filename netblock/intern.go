package netblock

import (
	"hash/maphash"
	"slices"
)

// interned numbers distinct tuples in the order in which they are first seen.
// It is a hash table with open addressing rather than a Go map because
// [Map.With] copies it: two memory copies, and only when there is something
// new.
type interned struct {
	tuples []Tuple  // by class
	slots  []uint32 // class+1, or 0; a power of two, at most three quarters full
	seed   maphash.Seed
	shared bool // another Map reads tuples and slots: copy before writing
}

func newInterned() interned {
	t := interned{slots: make([]uint32, 1<<10), seed: maphash.MakeSeed()}
	t.class(Tuple{}) // class 0
	return t
}

// share returns t for a second owner.
func (t interned) share() interned {
	t.shared = true
	return t
}

// class returns the number of x, a new one if x is new.
func (t *interned) class(x Tuple) Class {
	i := t.slot(x)
	if s := t.slots[i]; s != 0 {
		return Class(s - 1)
	}
	if t.shared {
		t.tuples, t.slots, t.shared = slices.Clone(t.tuples), slices.Clone(t.slots), false
	}
	t.tuples = append(t.tuples, x)
	n := uint32(len(t.tuples))
	if len(t.tuples) > len(t.slots)/4*3 {
		t.grow()
	} else {
		t.slots[i] = n
	}
	return Class(n - 1)
}

// slot is where x is, or the free slot where it belongs.
func (t *interned) slot(x Tuple) uint64 {
	mask := uint64(len(t.slots) - 1)
	for i := maphash.Comparable(t.seed, x) & mask; ; i = (i + 1) & mask {
		if s := t.slots[i]; s == 0 || t.tuples[s-1] == x {
			return i
		}
	}
}

func (t *interned) grow() {
	t.slots = make([]uint32, 2*len(t.slots))
	for c, x := range t.tuples {
		t.slots[t.slot(x)] = uint32(c + 1)
	}
}
