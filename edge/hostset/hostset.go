// Package hostset has sets of hosts as bit sets: the vocabulary in which
// index, match, pick and health talk about mirrors.
//
// A host is its number in the index that is in use. All sets of one index
// have the same number of words, so that and, or, and-not of two sets are
// short loops: 450 hosts are 8 words. Sets made by an index are immutable;
// the others belong to whoever made them.
package hostset

import "math/bits"

// A Set is a set of host numbers, bit n%64 of word n/64 for each.
type Set []uint64

// Words returns how many words a set of hosts hosts needs.
func Words(hosts int) int { return (hosts + 63) / 64 }

// Make returns an empty set for hosts hosts.
func Make(hosts int) Set { return make(Set, Words(hosts)) }

// Full returns the set of the hosts 0 to hosts-1.
func Full(hosts int) Set {
	s := Make(hosts)
	for h := range uint32(hosts) {
		s.Add(h)
	}
	return s
}

// Add puts h, which must fit, into the set.
func (s Set) Add(h uint32) { s[h/64] |= 1 << (h % 64) }

// Remove takes h, which must fit, out of the set.
func (s Set) Remove(h uint32) { s[h/64] &^= 1 << (h % 64) }

// Has reports whether h is in the set; false where h does not fit.
func (s Set) Has(h uint32) bool { return int(h/64) < len(s) && s[h/64]>>(h%64)&1 != 0 }

// Empty reports whether no host is in the set.
func (s Set) Empty() bool {
	for _, w := range s {
		if w != 0 {
			return false
		}
	}
	return true
}

// Len returns the number of hosts in the set.
func (s Set) Len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// Copy makes s equal to t.
func (s Set) Copy(t Set) { copy(s, t) }

// Clear empties the set.
func (s Set) Clear() { clear(s) }

// Or adds the hosts of t, which may be nil: empty.
func (s Set) Or(t Set) {
	for i, w := range t {
		s[i] |= w
	}
}

// And keeps only the hosts that are in t too.
func (s Set) And(t Set) {
	for i := range s {
		s[i] &= t[i]
	}
}

// AndNot takes the hosts of t, which may be nil, out of the set.
func (s Set) AndNot(t Set) {
	for i, w := range t {
		s[i] &^= w
	}
}

// Intersects reports whether some host is in both sets.
func (s Set) Intersects(t Set) bool {
	for i, w := range t {
		if s[i]&w != 0 {
			return true
		}
	}
	return false
}

// Next returns the smallest host ≥ from in the set, or -1.
//
//	for h := s.Next(0); h >= 0; h = s.Next(h + 1) { … }
func (s Set) Next(from int) int {
	i := from / 64
	if i >= len(s) {
		return -1
	}
	w := s[i] >> (from % 64)
	if w != 0 {
		return from + bits.TrailingZeros64(w)
	}
	for i++; i < len(s); i++ {
		if s[i] != 0 {
			return i*64 + bits.TrailingZeros64(s[i])
		}
	}
	return -1
}

// Each calls f with every host in the set, in order. It is for the slow path.
func (s Set) Each(f func(h uint32)) {
	for h := s.Next(0); h >= 0; h = s.Next(h + 1) {
		f(uint32(h))
	}
}
