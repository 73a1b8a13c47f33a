package netblock

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// addr is an address of either family, left-aligned in 128 bits: 192.0.2.1 is
// c000:0201::. So a prefix of n bits is the first n bits for both families,
// and one sweep, one block format and one look-up serve v4 and v6.
type addr struct{ hi, lo uint64 }

// mappedTag is bits 64 to 95 of a v4-mapped v6 address, whose first 64 bits
// are zero (RFC 4291 section 2.5.5.2).
const mappedTag = 0xffff

// words returns the two halves of a in its 16-byte form, where v4 is
// v4-mapped.
func words(a netip.Addr) (hi, lo uint64) {
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

// split normalises a: its left-aligned form and its family, with v4-mapped v6
// as v4.
func split(a netip.Addr) (x addr, is4 bool) {
	hi, lo := words(a)
	if hi == 0 && lo>>32 == mappedTag {
		return addr{hi: lo << 32}, true
	}
	return addr{hi, lo}, false
}

// splitPrefix normalises p: host bits cleared, a v4-mapped prefix of 96 bits
// or more turned into v4. ok is false for an invalid prefix.
func splitPrefix(p netip.Prefix) (x addr, n int, is4, ok bool) {
	if !p.IsValid() {
		return addr{}, 0, false, false
	}
	hi, lo := words(p.Addr())
	x, n = addr{hi, lo}, p.Bits()
	switch {
	case p.Addr().Is4():
		x, is4 = addr{hi: lo << 32}, true
	case n >= 96 && hi == 0 && lo>>32 == mappedTag:
		x, n, is4 = addr{hi: lo << 32}, n-96, true
	}
	return x.masked(n), n, is4, true
}

// prefix is the inverse of splitPrefix.
func (x addr) prefix(n int, is4 bool) netip.Prefix {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], x.hi)
	binary.BigEndian.PutUint64(b[8:], x.lo)
	if is4 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(b[:4])), n)
	}
	return netip.PrefixFrom(netip.AddrFrom16(b), n)
}

func (x addr) less(y addr) bool {
	return x.hi < y.hi || x.hi == y.hi && x.lo < y.lo
}

func (x addr) next() addr {
	lo, carry := bits.Add64(x.lo, 1, 0)
	return addr{x.hi + carry, lo}
}

func (x addr) prev() addr {
	lo, borrow := bits.Sub64(x.lo, 1, 0)
	return addr{x.hi - borrow, lo}
}

// hostMask has all bits after the first n set. A shift by 64 or more is zero
// in Go, so each half needs no case of its own but the one it lies wholly in.
func hostMask(n int) addr {
	if n >= 64 {
		return addr{0, ^uint64(0) >> (n - 64)}
	}
	return addr{^uint64(0) >> n, ^uint64(0)}
}

// masked clears all but the first n bits.
func (x addr) masked(n int) addr {
	m := hostMask(n)
	return addr{x.hi &^ m.hi, x.lo &^ m.lo}
}

// last is the last address of the prefix of n bits that starts at x.
func (x addr) last(n int) addr {
	m := hostMask(n)
	return addr{x.hi | m.hi, x.lo | m.lo}
}

// common is the number of leading bits that x and y share.
func (x addr) common(y addr) int {
	if x.hi != y.hi {
		return bits.LeadingZeros64(x.hi ^ y.hi)
	}
	return 64 + bits.LeadingZeros64(x.lo^y.lo)
}

// chunk is the d-th group of 16 bits.
func (x addr) chunk(d int) uint32 {
	if d >= 4 {
		return uint32(x.lo >> (112 - 16*d) & 0xffff)
	}
	return uint32(x.hi >> (48 - 16*d) & 0xffff)
}

// withChunk is x with another d-th group of 16 bits.
func (x addr) withChunk(d int, chunk uint32) addr {
	if d >= 4 {
		s := 112 - 16*d
		return addr{x.hi, x.lo&^(0xffff<<s) | uint64(chunk)<<s}
	}
	s := 48 - 16*d
	return addr{x.hi&^(0xffff<<s) | uint64(chunk)<<s, x.lo}
}
