package netblock

import (
	"cmp"
	"slices"
)

// rows holds the prefixes of one family, sorted by address, then by length,
// in columns: 9 bytes a row for v4, 21 for v6, no pointer per row. In this
// order a prefix stands before all prefixes inside it.
type rows struct {
	is4   bool
	v4    []uint32 // addresses, v4 only
	hi    []uint64 // addresses, v6 only
	lo    []uint64
	bits  []uint8
	value []uint32
}

// row is one row of rows, outside its columns.
type row struct {
	addr  addr
	bits  int
	value uint32
}

func (r *rows) len() int { return len(r.bits) }

func (r *rows) addr(i int) addr {
	if r.is4 {
		return addr{hi: uint64(r.v4[i]) << 32}
	}
	return addr{r.hi[i], r.lo[i]}
}

func (r *rows) at(i int) row { return row{r.addr(i), int(r.bits[i]), r.value[i]} }

func (r *rows) append(x row) {
	if r.is4 {
		r.v4 = append(r.v4, uint32(x.addr.hi>>32))
	} else {
		r.hi, r.lo = append(r.hi, x.addr.hi), append(r.lo, x.addr.lo)
	}
	r.bits = append(r.bits, uint8(x.bits))
	r.value = append(r.value, x.value)
}

// appendRange appends rows i to j of o: five memory copies at most.
func (r *rows) appendRange(o *rows, i, j int) {
	if r.is4 {
		r.v4 = append(r.v4, o.v4[i:j]...)
	} else {
		r.hi, r.lo = append(r.hi, o.hi[i:j]...), append(r.lo, o.lo[i:j]...)
	}
	r.bits = append(r.bits, o.bits[i:j]...)
	r.value = append(r.value, o.value[i:j]...)
}

// sized returns empty rows with room for n.
func sized(is4 bool, n int) rows {
	r := rows{is4: is4, bits: make([]uint8, 0, n), value: make([]uint32, 0, n)}
	if is4 {
		r.v4 = make([]uint32, 0, n)
	} else {
		r.hi, r.lo = make([]uint64, 0, n), make([]uint64, 0, n)
	}
	return r
}

func (x row) compare(y row) int {
	return cmp.Or(cmp.Compare(x.addr.hi, y.addr.hi), cmp.Compare(x.addr.lo, y.addr.lo), cmp.Compare(x.bits, y.bits))
}

// search is the number of rows before the prefix of n bits at x.
func (r *rows) search(x addr, n int) int { return r.searchIn(0, r.len(), x, n) }

// searchIn is search where the answer is known to be i to j.
func (r *rows) searchIn(i, j int, x addr, n int) int {
	for i < j {
		mid := int(uint(i+j) >> 1)
		if r.before(mid, x, n) {
			i = mid + 1
		} else {
			j = mid
		}
	}
	return i
}

// searchBack is search where the answer is at most j, and near: it looks at
// 1, 2, 4… rows back first.
func (r *rows) searchBack(j int, x addr, n int) int {
	for far := 1; far <= j; far *= 2 {
		if r.before(j-far, x, n) {
			return r.searchIn(j-far+1, j, x, n)
		}
		j -= far
	}
	return r.searchIn(0, j, x, n)
}

// before reports whether row i is before the prefix of n bits at x.
func (r *rows) before(i int, x addr, n int) bool {
	a := r.addr(i)
	return a.less(x) || a == x && int(r.bits[i]) < n
}

// match finds the longest row of at most n bits that covers x, -1 if none
// does.
func (r *rows) match(x addr, n int) int {
	x = x.masked(n)
	return r.cover(r.search(x, n+1), x)
}

// cover finds the longest row that covers x among the first i rows, none of
// which starts after x; -1 if none does. It looks at the last of them; when
// that one does not cover x, a row that does must cover both, so it is no
// longer than what they share, which says where to look next.
func (r *rows) cover(i int, x addr) int {
	for i > 0 {
		i--
		shared := r.addr(i).common(x)
		if shared >= int(r.bits[i]) {
			return i
		}
		i = r.searchBack(i, x.masked(shared), shared+1)
	}
	return -1
}

// sorted puts rows that were appended in any order in order; of equal
// prefixes the one appended last stays. Rows that are in order already, as
// most files are, cost one pass.
func (r *rows) sorted() rows {
	ordered, unique := true, true
	for i := 1; i < r.len() && ordered; i++ {
		c := r.at(i - 1).compare(r.at(i))
		ordered, unique = c <= 0, unique && c < 0
	}
	if ordered && unique {
		return r.clipped()
	}
	all := make([]row, r.len())
	for i := range all {
		all[i] = r.at(i)
	}
	if !ordered {
		slices.SortStableFunc(all, row.compare)
	}
	out := sized(r.is4, len(all))
	for i, x := range all {
		if i+1 == len(all) || x.compare(all[i+1]) != 0 {
			out.append(x)
		}
	}
	return out.clipped()
}

// clipped copies the rows into columns without spare room.
func (r *rows) clipped() rows {
	if cap(r.bits) == len(r.bits) && cap(r.value) == len(r.value) {
		return *r
	}
	out := sized(r.is4, r.len())
	out.appendRange(r, 0, r.len())
	return out
}
