package netblock

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
	// cells holds values: a class, with the width of the widest prefix of
	// that class around the cell, or a reference to a block by its index in
	// the cell's page.
	cells *[cellsLen]uint32
	pages [pagesLen]page
}

// lookup returns the class of a left-aligned address and the width of the
// widest prefix around it that has the class.
func (f *family) lookup(hi, lo uint64) (class uint32, width int) {
	v := f.cells[hi>>48]
	if v&child == 0 {
		return v & classMask, int(v >> widthShift)
	}
	p, at := f.pages[hi>>56], v&indexMask
	for depth := cellBits; ; depth += 16 {
		hi, lo = hi<<16|lo>>48, lo<<16
		key := uint32(hi >> 48)
		i := p.locate(v, at, key)
		if v = p.value(i); v&child == 0 {
			return v, depth + widest(key, uint32(p[i]), uint32(p[i+rangeWords]-1)+1)
		}
		at -= v & indexMask
	}
}

// rangeAt returns the class at x and the last address of a range around x of
// that class; the next one may be of the same class.
func (f *family) rangeAt(x addr) (class uint32, last addr) {
	c := x.chunk(0)
	v := f.cells[c]
	if v&child == 0 {
		return v & classMask, x.last(int(v >> widthShift))
	}
	p, at := f.pages[c/perPage], v&indexMask
	for depth := 1; ; depth++ {
		i := p.locate(v, at, x.chunk(depth))
		if v = p.value(i); v&child == 0 {
			return v, x.withChunk(depth, uint32(p[i+rangeWords]-1)).last(16*depth + 16)
		}
		at -= v & indexMask
	}
}
