package bzip2

import (
	"bytes"
	"cmp"
	"slices"
)

const (
	groupSize = 50 // symbols for which a table is selected
	maxBits   = 17 // of a symbol; decoders take 20
)

// encode writes the last column of a block: which bytes there are, the tables,
// and the symbols.
func (b *bits) encode(last []byte) {
	symbols, used, alphabet := toFront(last)
	for _, group := range append([][]bool{sixteens(used[:])}, chunks(used[:])...) {
		for _, is := range group {
			b.write(bit(is), 1)
		}
	}
	lengths := codeLengths(symbols, alphabet)
	groups := (len(symbols) + groupSize - 1) / groupSize
	b.write(2, 3) // tables: the fewest there may be, both the same
	b.write(uint64(groups), 15)
	for range groups {
		b.write(0, 1)
	}
	b.table(lengths)
	b.table(lengths)
	codes := canonical(lengths)
	for _, s := range symbols {
		b.write(uint64(codes[s]), uint(lengths[s]))
	}
}

func bit(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

// sixteens tells which sixteenths of used have something in them.
func sixteens(used []bool) []bool {
	some := make([]bool, 0, 16)
	for group := range slices.Chunk(used, 16) {
		some = append(some, slices.Contains(group, true))
	}
	return some
}

// chunks returns the sixteenths of used that have something in them.
func chunks(used []bool) (all [][]bool) {
	for group := range slices.Chunk(used, 16) {
		if slices.Contains(group, true) {
			all = append(all, group)
		}
	}
	return all
}

// toFront turns bytes into how many different ones came since the same one came
// last, and runs of zeros, which are most, into the two digits 0 and 1 of their
// length in the base 2 whose digits count 1 and 2. The last symbol is the end.
func toFront(last []byte) (symbols []uint16, used [256]bool, alphabet int) {
	for _, c := range last {
		used[c] = true
	}
	var recent []byte
	for c, is := range used {
		if is {
			recent = append(recent, byte(c))
		}
	}
	symbols = make([]uint16, 0, len(last)/2)
	zeros := 0
	for _, c := range last {
		if recent[0] == c {
			zeros++
			continue
		}
		symbols = digits(symbols, zeros)
		zeros = 0
		at := bytes.IndexByte(recent, c)
		copy(recent[1:], recent[:at])
		recent[0] = c
		symbols = append(symbols, uint16(at+1))
	}
	end := len(recent) + 1
	return append(digits(symbols, zeros), uint16(end)), used, end + 1
}

// digits appends the digits of n, the least first.
func digits(symbols []uint16, n int) []uint16 {
	for ; n > 0; n = (n - 1) / 2 {
		symbols = append(symbols, uint16((n-1)%2))
	}
	return symbols
}

// codeLengths returns how many bits each symbol gets by Huffman's algorithm. As
// long as one gets too many, frequent symbols are made to look less frequent.
func codeLengths(symbols []uint16, alphabet int) []uint8 {
	weights := make([]int, alphabet)
	for _, s := range symbols {
		weights[s]++
	}
	for {
		for i, w := range weights {
			weights[i] = max(w, 1)
		}
		lengths := huffman(weights)
		if slices.Max(lengths) <= maxBits {
			return lengths
		}
		for i := range weights {
			weights[i] /= 2
		}
	}
}

// huffman returns how deep each weight is in a Huffman tree. There are at least
// three: an end and two digits.
func huffman(weights []int) []uint8 {
	type node struct{ weight, up int }
	n := len(weights)
	nodes := make([]node, n, 2*n)
	leaves := make([]int, n)
	for i, w := range weights {
		nodes[i].weight = w
		leaves[i] = i
	}
	slices.SortStableFunc(leaves, func(a, b int) int { return cmp.Compare(weights[a], weights[b]) })
	// inner nodes come in the order of their weights, so the two lightest are at
	// the heads of two queues
	inner := n
	lightest := func() int {
		if inner == len(nodes) || len(leaves) > 0 && nodes[leaves[0]].weight <= nodes[inner].weight {
			i := leaves[0]
			leaves = leaves[1:]
			return i
		}
		inner++
		return inner - 1
	}
	for range n - 1 {
		a, b := lightest(), lightest()
		nodes[a].up, nodes[b].up = len(nodes), len(nodes)
		nodes = append(nodes, node{weight: nodes[a].weight + nodes[b].weight})
	}
	depths := make([]uint8, len(nodes))
	for i := len(nodes) - 2; i >= 0; i-- {
		depths[i] = depths[nodes[i].up] + 1
	}
	return depths[:n]
}

// canonical returns the codes that decoders make of lengths: shorter ones first,
// equally long ones in the order of symbols.
func canonical(lengths []uint8) []uint32 {
	codes := make([]uint32, len(lengths))
	code := uint32(0)
	for length := uint8(1); length <= maxBits; length++ {
		for s, l := range lengths {
			if l == length {
				codes[s] = code
				code++
			}
		}
		code <<= 1
	}
	return codes
}

// table writes lengths: the first, then from each to the next by steps up (10)
// and down (11), each ended by 0.
func (b *bits) table(lengths []uint8) {
	now := lengths[0]
	b.write(uint64(now), 5)
	for _, l := range lengths {
		for ; now < l; now++ {
			b.write(0b10, 2)
		}
		for ; now > l; now-- {
			b.write(0b11, 2)
		}
		b.write(0, 1)
	}
}
