package netblock

// Stats describes a Map's size.
type Stats struct {
	RangesV4, RangesV6 int // disjoint ranges; neighbours differ in class
	Classes            int // as Map.Classes
	Rebuilt            int // as Map.Rebuilt
	Bytes              int // memory of the Map, without the tables it was compiled from
}

// Stats counts. It walks through all ranges: a few milliseconds.
func (m *Map) Stats() Stats {
	s := Stats{Classes: m.Classes(), Rebuilt: m.rebuilt}
	s.RangesV4, s.RangesV6 = m.v4.ranges(), m.v6.ranges()
	s.Bytes = m.v4.bytes() + m.v6.bytes() + 4*Layers*cap(m.classes.tuples) + 4*cap(m.classes.slots)
	return s
}

// Rebuilt is the number of blocks that were swept to make this Map out of the
// one before, a /16 each, or in v6 a /32 where shorter prefixes did not change:
// all 131,072 for [Compile].
func (m *Map) Rebuilt() int { return m.rebuilt }

func (f *family) bytes() int {
	n := 4 * cellsLen
	for _, p := range f.pages {
		n += 2 * cap(p)
	}
	return n
}

// ranges counts the ranges. ::ffff:0:0/96 is none of v6's.
func (f *family) ranges() int {
	n, last := 0, uint32(carved)
	for c, v := range f.cells {
		f.pages[c/perPage].walk(v, v&indexMask, func(class uint32) {
			if class != last && class != carved {
				n++
			}
			last = class
		})
	}
	return n
}

// walk calls visit for each range below the value v, in order; neighbours may
// be of one class. If v leads to a block, that is at index at.
func (p page) walk(v, at uint32, visit func(class uint32)) {
	if v&child == 0 {
		visit(v & classMask)
		return
	}
	start, n := p.ranges(v, at)
	for i := range n {
		below := p.value(start + rangeWords*i)
		p.walk(below, at-below&indexMask, visit)
	}
}
