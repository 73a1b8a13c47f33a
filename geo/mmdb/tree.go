package mmdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"

	maxminddb "github.com/oschwald/maxminddb-golang/v2"
)

// errShared says that a search tree is larger than its nodes account for.
var errShared = errors.New("corrupt search tree: its nodes form a loop or share their children")

// tree walks the search tree of a file. The library can walk it too, but some
// 200 damaged bytes, in which nodes share their children, keep it busy for ever
// without a result to stop at; this walk counts its steps.
//
// The tree is an array of nodes, each a pair of records of 24, 28 or 32 bits: the
// left for a next bit of 0, the right for 1. A record below nodes is another node,
// nodes itself is nothing, and more is a place in the data section behind the tree.
type tree struct {
	b     []byte
	bits  uint   // of a record
	nodes uint32 // number of nodes
	v4    uint32 // record where IPv4 begins, at ::/96; 0 in a file for IPv4 only
	root  netip.Addr
}

func newTree(b []byte, m maxminddb.Metadata) (tree, error) {
	t := tree{b: b, bits: m.RecordSize, nodes: uint32(m.NodeCount), root: netip.IPv6Unspecified()}
	if t.bits != 24 && t.bits != 28 && t.bits != 32 {
		return tree{}, fmt.Errorf("metadata says record_size %d, want 24, 28 or 32", t.bits)
	}
	if size := uint64(m.NodeCount) * uint64(t.bits/4); m.NodeCount > uint(len(b)) || size > uint64(len(b)) {
		return tree{}, fmt.Errorf("metadata says %d nodes, which the file of %d bytes cannot hold", m.NodeCount, len(b))
	}
	if m.IPVersion == 4 {
		t.root = netip.IPv4Unspecified()
		return t, nil
	}
	for range 96 {
		if t.v4 < t.nodes {
			t.v4, _ = t.node(t.v4)
		}
	}
	return t, nil
}

// node returns the left and right record of node n.
func (t *tree) node(n uint32) (left, right uint32) {
	b := t.b[uint(n)*(t.bits/4):]
	switch t.bits {
	case 24:
		return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]), uint32(b[3])<<16 | uint32(b[4])<<8 | uint32(b[5])
	case 28: // the middle byte holds the upper four bits of both
		return uint32(b[3]&0xf0)<<20 | uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]),
			uint32(b[3]&0x0f)<<24 | uint32(b[4])<<16 | uint32(b[5])<<8 | uint32(b[6])
	}
	return binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
}

// leaf is a network and where its data lies in the data section.
type leaf struct {
	prefix netip.Prefix
	offset uintptr
}

// leaves lists the networks that have data, in order of addresses, IPv4 ones
// (those below ::/96) as IPv4. With aliases it follows other ways to the IPv4 part
// too. The last element of a walk over a corrupt tree is an error.
func (t *tree) leaves(aliases bool) iter.Seq2[leaf, error] {
	const separator = 16 // bytes between tree and data, counted by records
	return func(yield func(leaf, error) bool) {
		stack := []branch{{addr: t.root}}
		for steps := t.stepLimit(); len(stack) > 0; steps-- {
			at := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			switch {
			case steps == 0 || at.record < t.nodes && at.depth == at.addr.BitLen():
				yield(leaf{}, errShared)
				return
			case at.record == t.nodes || !aliases && t.isAlias(at):
			case at.record < t.nodes:
				left, right := t.node(at.record)
				stack = append(stack, branch{right, at.addr, at.depth + 1}.withBit(at.depth), branch{left, at.addr, at.depth + 1})
			case at.record < t.nodes+separator:
				yield(leaf{}, fmt.Errorf("corrupt search tree: network %v points between tree and data", at.prefix()))
				return
			default:
				if !yield(leaf{at.prefix(), uintptr(at.record - t.nodes - separator)}, nil) {
					return
				}
			}
		}
	}
}

// stepLimit is how many records a walk may look at. A sound tree has two a node,
// and those of IPv4 again under each alias.
func (t *tree) stepLimit() int {
	const aliases = 8 // files have 3: ::ffff:0:0/96, 2002::/16, 2001::/32
	return 2 + 2*(1+aliases)*int(t.nodes)
}

// isAlias reports whether b enters the IPv4 part elsewhere than at ::/96.
func (t *tree) isAlias(b branch) bool {
	return t.v4 != 0 && t.v4 < t.nodes && b.record == t.v4 && (b.depth != 96 || !isV4(b.addr))
}

// branch is a record on the way down, and the prefix that leads there.
type branch struct {
	record uint32
	addr   netip.Addr
	depth  int
}

func (b branch) withBit(bit int) branch {
	if b.addr.Is4() {
		a := b.addr.As4()
		a[bit/8] |= 0x80 >> (bit % 8)
		b.addr = netip.AddrFrom4(a)
		return b
	}
	a := b.addr.As16()
	a[bit/8] |= 0x80 >> (bit % 8)
	b.addr = netip.AddrFrom16(a)
	return b
}

func (b branch) prefix() netip.Prefix {
	if b.addr.Is6() && b.depth >= 96 && isV4(b.addr) {
		a := b.addr.As16()
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(a[12:])), b.depth-96)
	}
	return netip.PrefixFrom(b.addr, b.depth)
}

// isV4 reports whether addr lies in ::/96, where files keep IPv4.
func isV4(addr netip.Addr) bool {
	a := addr.As16()
	return [12]byte(a[:12]) == [12]byte{}
}
