package netblock

import "math/bits"

const (
	cellBits = 16
	cellsLen = 1 << cellBits
	pagesLen = 1 << 8
	perPage  = cellsLen / pagesLen
)

// family is the compiled map of v4 or of v6. Its first 16 address bits choose
// one of 65,536 cells, the independent blocks of which the map is built; the
// blocks below the cells of a /8 share a page. It is immutable: rebuild makes
// another one that shares the pages in which nothing changed.
type family struct {
	cells  *[cellsLen]uint32 // class; or child and the index of a block in the cell's page
	widths *[cellsLen]uint8  // for a cell with a class: bits of the widest prefix of that class around it
	pages  [pagesLen]page
}

func newFamily() *family {
	return &family{cells: new([cellsLen]uint32), widths: new([cellsLen]uint8)}
}

// lookup returns the class of a left-aligned address and the width of the
// widest prefix around it that has the class.
func (f *family) lookup(hi, lo uint64) (class uint32, width int) {
	c := hi >> 48
	v := f.cells[c]
	if v&child == 0 {
		return v, int(f.widths[c])
	}
	p, off := f.pages[hi>>56], v&^child
	for depth := cellBits; ; depth += 16 {
		hi, lo = hi<<16|lo>>48, lo<<16
		v, width = p.find(off, uint32(hi>>48)) //nolint:gosec // 16 bits
		if v&child == 0 {
			return v, depth + width
		}
		off -= v &^ child
	}
}

// rebuild sweeps the chosen cells anew and copies the others.
func (f *family) rebuild(chosen *cellSet, s *sweeper) *family {
	cells := *f.cells
	out := &family{cells: &cells, widths: new([cellsLen]uint8), pages: f.pages}
	for i := range out.pages {
		if chosen.page(i) {
			out.rebuildPage(i, chosen, s)
		}
	}
	out.measure()
	return out
}

// rebuildPage replaces page i. The blocks of its cells follow one another, so
// those of a cell that stays are copied as one stretch.
func (f *family) rebuildPage(i int, chosen *cellSet, s *sweeper) {
	old, copied := f.pages[i], uint32(0)
	e := encoder{page: make(page, 0, len(old)+len(old)/8)}
	for c := i * perPage; c < (i+1)*perPage; c++ {
		v := f.cells[c]
		if v&child != 0 {
			from, root := copied, v&^child
			copied = old.end(root)
			if !chosen.has(c) {
				f.cells[c] = child | uint32(len(e.page)) + root - from //nolint:gosec // a page has fewer than 2^31 words
				e.page = append(e.page, old[from:copied]...)
			}
		}
		if chosen.has(c) {
			f.cells[c] = e.encode(s.cell(c), 1)
		}
	}
	f.pages[i] = append(make(page, 0, len(e.page)), e.page...)
}

// measure fills in the widths: each run of cells with the same class is a
// range like those in a block.
func (f *family) measure() {
	for first := 0; first < cellsLen; {
		next := first + 1
		for next < cellsLen && f.cells[next] == f.cells[first] {
			next++
		}
		if f.cells[first]&child == 0 {
			for c := first; c < next; c++ {
				f.widths[c] = uint8(widest(uint32(c), uint32(first), uint32(next))) //nolint:gosec // 0 to 16
			}
		}
		first = next
	}
}

// cellSet is a set of cells.
type cellSet [cellsLen / 64]uint64

func (s *cellSet) has(c int) bool { return s[c/64]>>(c%64)&1 != 0 }

// add adds the cells that the prefix of n bits at x touches.
func (s *cellSet) add(x addr, n int) {
	first, last := x.chunk(0), x.last(n).chunk(0)
	for c := first; c <= last; c++ {
		s[c/64] |= 1 << (c % 64)
	}
}

func (s *cellSet) len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// page reports whether the set has a cell of page i.
func (s *cellSet) page(i int) bool {
	const words = perPage / 64
	for _, w := range s[i*words : (i+1)*words] {
		if w != 0 {
			return true
		}
	}
	return false
}
