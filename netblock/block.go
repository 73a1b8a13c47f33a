package netblock

import "math/bits"

// A block is what one value of 16 address bits leads to when its addresses
// are not all of one class: sorted ranges of the next 16 bits. Blocks lie in
// a page, a slice of 16-bit words:
//
//	1 word        number of ranges, less one
//	2^k+1 words   from radixMin ranges on: for the keys whose first k bits are
//	              0, 1, 2…, the range that the first of them is in; then the last range
//	n words       first key of each range, ascending; the first is 0
//	1 word        0: the first key after the last range, 65536, cut to 16 bits
//	2n words      value of each range, lower half first
//
// A value is a class, or, with bit 31 set and for a range of one key only, the
// distance in words back to the block for the next 16 bits. Blocks come after
// the blocks they lead to, so a block and everything below it is one stretch
// of words that means the same wherever it is copied.
//
// A block of up to about ten ranges is in one or two cache lines, and most are.
type page []uint16

const (
	// child marks a value that leads to another block.
	child = 1 << 31

	// carved is the class of ::ffff:0:0/96 on the v6 side; no look-up comes
	// there.
	carved = child - 1

	// radixMin is the number of ranges from which a block has the first
	// column. With k = radixBits(n), two to four ranges remain to search on
	// average, for less than one byte a range.
	radixMin = 16
)

func radixBits(n int) int { return bits.Len(uint(n)) - 2 } //nolint:gosec // n > 0

// span is one range of a block under construction.
type span struct{ key, value uint32 }

// appendBlock appends a block of n ≥ 2 spans; values that lead to a child hold
// its index in p.
func (p page) appendBlock(spans []span) page {
	at := len(p)
	p = append(p, uint16(len(spans)-1)) //nolint:gosec // 1 to 65535
	if len(spans) >= radixMin {
		p = p.appendRadix(spans)
	}
	for _, s := range spans {
		p = append(p, uint16(s.key)) //nolint:gosec // 16 bits
	}
	p = append(p, 0)
	for _, s := range spans {
		v := s.value
		if v&child != 0 {
			v = child | (uint32(at) - v&^child) //nolint:gosec // a page has fewer than 2^31 words
		}
		p = append(p, uint16(v), uint16(v>>16)) //nolint:gosec // both halves
	}
	return p
}

func (p page) appendRadix(spans []span) page {
	k := radixBits(len(spans))
	i := 0
	for b := range uint32(1) << k {
		first := b << (16 - k)
		for i+1 < len(spans) && spans[i+1].key <= first {
			i++
		}
		p = append(p, uint16(i)) //nolint:gosec // below 65536
	}
	return append(p, uint16(len(spans)-1)) //nolint:gosec // below 65536
}

// columns returns the number of ranges of the block at off and where its keys
// and values start.
func (p page) columns(off uint32) (n, keys, values uint32) {
	n = uint32(p[off]) + 1
	keys = off + 1
	if n >= radixMin {
		keys += 1<<(bits.Len32(n)-2) + 1
	}
	return n, keys, keys + n + 1
}

// end is the index after the block at off.
func (p page) end(off uint32) uint32 {
	n, _, values := p.columns(off)
	return values + 2*n
}

// find returns the value for a 16-bit key in the block at off, and the number
// of bits, 1 to 16, of the widest prefix of the key that is in the same range.
func (p page) find(off, key uint32) (value uint32, width int) {
	n := uint32(p[off]) + 1
	keys := off + 1
	i, count := uint32(0), n // the range is among count from i on
	if n >= radixMin {
		k := bits.Len32(n) - 2
		b := keys + key>>(16-k)
		i = uint32(p[b])
		count = uint32(p[b+1]) - i + 1
		keys += 1<<k + 1
	}
	at := keys + i
	for count > 1 { // without branches on keys: they would be guessed wrong half the time
		half := count >> 1
		later := uint32(int32(key-uint32(p[at+half])) >> 31) //nolint:gosec // all ones if the key is before
		at += half &^ later
		count -= half
	}
	v := keys + n + 1 + 2*(at-keys)
	value = uint32(p[v]) | uint32(p[v+1])<<16
	return value, widest(key, uint32(p[at]), uint32(p[at+1]-1)+1)
}

// widest is the number of bits, 0 to 16, of the widest prefix around key that
// lies in the range from first to before next. It must exclude first-1 and
// next, so it is one bit longer than the longer of what key shares with them.
// The 17th bit, set on key, keeps -1 and 65536 apart from every key.
func widest(key, first, next uint32) int {
	const one = 1 << 16
	x := one | key
	return bits.LeadingZeros32(min(x^(one+first-1), x^(one+next))) - 15
}
