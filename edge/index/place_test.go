package index_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/netblock"
)

func ExampleIndex_Place() {
	s := &snapshot.Snapshot{Hosts: []snapshot.Host{
		{Name: "campus", Netblocks: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/26")}},
		{Name: "provider", ASNs: []uint32{64500}},
	}}
	ix := index.Compile(index.Inputs{
		Snapshot: s,
		ASNs:     netblock.NewTable([]netblock.Entry{{Prefix: netip.MustParsePrefix("198.51.100.0/24"), Value: 64500}}),
	})
	p := ix.Place(netip.MustParseAddr("198.51.100.70"), 32)
	number, _, _ := ix.ASN(&p)
	fmt.Printf("AS%d, and so are all in a /%d\n", number, p.Bits)
	p = ix.Place(netip.MustParseAddr("198.51.100.7"), 32)
	fmt.Println("in", ix.Netblocks(&p)[0].Prefix)
	p = ix.Place(netip.MustParseAddr("198.51.100.0"), 24) // somewhere in this /24
	fmt.Println("in", len(ix.Netblocks(&p)), "netblocks, exact:", p.Exact())
	// Output:
	// AS64500, and so are all in a /26
	// in 198.51.100.0/26
	// in 0 netblocks, exact: false
}

// client is all that an index says of a client.
type client struct {
	Country   string
	Netblocks []string // "PREFIX HOSTS"
	ASN       uint32
	Own       []uint32
	Peers     []uint32
	InCountry []uint32
	Around    []uint32
	Barred    []uint32
	Vec       geo.Vec
}

func members(s hostset.Set) []uint32 {
	var out []uint32
	s.Each(func(h uint32) { out = append(out, h) })
	return out
}

func describe(ix *index.Index, p index.Place) client {
	c := client{
		Country: p.Country.String(), InCountry: members(ix.InCountry(&p)), Around: members(ix.InContinent(&p)),
		Barred: members(ix.Barred(&p)), Vec: ix.Vec(&p),
	}
	for _, b := range ix.Netblocks(&p) {
		c.Netblocks = append(c.Netblocks, fmt.Sprint(b.Prefix, members(b.Hosts)))
	}
	number, own, peers := ix.ASN(&p)
	c.ASN, c.Own, c.Peers = number, members(own), members(peers)
	return c
}

// slowPlace describes a client from the raw tables, row by row.
func slowPlace(in index.Inputs, rows tables, a netip.Addr, source int) client {
	a = a.Unmap()
	s := in.Snapshot
	country := geo.CountryFromUint32(rows.countries.longest(a))
	overridden := -1
	for _, o := range s.CountryOverrides {
		if o.Prefix.Contains(a) && o.Prefix.Bits() >= overridden && o.Country.Known() {
			country, overridden = o.Country, o.Prefix.Bits()
		}
	}
	hosts := func(f func(*snapshot.Host) bool) (out []uint32) {
		for i := range s.Hosts {
			if f(&s.Hosts[i]) {
				out = append(out, uint32(i))
			}
		}
		return out
	}
	continent := func(c geo.Country) geo.Continent { return in.Continents.With(s.ContinentOverrides).Of(c) }
	c := client{
		Country:   country.String(),
		InCountry: hosts(func(h *snapshot.Host) bool { return country.Known() && h.Country == country }),
		Around: hosts(func(h *snapshot.Host) bool {
			return continent(country).Known() && continent(h.Country) == continent(country)
		}),
		Barred: hosts(func(h *snapshot.Host) bool {
			return len(h.Allowed) > 0 && !slices.Contains(h.Allowed, country) || slices.Contains(h.Excluded, country)
		}),
	}
	for bits := min(source, a.BitLen()); bits >= 0; bits-- {
		p, _ := a.Prefix(bits)
		if in := hosts(func(h *snapshot.Host) bool { return slices.Contains(h.Netblocks, p) }); in != nil {
			c.Netblocks = append(c.Netblocks, fmt.Sprint(p, in))
		}
	}
	asn := rows.asns.longest(a)
	if asn != 0 {
		c.Own = hosts(func(h *snapshot.Host) bool { return slices.Contains(h.ASNs, asn) })
		c.Peers = hosts(func(h *snapshot.Host) bool { return slices.Contains(h.PeerASNs, asn) })
	}
	if c.Own != nil || c.Peers != nil {
		c.ASN = asn
	}
	if middle, ok := geo.Centroid(country); ok {
		c.Vec = middle.Vec()
	}
	class, _ := rows.places.Lookup(a)
	if at, ok := geo.CellCenter(rows.places.Tuple(class)[0]); ok && s.Categories[0].Policy.Order == snapshot.Nearest {
		c.Vec = at.Vec()
	}
	return c
}

// table is a raw table by prefix; longest tries all lengths.
type table map[netip.Prefix]uint32

type tables struct {
	countries, asns table
	places          *netblock.Map // which has its own twin
}

func raw(in index.Inputs) tables {
	rows := func(t *netblock.Table) table { return maps.Collect(t.All()) }
	return tables{rows(in.Countries), rows(in.ASNs), in.Places}
}

func (t table) longest(a netip.Addr) uint32 {
	for bits := a.BitLen(); bits >= 0; bits-- {
		p, _ := a.Prefix(bits)
		if v, ok := t[p]; ok {
			return v
		}
	}
	return 0
}

// inputs draws small inputs with chains of netblocks and overrides in them.
func inputs(seed uint64) index.Inputs {
	c := synth.Small(seed)
	c.Nearest = seed%2 == 0
	in := synth.Inputs(c)
	r := rand.New(rand.NewPCG(seed, 'P'))
	s := in.Snapshot
	s.ContinentOverrides = map[geo.Country]geo.Continent{{'D', 'E'}: {'A', 'S'}, {'X', 'K'}: {'E', 'U'}}
	for _, text := range []string{"10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0", "::/0"} {
		p := netip.MustParsePrefix(text)
		for range 4 { // a chain of nests, each with a host, an override, or both
			if h := r.IntN(len(s.Hosts)); r.IntN(4) > 0 {
				s.Hosts[h].Netblocks = append(s.Hosts[h].Netblocks, p)
			}
			if r.IntN(2) == 0 {
				code := []geo.Country{{'D', 'E'}, {'X', 'K'}, {'Z', 'Z'}, {}}[r.IntN(4)]
				s.CountryOverrides = append(s.CountryOverrides, snapshot.CountryOverride{Prefix: p, Country: code})
			}
			p = netip.PrefixFrom(p.Addr(), min(p.Bits()+1+r.IntN(10), p.Addr().BitLen()))
		}
	}
	return in
}

func clients(in index.Inputs, seed uint64) []netip.Addr {
	out := synth.Clients(in, seed, 200)
	for i := range in.Snapshot.Hosts {
		for _, p := range in.Snapshot.Hosts[i].Netblocks {
			out = append(out, p.Addr(), p.Addr().Prev())
		}
	}
	for _, o := range in.Snapshot.CountryOverrides {
		out = append(out, o.Prefix.Addr())
	}
	out = slices.DeleteFunc(out, func(a netip.Addr) bool { return !a.IsValid() })
	for _, a := range out[:50] {
		if a.Is4() {
			out = append(out, netip.AddrFrom16(a.As16()))
		}
	}
	return append(out, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1"), netip.Addr{})
}

func TestPlaceTwin(t *testing.T) {
	for seed := range uint64(4) {
		in := inputs(seed)
		ix, rows := index.Compile(in), raw(in)
		r := rand.New(rand.NewPCG(seed, 'S'))
		for _, a := range clients(in, seed) {
			for _, source := range []int{a.Unmap().BitLen(), r.IntN(a.Unmap().BitLen() + 1)} {
				p := ix.Place(a, source)
				if diff := cmp.Diff(slowPlace(in, rows, a, source), describe(ix, p), cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("seed %d: %v, %d bits known (-want +got):\n%s", seed, a, source, diff)
				}
				if p.Exact() != (p.Bits <= source) || p.Addr != a.Unmap() {
					t.Fatalf("%v, %d bits known: %+v, Exact %v", a, source, p, p.Exact())
				}
			}
		}
	}
}

// TestPlaceBits draws addresses within the prefix that Place returns: they are
// in the same place.
func TestPlaceBits(t *testing.T) {
	in := inputs(1)
	ix := index.Compile(in)
	r := rand.New(rand.NewPCG(1, 'B'))
	for _, a := range clients(in, 1) {
		p := ix.Place(a, a.Unmap().BitLen())
		for range 5 {
			b := p.Addr.AsSlice()
			for i := p.Bits; i < 8*len(b); i++ {
				b[i/8] ^= byte(r.IntN(2)) << (7 - i%8)
			}
			other, _ := netip.AddrFromSlice(b)
			q := ix.Place(other, other.BitLen())
			if q.Class != p.Class || q.Bits != p.Bits && a.IsValid() {
				t.Fatalf("%v is in class %d for %d bits, but %v in class %d for %d", a, p.Class, p.Bits, other, q.Class, q.Bits)
			}
		}
	}
}

// TestPlaces has what random tables may miss.
func TestPlaces(t *testing.T) {
	de, fr := geo.Country{'D', 'E'}, geo.Country{'F', 'R'}
	prefix := netip.MustParsePrefix
	in := index.Inputs{
		Continents: synth.Continents(),
		Snapshot: &snapshot.Snapshot{
			Hosts: []snapshot.Host{
				{Country: de, Netblocks: []netip.Prefix{prefix("10.0.0.0/8"), prefix("10.1.0.0/16")}, ASNs: []uint32{1}},
				{Country: fr, Netblocks: []netip.Prefix{prefix("10.1.0.0/16"), prefix("10.1.1.0/24")}, PeerASNs: []uint32{1}},
				{Country: fr, Netblocks: []netip.Prefix{prefix("2001:db8::/32")}, ASNs: []uint32{0}},
			},
			CountryOverrides: []snapshot.CountryOverride{
				{Prefix: prefix("10.1.0.0/20"), Country: fr},
				{Prefix: prefix("10.1.1.128/25"), Country: de},
			},
		},
		Countries: netblock.NewTable([]netblock.Entry{{Prefix: prefix("10.0.0.0/7"), Value: de.Uint32()}}),
		ASNs: netblock.NewTable([]netblock.Entry{
			{Prefix: prefix("10.0.0.0/9"), Value: 1}, {Prefix: prefix("10.2.0.0/16"), Value: 2}, {Prefix: prefix("10.3.0.0/16"), Value: 0},
		}),
	}
	tests := []struct {
		name, addr string
		source     int
		country    string
		netblocks  []string
		asn        uint32
		bits       int
	}{
		{"a chain", "10.1.1.1", 32, "FR", []string{"10.1.1.0/24 [1]", "10.1.0.0/16 [0 1]", "10.0.0.0/8 [0]"}, 1, 25},
		{"v4-mapped", "::ffff:10.1.1.1", 32, "FR", []string{"10.1.1.0/24 [1]", "10.1.0.0/16 [0 1]", "10.0.0.0/8 [0]"}, 1, 25},
		{"a chain within an override", "10.1.1.129", 32, "DE", []string{"10.1.1.0/24 [1]", "10.1.0.0/16 [0 1]", "10.0.0.0/8 [0]"}, 1, 25},
		{"a known /24", "10.1.1.0", 24, "FR", []string{"10.1.1.0/24 [1]", "10.1.0.0/16 [0 1]", "10.0.0.0/8 [0]"}, 1, 25},
		{"a known /23", "10.1.1.0", 23, "FR", []string{"10.1.0.0/16 [0 1]", "10.0.0.0/8 [0]"}, 1, 25},
		{"a known /7", "10.1.1.0", 7, "FR", nil, 1, 25},
		{"around the override", "10.1.16.1", 32, "DE", []string{"10.1.0.0/16 [0 1]", "10.0.0.0/8 [0]"}, 1, 20},
		{"an AS without hosts", "10.2.0.1", 32, "DE", []string{"10.0.0.0/8 [0]"}, 0, 15},
		{"an AS 0 hides the one around it", "10.3.0.1", 32, "DE", []string{"10.0.0.0/8 [0]"}, 0, 15},
		{"beside", "11.0.0.1", 32, "DE", nil, 0, 8},
		{"v6", "2001:db8::1", 128, "", []string{"2001:db8::/32 [2]"}, 0, 32},
		{"nowhere", "192.0.2.1", 32, "", nil, 0, 1},
	}
	ix := index.Compile(in)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := ix.Place(netip.MustParseAddr(tt.addr), tt.source)
			got := describe(ix, p)
			if diff := cmp.Diff(tt.netblocks, got.Netblocks); diff != "" {
				t.Errorf("netblocks (-want +got):\n%s", diff)
			}
			if got.Country != tt.country || got.ASN != tt.asn || p.Bits != tt.bits {
				t.Errorf("%q, AS%d, %d bits; want %q, AS%d, %d", got.Country, got.ASN, p.Bits, tt.country, tt.asn, tt.bits)
			}
		})
	}
}

// TestCountrySets compares the sets of asked-for countries with a scan, also
// for countries that neither hosts nor tables have.
func TestCountrySets(t *testing.T) {
	in := inputs(3)
	ix := index.Compile(in)
	continents := in.Continents.With(in.Snapshot.ContinentOverrides)
	for _, text := range []string{"DE", "US", "FJ", "XK", "ZZ", "IS", "A1", "NC", ""} {
		var code geo.Country
		copy(code[:], text)
		var in2, around []uint32
		for h := range in.Snapshot.Hosts {
			c := in.Snapshot.Hosts[h].Country
			if c == code && code.Known() {
				in2 = append(in2, uint32(h))
			}
			if k := continents.Of(code); k.Known() && continents.Of(c) == k {
				around = append(around, uint32(h))
			}
		}
		if diff := cmp.Diff(in2, members(ix.HostsIn(code))); diff != "" {
			t.Errorf("HostsIn(%s) (-want +got):\n%s", text, diff)
		}
		if diff := cmp.Diff(around, members(ix.HostsAround(code))); diff != "" {
			t.Errorf("HostsAround(%s) (-want +got):\n%s", text, diff)
		}
	}
}

// TestWithASNs changes the ASN table step by step: clients are where a fresh
// compilation puts them, and the index before the step has not changed.
func TestWithASNs(t *testing.T) {
	in := inputs(4)
	ix := index.Compile(in)
	r := rand.New(rand.NewPCG(4, 'W'))
	addrs := clients(in, 4)
	known := slices.Collect(func(yield func(netip.Prefix) bool) {
		for p := range in.ASNs.All() {
			if !yield(p) {
				return
			}
		}
	})
	for range 4 {
		var changes []netblock.Change
		for range 1 + r.IntN(300) {
			p := known[r.IntN(len(known))]
			if r.IntN(3) == 0 {
				a := addrs[r.IntN(len(addrs)-1)]
				p, _ = a.Prefix(r.IntN(a.BitLen() + 1))
			}
			changes = append(changes, netblock.Change{Prefix: p, Value: uint32(r.IntN(100)), Delete: r.IntN(3) == 0})
		}
		before := describeAll(ix, addrs)
		table := in.ASNs.With(changes)
		next := ix.WithASNs(table, changes)
		if diff := cmp.Diff(before, describeAll(ix, addrs)); diff != "" {
			t.Fatalf("WithASNs changed its receiver:\n%s", diff)
		}
		in.ASNs = table
		if diff := cmp.Diff(describeAll(index.Compile(in), addrs), describeAll(next, addrs)); diff != "" {
			t.Fatalf("after %d changes (-want +got):\n%s", len(changes), diff)
		}
		if next.Inputs().ASNs != table {
			t.Error("Inputs has the old table")
		}
		ix = next
	}
}

type placed struct {
	Bits int
	client
}

func describeAll(ix *index.Index, addrs []netip.Addr) []string {
	out := make([]string, len(addrs))
	for i, a := range addrs {
		p := ix.Place(a, a.Unmap().BitLen())
		out[i] = fmt.Sprint(a, placed{p.Bits, describe(ix, p)})
	}
	return out
}
