package synth

import (
	"net/netip"

	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/netblock"
)

// space6 is where all v6 prefixes are: the part of 2000::/3 that registries gave away first.
func space6() netip.Prefix { return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x2a}), 12) }

// addr4 draws from 1.0.0.0 to 223.255.255.255.
func (m *maker) addr4() netip.Addr {
	return netip.AddrFrom4([4]byte{byte(1 + m.IntN(223)), byte(m.IntN(256)), byte(m.IntN(256)), byte(m.IntN(256))})
}

// within draws an address of p.
func (m *maker) within(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		if m.oneIn(2) {
			b[i/8] |= 0x80 >> (i % 8)
		}
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func (m *maker) prefix4(short, long int) netip.Prefix {
	p, _ := m.addr4().Prefix(short + m.IntN(long-short+1))
	return p
}

func (m *maker) prefix6(short, long int) netip.Prefix {
	p, _ := m.within(space6()).Prefix(short + m.IntN(long-short+1))
	return p
}

// asnRows draws the prefix → origin AS table: mostly /24s, a fifth v6, a
// quarter of the rows more specific than another one.
func (m *maker) asnRows() []netblock.Entry {
	out := make([]netblock.Entry, 0, m.c.Prefixes)
	for len(out) < m.c.Prefixes {
		p := m.prefix4(24, 24)
		switch {
		case m.oneIn(5):
			p = m.prefix6(29, 48)
		case m.oneIn(3):
			p = m.prefix4(14, 23)
		case m.oneIn(3) && len(out) > 0:
			outer := out[m.IntN(len(out))].Prefix
			p, _ = m.within(outer).Prefix(min(outer.Bits()+1+m.IntN(4), outer.Addr().BitLen()))
		}
		out = append(out, netblock.Entry{Prefix: p, Value: 1 + uint32(m.IntN(max(m.c.ASNs, 1)))})
	}
	return out
}

// placeTables draws disjoint prefixes with a country, and a cell within it.
// A twentieth of the prefixes has neither.
func (m *maker) placeTables() (where *netblock.Table, cells *netblock.Map) {
	var codes, places []netblock.Entry
	add := func(p netip.Prefix) {
		if m.oneIn(20) {
			return
		}
		c := m.country()
		codes = append(codes, netblock.Entry{Prefix: p, Value: c.Uint32()})
		if middle, ok := geo.Centroid(c); ok {
			at := geo.Point{Lat: middle.Lat + float32(m.IntN(5)-2), Lon: middle.Lon + float32(m.IntN(5)-2)}
			places = append(places, netblock.Entry{Prefix: p, Value: geo.Cell(at)})
		}
	}
	for _, p := range m.cut(netip.MustParsePrefix("0.0.0.0/0"), m.c.Prefixes/10) {
		add(p)
	}
	for _, p := range m.cut(space6(), m.c.Prefixes/40) {
		add(p)
	}
	layer := netblock.Layer{Table: netblock.NewTable(places)}
	return netblock.NewTable(codes), netblock.Compile(netblock.Config{Layers: [netblock.Layers]netblock.Layer{layer}})
}

// cut cuts p into about n disjoint prefixes of uneven sizes.
func (m *maker) cut(p netip.Prefix, n int) []netip.Prefix {
	if n <= 1 || p.Bits() == p.Addr().BitLen() {
		return []netip.Prefix{p}
	}
	half := netip.PrefixFrom(p.Addr(), p.Bits()+1)
	b := p.Addr().AsSlice()
	b[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	upper, _ := netip.AddrFromSlice(b)
	left := n * (30 + m.IntN(41)) / 100
	return append(m.cut(half, left), m.cut(netip.PrefixFrom(upper, half.Bits()), n-left)...)
}
