package netblock

import "math/bits"

// touched is what a rebuild sweeps anew.
type touched struct {
	cells cellSet
	keys  map[int]*cellSet // of a v6 cell, which may be large, only these /32; absent: all of it
}

// add adds the blocks that the prefix of n bits at x touches.
func (t *touched) add(x addr, n int, is4 bool) {
	first, last := int(x.chunk(0)), int(x.last(n).chunk(0))
	whole := is4 || n <= cellBits
	for c := first; c <= last; c++ {
		switch keys := t.keys[c]; {
		case whole:
			delete(t.keys, c)
		case keys != nil:
			keys.addRange(x.chunk(1), x.last(n).chunk(1))
		case !t.cells.has(c):
			keys = new(cellSet)
			keys.addRange(x.chunk(1), x.last(n).chunk(1))
			if t.keys == nil {
				t.keys = map[int]*cellSet{}
			}
			t.keys[c] = keys
		}
		t.cells.addRange(uint32(c), uint32(c))
	}
}

// len is the number of blocks.
func (t *touched) len() int {
	n := t.cells.len() - len(t.keys)
	for _, keys := range t.keys {
		n += keys.len()
	}
	return n
}

// rebuild sweeps what is touched anew and copies the rest.
func (f *family) rebuild(t *touched, s *sweeper) *family {
	cells := *f.cells
	out := &family{cells: &cells, pages: f.pages}
	for i := range out.pages {
		if t.cells.next(i*perPage) < (i+1)*perPage {
			out.rebuildPage(i, t, s)
		}
	}
	out.measure()
	return out
}

// rebuildPage replaces page i. In the old one the blocks below each cell are
// one stretch, and the stretches follow one another.
func (f *family) rebuildPage(i int, t *touched, s *sweeper) {
	old := stretch{page: f.pages[i]}
	e := encoder{page: make(page, 0, len(old.page)+len(old.page)/8)}
	for c := i * perPage; c < (i+1)*perPage; c++ {
		v, x := f.cells[c], addr{hi: uint64(c) << 48}
		switch keys := t.keys[c]; {
		case keys != nil:
			f.cells[c] = e.patch(old, v, x, keys, s)
		case t.cells.has(c):
			f.cells[c] = e.encode(s.ranges(x, cellBits), 1)
		case v&child != 0:
			f.cells[c] = e.copy(old, v)
		}
		if v&child != 0 {
			old.from = old.page.end(v)
		}
	}
	f.pages[i] = append(make(page, 0, len(e.page)), e.page...)
}

// stretch is the words of a page from an index on. They start with the blocks
// below the cell or key that comes next.
type stretch struct {
	page page
	from uint32
}

// copy copies the stretch that ends with the block of ref, and returns the
// reference to the copy.
func (e *encoder) copy(old stretch, ref uint32) uint32 {
	moved := ref + uint32(len(e.page)) - old.from
	e.page = append(e.page, old.page[old.from:old.page.end(ref)]...)
	return moved
}

// patch returns the new value of the cell at x, whose old one is v: the /32 in
// keys are swept, the others copied.
func (e *encoder) patch(old stretch, v uint32, x addr, keys *cellSet, s *sweeper) uint32 {
	spans, swept := e.spans[1][:0], keys.next(0) // the next key to sweep
	for _, o := range old.page.spans(v) {
		if o.value&child != 0 {
			if int(o.key) != swept {
				spans = join(spans, o.key, e.copy(old, o.value))
			}
			old.from = old.page.end(o.value)
		}
		for k := int(o.key); k < o.next; {
			switch {
			case k == swept:
				below := addr{hi: x.hi | uint64(k)<<32}
				spans = join(spans, uint32(k), e.encode(s.ranges(below, 2*cellBits), 2))
				k++
				swept = keys.next(k)
			case o.value&child == 0:
				spans = join(spans, uint32(k), o.value)
				k = min(swept, o.next)
			default:
				k++ // copied above
			}
		}
	}
	e.spans[1] = spans
	if len(spans) == 1 && spans[0].value&child == 0 {
		return spans[0].value
	}
	return e.block(spans)
}

// join appends a span unless it goes on with the class of the last one.
func join(spans []span, key, value uint32) []span {
	if n := len(spans); n > 0 && spans[n-1].value == value && value&child == 0 {
		return spans
	}
	return append(spans, span{key, value})
}

// oldSpan is a range of a block, up to before next.
type oldSpan struct {
	span
	next int
}

// spans returns the ranges of the block that v leads to, whose references hold
// indexes; one range if v is a class.
func (p page) spans(v uint32) []oldSpan {
	if v&child == 0 {
		return []oldSpan{{span{0, v & classMask}, cellsLen}}
	}
	at := v & indexMask
	start, n := p.ranges(v, at)
	out := make([]oldSpan, n)
	for i := range out {
		r := start + rangeWords*uint32(i)
		v := p.value(r)
		if v&child != 0 {
			v += at - 2*(v&indexMask) // the index in place of the distance
		}
		out[i] = oldSpan{span{uint32(p[r]), v}, int(p[r+rangeWords]-1) + 1}
	}
	return out
}

// measure adds the widths to the cells: each run of cells of a class is a
// range like those in a block.
func (f *family) measure() {
	for c, v := range f.cells {
		if v&child == 0 {
			f.cells[c] = v & classMask
		}
	}
	for first := 0; first < cellsLen; {
		v, next := f.cells[first], first+1
		for next < cellsLen && f.cells[next] == v {
			next++
		}
		for c := first; c < next && v&child == 0; c++ {
			f.cells[c] = v | uint32(widest(uint32(c), uint32(first), uint32(next)))<<widthShift
		}
		first = next
	}
}

// cellSet is a set of 16-bit numbers.
type cellSet [cellsLen / 64]uint64

func (s *cellSet) has(c int) bool { return s[c/64]>>(c%64)&1 != 0 }

// addRange adds the numbers from first to last.
func (s *cellSet) addRange(first, last uint32) {
	for c := first; c <= last; c++ {
		s[c/64] |= 1 << (c % 64)
	}
}

// next is the least member from c on, 65,536 if there is none.
func (s *cellSet) next(c int) int {
	for w := c / 64; w < len(s); w++ {
		if rest := s[w] >> max(c-64*w, 0); rest != 0 {
			return max(c, 64*w) + bits.TrailingZeros64(rest)
		}
	}
	return cellsLen
}

func (s *cellSet) len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}
