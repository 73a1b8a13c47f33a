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

// Rebuilt is the number of blocks, a /16 each, that were swept to make this
// Map out of the one before: all 131,072 for [Compile].
func (m *Map) Rebuilt() int { return m.rebuilt }

func (f *family) bytes() int {
	n := len(f.cells)*4 + len(f.widths)
	for _, p := range f.pages {
		n += 2 * cap(p)
	}
	return n
}

// ranges counts the ranges. ::ffff:0:0/96 is none of v6's.
func (f *family) ranges() int {
	n, last := 0, uint32(carved)
	f.walk(func(class uint32) {
		if class != last && class != carved {
			n++
		}
		last = class
	})
	return n
}

// walk calls visit for each stretch of addresses of a class, in order;
// neighbours may be of one class.
func (f *family) walk(visit func(class uint32)) {
	for c, v := range f.cells {
		if v&child != 0 {
			f.pages[c/perPage].walk(v&^child, visit)
		} else {
			visit(v)
		}
	}
}

func (p page) walk(off uint32, visit func(class uint32)) {
	n, _, values := p.columns(off)
	for i := range n {
		v := uint32(p[values+2*i]) | uint32(p[values+2*i+1])<<16
		if v&child != 0 {
			p.walk(off-v&^child, visit)
		} else {
			visit(v)
		}
	}
}
