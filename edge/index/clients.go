package index

import (
	"net/netip"
	"slices"
	"sort"

	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/netblock"
)

// The layers of the map of client addresses. Each has its own dense numbers,
// 0 for none.
const (
	layerChain   = iota // which host netblocks hold the address: chains
	layerASN            // ASNs that some host has or peers with
	layerCountry        // countries
	layerCell           // places, where some policy looks at distance
)

// clients places client addresses and knows what each place means to hosts.
type clients struct {
	byAddr    *netblock.Map
	chains    []chain
	asns      []asn
	countries []country
	continent []hostset.Set // by continent: the hosts there
	cells     []geo.Vec
	countryOf map[geo.Country]uint32
}

// A chain is one nest of declared prefixes: what is known of an address in
// the innermost of them.
type chain struct {
	blocks  []Netblock // the longest first
	country geo.Country
}

// A Netblock is a prefix that hosts declared as their own.
type Netblock struct {
	Prefix netip.Prefix
	Hosts  hostset.Set
}

type asn struct {
	number     uint32
	own, peers hostset.Set
}

type country struct {
	code      geo.Country
	continent uint32 // position in clients.continent; 0: unknown
	hosts     hostset.Set
	barred    hostset.Set // hosts that may not serve clients of this country
	middle    geo.Vec
}

func compileClients(in Inputs) clients {
	cl := clients{}
	cl.compileCountries(in)
	asnNumber := cl.compileASNs(in.Snapshot)
	cellNumber := cl.compileCells(in)
	declared := cl.compileChains(in.Snapshot)
	cl.byAddr = netblock.Compile(netblock.Config{
		Layers: [netblock.Layers]netblock.Layer{
			layerChain:   {Table: declared},
			layerASN:     {Table: in.ASNs, Value: func(raw uint32) uint32 { return asnNumber[raw] }},
			layerCountry: {Table: in.Countries, Value: func(raw uint32) uint32 { return cl.countryOf[geo.CountryFromUint32(raw)] }},
			layerCell:    {Map: in.Places, Value: cellNumber},
		},
		Fold: func(t *netblock.Tuple) {
			if c := cl.chains[t[layerChain]].country; c.Known() {
				t[layerCountry] = cl.countryOf[c]
			}
		},
	})
	return cl
}

// compileCountries numbers all countries that clients or hosts can be in.
func (cl *clients) compileCountries(in Inputs) {
	cl.countryOf = map[geo.Country]uint32{{}: 0}
	codes := []geo.Country{{}}
	number := func(c geo.Country) {
		if _, ok := cl.countryOf[c]; !ok {
			cl.countryOf[c] = uint32(len(codes))
			codes = append(codes, c)
		}
	}
	s := in.Snapshot
	for h := range s.Hosts {
		number(s.Hosts[h].Country)
		for _, c := range slices.Concat(s.Hosts[h].Allowed, s.Hosts[h].Excluded) {
			number(c)
		}
	}
	for _, o := range s.CountryOverrides {
		number(o.Country)
	}
	if in.Countries != nil {
		for _, v := range in.Countries.All() {
			number(geo.CountryFromUint32(v))
		}
	}
	continents := map[geo.Continent]uint32{{}: 0}
	cl.continent = []hostset.Set{hostset.Make(len(s.Hosts))}
	for _, code := range codes {
		k := in.Continents.Of(code)
		if _, ok := continents[k]; !ok {
			continents[k] = uint32(len(cl.continent))
			cl.continent = append(cl.continent, hostset.Make(len(s.Hosts)))
		}
		cl.countries = append(cl.countries, compileCountry(s, code, continents[k]))
	}
	for i := range cl.countries {
		if c := &cl.countries[i]; c.continent != 0 {
			cl.continent[c.continent].Or(c.hosts)
		}
	}
}

func compileCountry(s *snapshot.Snapshot, code geo.Country, continent uint32) country {
	c := country{code: code, continent: continent, hosts: hostset.Make(len(s.Hosts)), barred: hostset.Make(len(s.Hosts))}
	if p, ok := geo.Centroid(code); ok {
		c.middle = p.Vec()
	}
	for i := range s.Hosts {
		h := &s.Hosts[i]
		if code.Known() && h.Country == code {
			c.hosts.Add(uint32(i))
		}
		if len(h.Allowed) > 0 && !slices.Contains(h.Allowed, code) || slices.Contains(h.Excluded, code) {
			c.barred.Add(uint32(i))
		}
	}
	return c
}

// compileASNs numbers the ASNs that matter to some host.
func (cl *clients) compileASNs(s *snapshot.Snapshot) map[uint32]uint32 {
	numbers := map[uint32]uint32{}
	cl.asns = make([]asn, 1)
	entry := func(number uint32) *asn {
		if _, ok := numbers[number]; !ok {
			numbers[number] = uint32(len(cl.asns))
			cl.asns = append(cl.asns, asn{number, hostset.Make(len(s.Hosts)), hostset.Make(len(s.Hosts))})
		}
		return &cl.asns[numbers[number]]
	}
	for i := range s.Hosts {
		for _, number := range s.Hosts[i].ASNs {
			entry(number).own.Add(uint32(i))
		}
		for _, number := range s.Hosts[i].PeerASNs {
			entry(number).peers.Add(uint32(i))
		}
	}
	delete(numbers, 0)
	return numbers
}

// compileCells numbers the places of clients, if some policy looks at distance.
func (cl *clients) compileCells(in Inputs) func(uint32) uint32 {
	cl.cells = make([]geo.Vec, 1)
	near := func(c snapshot.Category) bool { return c.Policy.Order == snapshot.Nearest }
	if in.Places == nil || !slices.ContainsFunc(in.Snapshot.Categories, near) {
		return func(uint32) uint32 { return 0 }
	}
	numbers := map[uint32]uint32{}
	for class := range in.Places.Classes() {
		cell := in.Places.Tuple(netblock.Class(class))[0]
		if p, ok := geo.CellCenter(cell); ok {
			numbers[cell] = uint32(len(cl.cells))
			cl.cells = append(cl.cells, p.Vec())
		}
	}
	return func(cell uint32) uint32 { return numbers[cell] }
}

// compileChains numbers the nests of declared prefixes and returns the table
// prefix → chain.
func (cl *clients) compileChains(s *snapshot.Snapshot) *netblock.Table {
	declared := map[netip.Prefix]*chain{}
	at := func(p netip.Prefix) *chain {
		if declared[p] == nil {
			declared[p] = &chain{}
		}
		return declared[p]
	}
	for i := range s.Hosts {
		for _, p := range s.Hosts[i].Netblocks {
			c := at(p)
			if len(c.blocks) == 0 {
				c.blocks = []Netblock{{p, hostset.Make(len(s.Hosts))}}
			}
			c.blocks[0].Hosts.Add(uint32(i))
		}
	}
	for _, o := range s.CountryOverrides {
		at(o.Prefix).country = o.Country
	}
	prefixes := make([]netip.Prefix, 0, len(declared))
	for p := range declared {
		prefixes = append(prefixes, p)
	}
	sort.Slice(prefixes, func(i, j int) bool { return prefixes[i].Bits() < prefixes[j].Bits() })
	cl.chains = make([]chain, 1)
	entries := make([]netblock.Entry, 0, len(prefixes))
	for _, p := range prefixes {
		inherit(declared, p)
		entries = append(entries, netblock.Entry{Prefix: p, Value: uint32(len(cl.chains))})
		cl.chains = append(cl.chains, *declared[p])
	}
	return netblock.NewTable(entries)
}

// inherit completes p's chain by that of the longest declared prefix around
// it, which is complete already.
func inherit(declared map[netip.Prefix]*chain, p netip.Prefix) {
	for bits := p.Bits() - 1; bits >= 0; bits-- {
		outer, _ := p.Addr().Prefix(bits)
		if around := declared[outer]; around != nil {
			c := declared[p]
			c.blocks = append(slices.Clip(c.blocks), around.blocks...)
			if !c.country.Known() {
				c.country = around.country
			}
			return
		}
	}
}

// A Place is who a client is.
type Place struct {
	Addr    netip.Addr // unmapped
	Class   netblock.Class
	Bits    int // the widest prefix around Addr in which the class is constant
	Source  int // how many leading bits of Addr are the client's own
	Country geo.Country

	country, asn, chain, cell uint32
}

// Place returns who the client of address a is, of which the first source
// bits are known to be its own: all of them for a connection, fewer for the
// client subnet of a DNS query. It allocates nothing.
func (ix *Index) Place(a netip.Addr, source int) Place {
	a = a.Unmap()
	class, bits := ix.clients.byAddr.Lookup(a)
	t := ix.clients.byAddr.Tuple(class)
	return Place{
		Addr: a, Class: class, Bits: bits, Source: source,
		Country: ix.clients.countries[t[layerCountry]].code,
		country: t[layerCountry], asn: t[layerASN], chain: t[layerChain], cell: t[layerCell],
	}
}

// Exact reports whether the known part of the address settles the class.
// Where it does not, the client may be somebody else than Place says.
func (p *Place) Exact() bool { return p.Bits <= p.Source }

// Netblocks returns the declared prefixes around the client, the longest
// first. Those longer than the known part of its address do not count: the
// rest of it may be anybody's.
func (ix *Index) Netblocks(p *Place) []Netblock {
	blocks := ix.clients.chains[p.chain].blocks
	for len(blocks) > 0 && blocks[0].Prefix.Bits() > p.Source {
		blocks = blocks[1:]
	}
	return blocks
}

// ASN returns the client's origin AS, if some host has it or peers with it,
// and those hosts; else 0 and nil.
func (ix *Index) ASN(p *Place) (number uint32, own, peers hostset.Set) {
	if p.asn == 0 {
		return 0, nil, nil
	}
	a := &ix.clients.asns[p.asn]
	return a.number, a.own, a.peers
}

// InCountry returns the hosts in the client's country.
func (ix *Index) InCountry(p *Place) hostset.Set { return ix.clients.countries[p.country].hosts }

// InContinent returns the hosts on the client's continent; none if it is unknown.
func (ix *Index) InContinent(p *Place) hostset.Set {
	return ix.clients.continent[ix.clients.countries[p.country].continent]
}

// Barred returns the hosts that may not serve clients of the client's country.
func (ix *Index) Barred(p *Place) hostset.Set { return ix.clients.countries[p.country].barred }

// Vec returns where the client is: its cell, else the middle of its country,
// else the zero Vec.
func (ix *Index) Vec(p *Place) geo.Vec {
	if v := ix.clients.cells[p.cell]; v.Known() {
		return v
	}
	return ix.clients.countries[p.country].middle
}

// HostsIn returns the hosts in a country; nil if there are none.
func (ix *Index) HostsIn(c geo.Country) hostset.Set {
	return ix.clients.countries[ix.clients.countryOf[c]].hosts
}

// HostsAround returns the hosts on a country's continent; nil if that is unknown.
func (ix *Index) HostsAround(c geo.Country) hostset.Set {
	i, ok := ix.clients.countryOf[c]
	if !ok {
		k := ix.in.Continents.Of(c)
		return ix.onContinent(k)
	}
	return ix.clients.continent[ix.clients.countries[i].continent]
}

// onContinent returns the hosts on a continent by the country of any of them.
func (ix *Index) onContinent(k geo.Continent) hostset.Set {
	for i := range ix.clients.countries {
		if c := &ix.clients.countries[i]; c.continent != 0 && ix.in.Continents.Of(c.code) == k {
			return ix.clients.continent[c.continent]
		}
	}
	return nil
}
