package netblock

import "slices"

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
	from  *Map // if not nil, in place of rows
	is4   bool
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
	return cursor{rows: l.Table.family(is4), from: l.Map, is4: is4, value: l.Value}
}

// mapped is the value of row i, as far as it matters; 0 for no row.
func (c *cursor) mapped(i int) uint32 {
	if i < 0 {
		return 0
	}
	return c.apply(c.rows.value[i])
}

func (c *cursor) apply(raw uint32) uint32 {
	if c.value == nil {
		return raw
	}
	return c.value(raw)
}

// seek moves to x.
func (c *cursor) seek(x addr) {
	c.open = append(c.open[:0], openRow{last: x.last(0)}) // outside all rows
	if c.from != nil {
		c.advanceMap(x)
		return
	}
	c.next = c.rows.search(x, 0)
	for i := c.rows.cover(c.next, x); i >= 0; i = c.rows.cover(i, x) {
		c.push(i)
	}
	slices.Reverse(c.open[1:]) // outermost first
	c.advance(x)
}

func (c *cursor) push(i int) {
	r := c.rows.at(i)
	c.open = append(c.open, openRow{r.addr.last(r.bits), c.mapped(i)})
}

// advance moves to x, which must not be after the next row's start.
func (c *cursor) advance(x addr) {
	if c.from != nil {
		c.advanceMap(x)
		return
	}
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

// advanceMap is advance for a layer that is a Map: to its range around x. None
// is a value like any other there, so it is left alone.
func (c *cursor) advanceMap(x addr) {
	f := c.from.v6
	if c.is4 {
		f = c.from.v4
	}
	class, last := f.rangeAt(x)
	now := uint32(0)
	if class != carved {
		now = c.from.classes.tuples[class][0]
	}
	if now != 0 {
		now = c.apply(now)
	}
	c.open[0], c.until = openRow{last, now}, last
}

// sweeper sweeps one family, prefix by prefix.
type sweeper struct {
	is4     bool
	cursors [Layers]cursor
	fold    func(*Tuple)
	classes *interned
	at      addr  // where the cursors have come to
	seen    Tuple // the last tuple,
	folded  Tuple // the same after fold,
	class   Class // and its class: equal neighbours are frequent
	runs    []run // reused from prefix to prefix
}

func newSweeper(cfg *Config, classes *interned, is4 bool) *sweeper {
	s := &sweeper{is4: is4, fold: cfg.Fold, classes: classes, at: addr{lo: 1}} // no prefix starts at 1
	for i, l := range cfg.Layers {
		s.cursors[i] = newCursor(l, is4)
	}
	s.number(s.seen)
	return s
}

// number sets the current class to that of the tuple x.
func (s *sweeper) number(x Tuple) {
	s.seen, s.folded = x, x
	if s.fold != nil {
		s.fold(&s.folded)
	}
	s.class = s.classes.class(s.folded)
}

// ranges returns the ranges of the prefix of n bits at x, where n is less than
// 96; they hold until the next call. Neighbours differ. A prefix next to the
// last one, in ascending order, needs no search.
func (s *sweeper) ranges(x addr, n int) []run {
	if s.at != x {
		for i := range s.cursors {
			s.cursors[i].seek(x)
		}
	}
	limit := x.last(n)
	s.at, s.runs = limit.next(), s.runs[:0]
	for from := x; ; {
		end := s.step(from, limit)
		if end == limit {
			break
		}
		from = end.next()
	}
	if x == (addr{}) && !s.is4 {
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
		s.number(now)
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
