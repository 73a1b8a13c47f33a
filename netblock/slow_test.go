package netblock_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/waypost/waypost/netblock"
)

// slow is the obvious twin of Table and Map: it scans rows and compares
// addresses one interval at a time. It uses nothing but net/netip.
type slow struct {
	layers [netblock.Layers][]netblock.Entry
	value  func(uint32) uint32
	fold   func(*netblock.Tuple)
}

var mappedBlock = netip.MustParsePrefix("::ffff:0:0/96")

// canonical normalises p as Entry documents.
func canonical(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	// By way of bytes: netip's Masked keeps 4in6 addresses as they are.
	return netip.PrefixFrom(p.Addr(), p.Bits()).Masked()
}

// longest scans all rows; of equal prefixes the last counts.
func longest(rows []netblock.Entry, a netip.Addr) (hit netblock.Entry, ok bool) {
	a = a.Unmap().WithZone("")
	for _, e := range rows {
		p := canonical(e.Prefix)
		if covers(p, a) && (!ok || p.Bits() >= hit.Prefix.Bits()) {
			hit, ok = netblock.Entry{Prefix: p, Value: e.Value}, true
		}
	}
	return hit, ok
}

// covers is Contains for prefixes that may lie around ::ffff:0:0/96.
func covers(p netip.Prefix, a netip.Addr) bool {
	return p.Addr().Is4() == a.Is4() && netip.PrefixFrom(a, p.Bits()).Masked() == p
}

func (s *slow) tuple(a netip.Addr) (t netblock.Tuple) {
	for i, rows := range s.layers {
		if e, ok := longest(rows, a); ok {
			t[i] = s.value(e.Value)
		}
	}
	s.fold(&t)
	return t
}

// lookup grows a prefix around a until its addresses are no longer all alike.
// Tuples change only at the first address of a row or after its last one, so
// looking at those, and at the first address of the prefix, suffices.
func (s *slow) lookup(a netip.Addr) (t netblock.Tuple, bits int) {
	if !a.IsValid() {
		return t, 0
	}
	plain := a.Unmap().WithZone("")
	t = s.tuple(plain)
	points := s.points(plain.Is4())
	bits = plain.BitLen()
	for bits > 0 {
		wider := netip.PrefixFrom(plain, bits-1).Masked()
		if plain.Is6() && wider.Overlaps(mappedBlock) ||
			s.tuple(wider.Addr()) != t ||
			slices.ContainsFunc(points, func(x netip.Addr) bool { return covers(wider, x) && s.tuple(x) != t }) {
			break
		}
		bits--
	}
	if a.Is4In6() {
		bits += 96
	}
	return t, bits
}

// points returns the addresses of a family at which a row starts or the one
// after a row's last, and the family's first.
func (s *slow) points(is4 bool) []netip.Addr {
	out := []netip.Addr{netip.IPv6Unspecified()}
	if is4 {
		out[0] = netip.IPv4Unspecified()
	}
	for _, rows := range s.layers {
		for _, e := range rows {
			p := canonical(e.Prefix)
			if p.Addr().Is4() != is4 {
				continue
			}
			out = append(out, p.Addr())
			if after := lastOf(p).Next(); after.IsValid() {
				out = append(out, after)
			}
		}
	}
	return slices.DeleteFunc(out, func(a netip.Addr) bool { return a.Is4In6() })
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// universe draws prefixes and addresses that collide: few distinct bits, at
// block borders (16, 32, …) and their neighbours.
type universe struct{ *rand.Rand }

func (u universe) addr() netip.Addr {
	var b [16]byte
	switch u.IntN(8) {
	case 0, 1, 2: // v4, some of it mapped
		return u.bend(netip.AddrFrom4([4]byte{10, byte(u.IntN(3)), byte(u.IntN(2)), byte(u.IntN(8))}))
	case 3:
		v4 := netip.AddrFrom4([4]byte{10, byte(u.IntN(3)), byte(u.IntN(256)), byte(u.IntN(256))})
		return netip.AddrFrom16(v4.As16())
	case 4: // around ::ffff:0:0/96
		b[8+u.IntN(8)] = byte(u.IntN(256))
		return u.bend(netip.AddrFrom16(b))
	case 5:
		b = netip.IPv6Unspecified().As16()
		b[10], b[11], b[9] = 0xff, byte(0xfe+u.IntN(2)), byte(u.IntN(2))
		return u.bend(netip.AddrFrom16(b))
	default:
		b[0], b[1] = 0x20, 1
		for i := range b[2:] {
			if u.IntN(5) == 0 {
				b[2+i] = byte(u.IntN(4) * 85)
			}
		}
		return u.bend(netip.AddrFrom16(b))
	}
}

// bend flips a random bit now and then.
func (u universe) bend(a netip.Addr) netip.Addr {
	b := a.AsSlice()
	if u.IntN(3) == 0 {
		i := u.IntN(8 * len(b))
		b[i/8] ^= 0x80 >> (i % 8)
	}
	a, _ = netip.AddrFromSlice(b)
	return a
}

func (u universe) prefix() netip.Prefix {
	a := u.addr()
	n := u.IntN(a.BitLen() + 1)
	if u.IntN(2) == 0 { // at a block border or next to one
		n = min(max(n/16*16+u.IntN(3)-1, 0), a.BitLen())
	}
	return netip.PrefixFrom(a, n) // with host bits
}

func (u universe) entries(n int) []netblock.Entry {
	out := make([]netblock.Entry, n)
	for i := range out {
		out[i] = netblock.Entry{Prefix: u.prefix(), Value: uint32(u.IntN(6))}
	}
	return out
}

// probes returns addresses at which something may go wrong: the first and last
// of every row, their neighbours, and random ones.
func (u universe) probes(s *slow) []netip.Addr {
	out := []netip.Addr{{}}
	for _, a := range []string{"::", "0.0.0.0", "fe80::1%eth0", "::ffff:0:0", "::fffe:ffff:ffff", "::1:0:0:0"} {
		out = append(out, netip.MustParseAddr(a))
	}
	for _, rows := range s.layers {
		for _, e := range rows {
			p := canonical(e.Prefix)
			out = append(out, p.Addr(), p.Addr().Prev(), lastOf(p), lastOf(p).Next(), e.Prefix.Addr())
		}
	}
	for range 30 {
		out = append(out, u.addr())
	}
	return out
}

// newSlow draws a configuration: values 4 and up do not matter, and a value in
// layer 0 hides layer 1.
func newSlow(u universe, rows int) *slow {
	s := &slow{
		value: func(v uint32) uint32 {
			if v >= 4 {
				return 0
			}
			return v
		},
		fold: func(t *netblock.Tuple) {
			if t[0] != 0 {
				t[1] = 0
			}
		},
	}
	for i := range s.layers {
		s.layers[i] = u.entries(u.IntN(rows + 1))
	}
	return s
}

func (s *slow) config() netblock.Config {
	cfg := netblock.Config{Fold: s.fold}
	for i, rows := range s.layers {
		cfg.Layers[i] = netblock.Layer{Table: netblock.NewTable(rows), Value: s.value}
	}
	return cfg
}

// compiled replaces the last layer by a Map of it.
func compiled(cfg netblock.Config) netblock.Config {
	last := &cfg.Layers[netblock.Layers-1]
	m := netblock.Compile(netblock.Config{Layers: [netblock.Layers]netblock.Layer{{Table: last.Table}}})
	last.Table, last.Map = nil, m
	return cfg
}
