package bgp

import (
	"encoding/binary"
	"net/netip"
)

// A key is a prefix in 8 bytes, in the order of addresses and then lengths: the
// address from bit 63 on, the length in the last 8 bits. No kept prefix is
// longer than 48 bits.
type key uint64

// Longer prefixes are left out: they are not in the tables of others (RFC 7454
// section 6.1.3).
const (
	maxBitsV4, minBitsV4 = 24, 8
	maxBitsV6, minBitsV6 = 48, 16
)

// prefix returns the prefix of a key.
func (k key) prefix(family int) netip.Prefix {
	bits := int(k & 0xff)
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(k)&^0xff)
	if family == familyV4 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(b[:4])), bits)
	}
	return netip.PrefixFrom(netip.AddrFrom16(b), bits)
}

// A special is a prefix that nobody may announce.
type special struct {
	first uint64 // the address from bit 63 on
	bits  int
}

// bogons are what no AS originates, from the IANA registries of special-purpose
// addresses (RFC 6890) and, for v6, outside 2000::/3 (RFC 4291).
//
//nolint:gochecknoglobals // constant
var bogons = [families][]special{
	{
		{0x00000000 << 32, 8},
		{0x0a000000 << 32, 8},
		{0x64400000 << 32, 10},
		{0x7f000000 << 32, 8},
		{0xa9fe0000 << 32, 16},
		{0xac100000 << 32, 12},
		{0xc0000000 << 32, 24},
		{0xc0000200 << 32, 24},
		{0xc0a80000 << 32, 16},
		{0xc6120000 << 32, 15},
		{0xc6336400 << 32, 24},
		{0xcb007100 << 32, 24},
		{0xe0000000 << 32, 3},
	},
	{
		{0x0000 << 48, 3},
		{0x4000 << 48, 2},
		{0x8000 << 48, 1}, // outside 2000::/3
		{0x20010002 << 32, 48},
		{0x20010010 << 32, 28},
		{0x20010020 << 32, 28},
		{0x20010db8 << 32, 32},
		{0x3ffe << 48, 16},
		{0x3fff << 48, 20},
	},
}

// kept reports whether a prefix says something about its origin: no default
// route or half of one, none that is too long, no bogon.
func kept(family int, k key) bool {
	bits := int(k & 0xff)
	if family == familyV4 && (bits < minBitsV4 || bits > maxBitsV4) ||
		family == familyV6 && (bits < minBitsV6 || bits > maxBitsV6) {
		return false
	}
	for _, s := range bogons[family] {
		if bits >= s.bits && (uint64(k)^s.first)>>(64-s.bits) == 0 {
			return false
		}
	}
	return true
}

// cutPrefix reads the first prefix of a list (RFC 4271 section 4.3). Host bits
// are cleared; of a v6 prefix longer than 48 bits the rest of the address is
// lost, for it is not kept. ok is false where there is none.
func cutPrefix(family int, b []byte) (k key, rest []byte, ok bool) {
	most := 32
	if family == familyV6 {
		most = 128
	}
	bits := int(b[0])
	n := 1 + (bits+7)/8
	if bits > most || len(b) < n {
		return 0, nil, false
	}
	var a uint64
	if len(b) >= 9 { // most often: more follows
		a = binary.BigEndian.Uint64(b[1:])
	} else {
		var full [8]byte
		copy(full[:], b[1:n])
		a = binary.BigEndian.Uint64(full[:])
	}
	a &^= ^uint64(0) >> bits // a shift by 64 or more gives 0
	return key(a&^0xff | uint64(bits)), b[n:], true
}

// readable reports whether a list of prefixes can be read to its end.
func readable(family int, b []byte) bool {
	ok := true
	for ok && len(b) > 0 {
		_, b, ok = cutPrefix(family, b)
	}
	return ok
}
