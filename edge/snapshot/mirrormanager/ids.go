package mirrormanager

import (
	"encoding/binary"
	"iter"
	"math/bits"

	"github.com/waypost/waypost/edge/snapshot"
)

// smallIDs is up to where ids are looked up in a slice; registries number from 1.
const smallIDs = 1 << 16

// numbers gives ids small numbers in the order in which they are first seen.
type numbers struct {
	ids   []int64  // by number
	small []uint32 // by id: number + 1, 0 for none
	large map[int64]uint32
}

// of returns id's number, a new one if id is new.
func (n *numbers) of(id int64) uint32 {
	if uint64(id) < uint64(len(n.small)) && n.small[id] != 0 {
		return n.small[id] - 1
	}
	return n.slow(id)
}

func (n *numbers) slow(id int64) uint32 {
	if number, ok := n.large[id]; ok {
		return number
	}
	number := uint32(len(n.ids))
	n.ids = append(n.ids, id)
	if id < 0 || id >= smallIDs {
		if n.large == nil {
			n.large = map[int64]uint32{}
		}
		n.large[id] = number
		return number
	}
	if int(id) >= len(n.small) {
		n.small = append(n.small, make([]uint32, int(id)+1-len(n.small))...)
	}
	n.small[id] = number + 1
	return number
}

// interned are URL lists, each stored once.
type interned struct {
	number map[string]uint32
	ids    []int64
	end    []uint32 // by list: where it ends in ids
	key    []byte
}

// list returns the URL ids of a list.
func (t *interned) list(n uint32) []int64 {
	from := uint32(0)
	if n > 0 {
		from = t.end[n-1]
	}
	return t.ids[from:t.end[n]]
}

// of returns the number of a list with these URL ids.
func (t *interned) of(ids []int64) uint32 {
	t.key = t.key[:0]
	for _, id := range ids {
		t.key = binary.AppendVarint(t.key, id)
	}
	n, ok := t.number[string(t.key)]
	if !ok {
		n = uint32(len(t.end))
		t.number[string(t.key)] = n
		t.ids = append(t.ids, ids...)
		t.end = append(t.end, uint32(len(t.ids)))
	}
	return n
}

// A hostSets is a pair of sets of host numbers, written down as a string so that
// equal pairs are stored once: the length in words of the first, then both.
type hostSets string

// appendSets appends the pair of sets to dst.
func appendSets(dst []byte, global, held snapshot.Bitmap) []byte {
	global, held = trim(global), trim(held)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(global)))
	for _, w := range global {
		dst = binary.LittleEndian.AppendUint64(dst, w)
	}
	for _, w := range held {
		dst = binary.LittleEndian.AppendUint64(dst, w)
	}
	return dst
}

func trim(b snapshot.Bitmap) snapshot.Bitmap {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}

// words puts the pair into the given sets, which it returns grown.
func (s hostSets) words(global, held snapshot.Bitmap) (snapshot.Bitmap, snapshot.Bitmap) {
	global, held = global[:0], held[:0]
	split := binary.LittleEndian.Uint32([]byte(s[:4]))
	for at := 4; at < len(s); at += 8 {
		w := binary.LittleEndian.Uint64([]byte(s[at : at+8]))
		if uint32(len(global)) < split {
			global = append(global, w)
		} else {
			held = append(held, w)
		}
	}
	return global, held
}

// each yields the numbers in a set, in order.
func each(b snapshot.Bitmap) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for i, w := range b {
			for ; w != 0; w &= w - 1 {
				if !yield(uint32(i*64 + bits.TrailingZeros64(w))) {
					return
				}
			}
		}
	}
}
