package dns

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/dns/wire"
	"github.com/waypost/waypost/edge/dns/zone"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/statistics"
	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/netblock"
)

func addrs(texts ...string) (as []netip.Addr) {
	for _, text := range texts {
		as = append(as, netip.MustParseAddr(text))
	}
	return as
}

func prefixes(texts ...string) (ps []netip.Prefix) {
	for _, text := range texts {
		ps = append(ps, netip.MustParsePrefix(text))
	}
	return ps
}

func country(code string) geo.Country {
	return geo.Country{code[0], code[1]}
}

// testZones has every kind of name.
func testZones(tb testing.TB) *zone.Zones {
	tb.Helper()
	zs, err := zone.Compile([]zone.Config{{
		Name: "m.test",
		NS:   map[string][]netip.Addr{"ns1.m.test": addrs("127.0.0.1"), "ns.other.test": nil},
		Records: `$TTL 3600
txt 60 IN TXT "static"
a.b.c   IN A 192.0.2.1
*.wild  IN TXT "any"
sub     IN NS ns.sub
sub     IN DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000
ns.sub  IN A 192.0.2.53
alias   IN CNAME txt
caa     IN CAA 0 issue "ca.test"
$GENERATE 1-40 big IN TXT "record $ of a set that does not fit into a packet"
$GENERATE 1-40 many IN A 192.0.2.$
`,
		Mirrors: []zone.Mirror{
			{Name: "@", Path: "pub/os"},
			{Name: "dl", Path: "pub/os", Answer: "cname"},
			{Name: "rich", Path: "pub/os/a b", Count: 3, Types: []string{"https", "uri", "txt"}},
			{Name: "one", Path: "pub/os", Count: 1},
			{Name: "four", Path: "pub/four"},
			{Name: "none", Path: "pub/private"},
			{Name: "gone", Path: "nowhere"},
		},
	}, {
		Name: "spare.test",
		NS:   map[string][]netip.Addr{"ns.other.test": nil},
		Mirrors: []zone.Mirror{
			{Name: "none", Path: "pub/private"},
			{Name: "os", Path: "pub/os"},
		},
		Fallback:          addrs("192.0.2.250"),
		PrivateByResolver: true,
	}, {
		Name:      "noecs.test",
		NS:        map[string][]netip.Addr{"ns.other.test": nil},
		Mirrors:   []zone.Mirror{{Name: "@", Path: "pub/os"}},
		IgnoreECS: true,
	}})
	if err != nil {
		tb.Fatal(err)
	}
	return zs
}

// testIndex has these clients: 20.0.0.0/8 and 2a00::/12 in DE, 30.0.0.0/8 in
// US, private hosts' netblocks 198.51.100.0/24, 10.1.0.0/16 and
// 2001:db8:1::/48, and AS 64500 at 30.5.0.0/16.
func testIndex() *index.Index {
	all := snapshot.Policy{Minimum: 1, Bands: snapshot.AllBands}
	mounts := func(name string) []snapshot.Mount {
		url := []string{"https://" + name + "/os", "http://" + name + "/os"}
		return []snapshot.Mount{{Category: 0, URLs: url}, {Category: 1, URLs: url}, {Category: 2, URLs: url}}
	}
	s := &snapshot.Snapshot{
		Categories: []snapshot.Category{
			{Name: "os", Path: "pub/os", Policy: all},
			{Name: "four", Path: "pub/four", Policy: all},
			{Name: "private", Path: "pub/private", Policy: all},
		},
		Directories: []snapshot.Directory{{Path: "pub/four", Category: 1}, {Path: "pub/os"}, {Path: "pub/private", Category: 2}},
		Hosts: []snapshot.Host{
			{Name: "de1", Country: country("DE"), Bandwidth: 100, Addresses: addrs("192.0.2.1", "2001:db8::1"), DNS: true, Mounts: mounts("de1.example.org")},
			{Name: "de2", Country: country("DE"), Bandwidth: 100, Addresses: addrs("192.0.2.2", "2001:db8::2"), DNS: true, Mounts: mounts("DE2.example.org:8443")},
			{Name: "de3", Country: country("DE"), Bandwidth: 100, Addresses: addrs("192.0.2.3"), DNS: true, Mounts: mounts("user@de3.example.org")},
			{Name: "us1", Country: country("US"), Bandwidth: 100, ASNs: []uint32{64500}, Addresses: addrs("192.0.2.4", "2001:db8::4"), DNS: true, Mounts: mounts("us1.example.org")},
			{Name: "ip", Country: country("US"), Bandwidth: 100, Addresses: addrs("192.0.2.5"), DNS: true, Mounts: mounts("192.0.2.5")},
			{
				Name: "shut", Country: country("DE"), Bandwidth: 100, Private: true, Netblocks: prefixes("198.51.100.0/24", "10.1.0.0/16", "2001:db8:1::/48"),
				Addresses: addrs("192.0.2.6", "2001:db8::6"), DNS: true, Mounts: mounts("shut.example.org"),
			},
			{Name: "out", Country: country("DE"), Bandwidth: 100, Addresses: addrs("192.0.2.7"), Mounts: mounts("out.example.org")},
		},
	}
	for h := range s.Hosts {
		s.Hosts[h].Has.Add(1)
	}
	s.Hosts[2].Has.Add(0)
	s.Hosts[5].Has.Add(2)
	return index.Compile(index.Inputs{
		Snapshot: s,
		Countries: netblock.NewTable([]netblock.Entry{
			{Prefix: netip.MustParsePrefix("20.0.0.0/8"), Value: country("DE").Uint32()},
			{Prefix: netip.MustParsePrefix("2a00::/12"), Value: country("DE").Uint32()},
			{Prefix: netip.MustParsePrefix("30.0.0.0/8"), Value: country("US").Uint32()},
		}),
		ASNs: netblock.NewTable([]netblock.Entry{{Prefix: netip.MustParsePrefix("30.5.0.0/16"), Value: 64500}}),
	})
}

func testEngine(down ...health.Target) *answer.Engine {
	e := &answer.Engine{Counter: new(statistics.Collector).Counter}
	e.Swap(testIndex(), func(ix *index.Index) *health.State { return health.New(ix, down) })
	return e
}

func testServer(tb testing.TB, change func(*Config)) *Server {
	tb.Helper()
	c := Config{Engine: testEngine(), Name: "edge1", Version: "waypost test", Secrets: wire.Secrets{{1, 2, 3}}}
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	if err != nil {
		tb.Fatal(err)
	}
	s.SetZones(testZones(tb))
	return s
}

const testNow = 1_800_000_000

// ask sends a query through the server and returns what miekg/dns makes of
// the answer, which is our oracle; nil for none.
func ask(tb testing.TB, s *Server, query []byte, udp bool) *dns.Msg {
	tb.Helper()
	return askFrom(tb, s, query, Meta{Client: netip.MustParseAddr("203.0.113.9"), UDP: udp, Now: testNow})
}

func askFrom(tb testing.TB, s *Server, query []byte, meta Meta) *dns.Msg {
	tb.Helper()
	reply := s.Answer(make([]byte, 0, wire.MaxUDP), query, meta, s.NewWork())
	if reply == nil {
		return nil
	}
	m := &dns.Msg{}
	if err := m.Unpack(reply); err != nil {
		tb.Fatalf("answer to %x does not parse: %v\n%x", query, err, reply)
	}
	return m
}

// query returns the packet of a question, after options have changed it.
func query(tb testing.TB, name string, rrtype uint16, options ...func(*dns.Msg)) []byte {
	tb.Helper()
	m := &dns.Msg{}
	m.SetQuestion(dns.Fqdn(name), rrtype)
	m.RecursionDesired = false
	m.Id = 4711
	for _, o := range options {
		o(m)
	}
	b, err := m.Pack()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func opt(size uint16, options ...dns.EDNS0) func(*dns.Msg) {
	return func(m *dns.Msg) {
		m.SetEdns0(size, false)
		m.IsEdns0().Option = options
	}
}

func ecs(prefix string) func(*dns.Msg) {
	p := netip.MustParsePrefix(prefix)
	family := uint16(2)
	if p.Addr().Is4() {
		family = 1
	}
	return opt(1232, &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: family, SourceNetmask: uint8(p.Bits()), Address: p.Addr().AsSlice()})
}

// scope returns the scope of an answer, -1 if it has none.
func scope(m *dns.Msg) int {
	if o := m.IsEdns0(); o != nil {
		for _, e := range o.Option {
			if s, ok := e.(*dns.EDNS0_SUBNET); ok {
				return int(s.SourceScope)
			}
		}
	}
	return -1
}
