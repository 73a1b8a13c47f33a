package netblock

// The sweep goes through the addresses of one family in ascending order, over
// all layers at once, and turns nested prefixes into disjoint ranges:
//
//	layer 0   10.0.0.0/8 → 1, 10.2.0.0/16 → 2
//	layer 1   10.0.0.0/15 → 9
//	ranges    0.0.0.0 {0 0}, 10.0.0.0 {1 9}, 10.2.0.0 {2 0}, 10.3.0.0 {1 0}, 11.0.0.0 {0 0}
//
// Each layer has a cursor that knows the rows around the current address, as
// a stack, and the last address up to which its value stays. The next range
// starts after the nearest of those.

// run is a range of addresses of one class: from start to the next run.
type run struct {
	start addr
	class uint32
}

// cursor is the sweep's place in one layer.
type cursor struct {
	rows  *rows
	value func(uint32) uint32 // nil: as it is
	next  int                 // the first row that starts later
	open  []openRow           // rows around the current address, innermost last
	until addr                // the last address at which the top of open counts
}

// openRow is a row that has started and not ended.
type openRow struct {
	last  addr
	value uint32
}

func newCursor(l Layer, is4 bool) cursor {
	return cursor{rows: l.Table.family(is4), value: l.Value}
}

// mapped is the value of row i, as far as it matters; 0 for no row.
func (c *cursor) mapped(i int) uint32 {
	switch {
	case i < 0:
		return 0
	case c.value == nil:
		return c.rows.value[i]
	default:
		return c.value(c.rows.value[i])
	}
}

// seek moves to x, the start of a prefix of n bits.
func (c *cursor) seek(x addr, n int) {
	c.open = append(c.open[:0], openRow{last: addr{}.last(0)}) // outside all rows
	c.next = c.rows.search(x, 0)
	first := len(c.open)
	for i := c.rows.match(x, n); i >= 0; i = c.rows.match(x, int(c.rows.bits[i])-1) {
		if i < c.next { // advance finds those that start at x
			c.push(i)
		}
	}
	for i, j := first, len(c.open)-1; i < j; i, j = i+1, j-1 {
		c.open[i], c.open[j] = c.open[j], c.open[i] // outermost first
	}
	c.advance(x)
}

func (c *cursor) push(i int) {
	r := c.rows.at(i)
	c.open = append(c.open, openRow{r.addr.last(r.bits), c.mapped(i)})
}

// advance moves to x, which must not be after the next row's start.
func (c *cursor) advance(x addr) {
	for c.open[len(c.open)-1].last.less(x) {
		c.open = c.open[:len(c.open)-1]
	}
	for ; c.next < c.rows.len() && c.rows.addr(c.next) == x; c.next++ {
		c.push(c.next)
	}
	c.until = c.open[len(c.open)-1].last
	if c.next < c.rows.len() {
		if start := c.rows.addr(c.next); !c.until.less(start) {
			c.until = start.prev()
		}
	}
}

// sweeper sweeps one family cell by cell; a cell is a /16.
type sweeper struct {
	is4     bool
	cursors [Layers]cursor
	fold    func(*Tuple)
	classes *interned
	at      int   // the cell that the cursors have come to, -1 at first
	seen    Tuple // the last tuple, before fold,
	class   Class // and its class: equal neighbours are frequent
	runs    []run // reused from cell to cell
}

func newSweeper(cfg *Config, classes *interned, is4 bool) *sweeper {
	s := &sweeper{is4: is4, fold: cfg.Fold, classes: classes, at: -1}
	for i, l := range cfg.Layers {
		s.cursors[i] = newCursor(l, is4)
	}
	s.class = s.number(s.seen)
	return s
}

// number is the class of the tuple x.
func (s *sweeper) number(x Tuple) Class {
	if s.fold != nil {
		s.fold(&x)
	}
	return s.classes.class(x)
}

// cell returns the ranges of a cell, which hold until the next call.
// Neighbours differ. Cells in ascending order without gaps need no search.
func (s *sweeper) cell(c int) []run {
	from := addr{hi: uint64(c) << 48} //nolint:gosec // 0 to 65535
	limit := from.last(cellBits)
	if s.at != c {
		for i := range s.cursors {
			s.cursors[i].seek(from, cellBits)
		}
	}
	s.at, s.runs = c+1, s.runs[:0]
	for x := from; ; {
		end := s.step(x, limit)
		if end == limit {
			break
		}
		x = end.next()
	}
	if c == 0 && !s.is4 {
		s.runs = carve(s.runs)
	}
	return s.runs
}

// step adds the range that starts at x and returns its last address, at most
// limit.
func (s *sweeper) step(x, limit addr) addr {
	var now Tuple
	for i := range s.cursors {
		c := &s.cursors[i]
		if c.until.less(x) {
			c.advance(x)
		}
		now[i] = c.open[len(c.open)-1].value
		if c.until.less(limit) {
			limit = c.until
		}
	}
	if now != s.seen {
		s.seen, s.class = now, s.number(now)
	}
	if n := len(s.runs); n == 0 || s.runs[n-1].class != uint32(s.class) {
		s.runs = append(s.runs, run{x, uint32(s.class)})
	}
	return limit
}

// carve cuts ::ffff:0:0/96 out of the v6 ranges by giving it a class of its
// own. Look-ups there go to the v4 side, so no v6 prefix may reach into it.
func carve(runs []run) []run {
	first := addr{lo: mappedTag << 32}
	after := addr{lo: (mappedTag + 1) << 32}
	var out []run
	i := 0
	for ; i < len(runs) && runs[i].start.less(first); i++ {
		out = append(out, runs[i])
	}
	out = append(out, run{first, carved})
	for ; i < len(runs) && runs[i].start.less(after); i++ {
	}
	if i == len(runs) || runs[i].start != after {
		out = append(out, run{after, runs[i-1].class})
	}
	return append(out, runs[i:]...)
}
