package netblock

import "math/bits"

// A block is what one value of 16 address bits leads to when its addresses
// are not all of one class: sorted ranges of the next 16 bits. Blocks lie in
// a page, a slice of 16-bit words:
//
//	2^k+1 words   for the keys whose first k bits are 0, 1, 2…: the range that
//	              the first of them is in; then the last range
//	3n words      the ranges, ascending: first key, which is 0 for the first
//	              range, then the value, lower half first
//	1 word        0: the first key after the last range, 65536, cut to 16 bits
//
// A value is a class, or, for a range of one key only, a reference to the
// block for the next 16 bits: k and the distance in words back to it. Blocks
// come after the blocks they lead to, so a block and everything below it is
// one stretch of words that means the same wherever it is copied.
//
// So a look-up reads three places, each found from the one before, and most
// often in as many cache lines: the reference, one of the 2^k words and its
// neighbour, and the few ranges between.
type page []uint16

// Values are 32 bits:
//
//	bit 31 clear   bits 26 to 30: width, in cells only; bits 0 to 25: class
//	bit 31 set     bits 27 to 30: k; bits 0 to 26: index of a block, or distance
const (
	child      = 1 << 31
	widthShift = 26
	classMask  = 1<<widthShift - 1
	radixShift = 27
	radixMask  = 15
	indexMask  = 1<<radixShift - 1

	// carved is the class of ::ffff:0:0/96 on the v6 side; no look-up comes
	// there.
	carved = classMask
)

// rangeWords is the length of a range in a block.
const rangeWords = 3

// radixBits is the k of a block of n ranges: two to four ranges begin in each
// of its 2^k parts on average, at the cost of up to one byte a range. Twice and
// four times as many parts were no faster on the real table.
func radixBits(n int) int {
	if n <= 4 {
		return 0
	}
	return min(bits.Len(uint(n))-2, radixMask)
}

// span is one range of a block under construction.
type span struct{ key, value uint32 }

// appendBlock appends a block of n ≥ 2 spans, in which references hold an index
// in p, and returns a reference to it.
func (p page) appendBlock(spans []span) (longer page, ref uint32) {
	at, k := uint32(len(p)), radixBits(len(spans))
	p = p.appendRadix(spans, k)
	for _, s := range spans {
		v := s.value
		if v&child != 0 {
			v += at - 2*(v&indexMask) // the distance in place of the index
		}
		p = append(p, uint16(s.key), uint16(v), uint16(v>>16))
	}
	p = append(p, 0)
	if len(p) > indexMask {
		panic("netblock: more than 256 MiB of ranges in one /8")
	}
	return p, child | uint32(k)<<radixShift | at
}

func (p page) appendRadix(spans []span, k int) page {
	i := 0
	for b := range uint32(1) << k {
		first := b << (16 - k)
		for i+1 < len(spans) && spans[i+1].key <= first {
			i++
		}
		p = append(p, uint16(i))
	}
	return append(p, uint16(len(spans)-1))
}

// ranges returns where the ranges of the block at index at, with k of ref,
// start, and how many there are.
func (p page) ranges(ref, at uint32) (start, n uint32) {
	last := at + 1<<(ref>>radixShift&radixMask)
	return last + 1, uint32(p[last]) + 1
}

// end is the index after the block that ref, with an index, leads to.
func (p page) end(ref uint32) uint32 {
	start, n := p.ranges(ref, ref&indexMask)
	return start + rangeWords*n + 1
}

// value is the value of the range at index i. Its first key is p[i], the next
// range's p[i+rangeWords].
func (p page) value(i uint32) uint32 { return uint32(p[i+1]) | uint32(p[i+2])<<16 }

// locate returns the index of the range that the key is in, in the block at
// index at whose reference is ref.
//
// The steps have no branch on keys, which would be guessed wrong half the
// time: each goes ahead by a number of ranges unless the range there starts
// after the key. The last two, for up to four ranges, are always made.
func (p page) locate(ref, at, key uint32) uint32 {
	k := ref >> radixShift & radixMask
	part := at + key>>(16-k)
	i := uint32(p[part])
	n := uint32(p[part+1]) - i + 1 // the range is one of n from i on
	i = at + 1<<k + 1 + rangeWords*i
	for n > 4 { // rare in v4: many ranges in a small part
		half := n >> 1
		i = p.step(i, i+rangeWords*half, key)
		n -= half
	}
	last := i + rangeWords*(n-1)
	i = p.step(i, min(i+2*rangeWords, last), key)
	return p.step(i, min(i+rangeWords, last), key)
}

// step returns to if the range there starts at or before the key, else from.
func (p page) step(from, to, key uint32) uint32 {
	later := uint32(int32(key-uint32(p[to])) >> 31)
	return from + (to-from)&^later
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
