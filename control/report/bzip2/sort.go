package bzip2

// A sorter sorts the rotations of a block. It keeps its memory from block to
// block.
type sorter struct {
	order, next []int32 // where rotations begin
	rank, ranks []int32 // of the rotation that begins there
	count       []int32
	last        []byte
}

// transform is the Burrows-Wheeler transform: it returns the last column of the
// sorted rotations and which of them is the block itself. The result is valid
// until the next call.
//
// Rotations are sorted by their first byte, then by their first 2, 4, 8 …: each
// pass sorts by the rank of the first half, in the order of the second, which is
// known already. That is O(n log n) whatever the block holds.
func (s *sorter) transform(block []byte) (last []byte, origin int32) {
	n := int32(len(block))
	s.begin(block)
	for half := int32(1); half < n && s.pass(half); half *= 2 {
	}
	s.last = s.last[:0]
	for i, at := range s.order {
		if at == 0 {
			origin = int32(i)
			at = n
		}
		s.last = append(s.last, block[at-1])
	}
	return s.last, origin
}

// begin sorts by the first byte.
func (s *sorter) begin(block []byte) {
	n := len(block)
	if cap(s.order) < n {
		s.order, s.next = make([]int32, n), make([]int32, n)
		s.rank, s.ranks = make([]int32, n), make([]int32, n)
		s.count = make([]int32, max(n, 256)+1)
		s.last = make([]byte, 0, n)
	}
	s.order, s.next, s.rank, s.ranks = s.order[:n], s.next[:n], s.rank[:n], s.ranks[:n]
	for i, c := range block {
		s.rank[i] = int32(c)
		s.next[i] = int32(i)
	}
	s.distribute(256)
	s.rerank(0)
}

// distribute sorts next into order by rank, which is less than ranks; what is
// equal stays in its order.
func (s *sorter) distribute(ranks int32) {
	count := s.count[:ranks+1]
	clear(count)
	for _, at := range s.next {
		count[s.rank[at]+1]++
	}
	for i := range ranks {
		count[i+1] += count[i]
	}
	for _, at := range s.next {
		r := s.rank[at]
		s.order[count[r]] = at
		count[r]++
	}
}

// rerank gives rotations new ranks by order: those with the same rank, whose
// continuation half further on has the same rank too, stay equal. It reports
// whether some are.
func (s *sorter) rerank(half int32) bool {
	n := int32(len(s.order))
	r := int32(0)
	s.ranks[s.order[0]] = 0
	for i := int32(1); i < n; i++ {
		a, b := s.order[i-1], s.order[i]
		if s.rank[a] != s.rank[b] || s.rank[wrap(a+half, n)] != s.rank[wrap(b+half, n)] {
			r++
		}
		s.ranks[b] = r
	}
	s.rank, s.ranks = s.ranks, s.rank
	return r < n-1
}

// wrap returns i modulo n, for i < 2n.
func wrap(i, n int32) int32 {
	if i >= n {
		i -= n
	}
	return i
}

// pass sorts by the first 2*half bytes what is sorted by the first half. It
// reports whether rotations are still equal.
func (s *sorter) pass(half int32) bool {
	n := int32(len(s.order))
	for i, at := range s.order {
		s.next[i] = wrap(at-half+n, n)
	}
	s.distribute(n)
	return s.rerank(half)
}
