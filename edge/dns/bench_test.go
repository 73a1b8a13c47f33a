package dns

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/dns/wire"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/netblock"
)

// benchEngine has 450 hosts in 40 countries and 300 ASNs, 20,000 prefixes
// with their ASN, and a country for every /8.
func benchEngine() *answer.Engine {
	r := rand.New(rand.NewPCG(1, 2))
	code := func(i int) string { return string([]byte{'A' + byte(i%40/8), 'A' + byte(i%8)}) }
	s := &snapshot.Snapshot{
		Categories:  []snapshot.Category{{Name: "os", Path: "pub/os", Policy: snapshot.Policy{Minimum: 5, Bands: snapshot.AllBands}}},
		Directories: []snapshot.Directory{{Path: "pub/os"}},
	}
	for i := range 450 {
		h := snapshot.Host{
			Name: fmt.Sprintf("h%d", i), Country: country(code(r.IntN(40))), Bandwidth: 100 + r.Uint32N(10000), ASNs: []uint32{1 + r.Uint32N(300)},
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), netip.AddrFrom16([16]byte{0x20, 1, 14: byte(i >> 8), 15: byte(i)})},
			DNS:       true, Mounts: []snapshot.Mount{{URLs: []string{fmt.Sprintf("https://h%d.example.org/os", i)}}},
		}
		h.Has.Add(0)
		s.Hosts = append(s.Hosts, h)
	}
	var countries, asns []netblock.Entry
	for i := range 256 {
		countries = append(countries, netblock.Entry{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i)}), 8), Value: country(code(i)).Uint32()})
	}
	seen := map[netip.Prefix]bool{}
	for range 20000 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))}), 24)
		if !seen[p] {
			seen[p] = true
			asns = append(asns, netblock.Entry{Prefix: p, Value: 1 + r.Uint32N(3000)})
		}
	}
	e := &answer.Engine{}
	e.Swap(index.Compile(index.Inputs{Snapshot: s, Countries: netblock.NewTable(countries), ASNs: netblock.NewTable(asns)}), nil)
	return e
}

// BenchmarkAnswer: how long does one packet take, beside the socket?
func BenchmarkAnswer(b *testing.B) {
	s := testServer(b, func(c *Config) { c.Engine = benchEngine() })
	r := rand.New(rand.NewPCG(3, 4))
	random := func(n int, packet func(netip.Addr) []byte) (packets [][]byte) {
		for range n {
			packets = append(packets, packet(netip.AddrFrom4([4]byte{1 + byte(r.IntN(200)), byte(r.IntN(256)), byte(r.IntN(256))})))
		}
		return packets
	}
	same := func(name string, rrtype uint16, options ...func(*dns.Msg)) [][]byte {
		return [][]byte{query(b, name, rrtype, options...)}
	}
	full := cookieOf(ask(b, s, query(b, "m.test", dns.TypeA, withCookie("0102030405060708")), true))
	for _, bc := range []struct {
		name    string
		packets [][]byte
	}{
		{"tailored/A/plain", same("m.test", dns.TypeA)},
		{"tailored/A/ecs", random(1024, func(a netip.Addr) []byte {
			return query(b, "m.test", dns.TypeA, ecs(netip.PrefixFrom(a, 24).String()))
		})},
		{"tailored/AAAA/ecs", random(1024, func(a netip.Addr) []byte {
			return query(b, "m.test", dns.TypeAAAA, ecs(netip.PrefixFrom(a, 24).String()))
		})},
		{"tailored/A/cookie", same("m.test", dns.TypeA, withCookie(full))},
		{"tailored/CNAME/ecs", random(1024, func(a netip.Addr) []byte {
			return query(b, "dl.m.test", dns.TypeA, ecs(netip.PrefixFrom(a, 24).String()))
		})},
		{"static", same("txt.m.test", dns.TypeTXT)},
		{"NXDOMAIN", same("no.m.test", dns.TypeA)},
		{"REFUSED", same("other.test", dns.TypeA)},
	} {
		b.Run(bc.name, func(b *testing.B) {
			w, out := s.NewWork(), make([]byte, 0, wire.MaxUDP)
			meta := Meta{Client: netip.MustParseAddr("77.1.2.3"), UDP: true, Now: testNow}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.Answer(out, bc.packets[i%len(bc.packets)], meta, w)
			}
		})
	}
}
