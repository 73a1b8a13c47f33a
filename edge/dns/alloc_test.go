//go:build !race

package dns

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"github.com/waypost/waypost/edge/dns/wire"
)

// TestAllocations: answering allocates nothing, whatever is asked.
func TestAllocations(t *testing.T) {
	s := testServer(t, nil)
	full := cookieOf(ask(t, s, query(t, "m.test", dns.TypeA, withCookie("0102030405060708")), true))
	for name, in := range map[string][]byte{
		"A":        query(t, "m.test", dns.TypeA, ecs("20.1.2.0/24")),
		"AAAA":     query(t, "m.test", dns.TypeAAAA),
		"CNAME":    query(t, "dl.m.test", dns.TypeA, ecs("30.6.1.0/24")),
		"HTTPS":    query(t, "rich.m.test", dns.TypeHTTPS, ecs("2a00:1::/48")),
		"URI":      query(t, "rich.m.test", dns.TypeURI),
		"TXT":      query(t, "rich.m.test", dns.TypeTXT),
		"static":   query(t, "txt.m.test", dns.TypeTXT),
		"wildcard": query(t, "x.y.wild.m.test", dns.TypeTXT),
		"referral": query(t, "x.sub.m.test", dns.TypeA),
		"NXDOMAIN": query(t, "a.b.no.m.test", dns.TypeA),
		"NODATA":   query(t, "four.m.test", dns.TypeAAAA),
		"fallback": query(t, "none.spare.test", dns.TypeA),
		"SERVFAIL": query(t, "none.m.test", dns.TypeA),
		"REFUSED":  query(t, "other.test", dns.TypeA),
		"ANY":      query(t, "m.test", dns.TypeANY),
		"FORMERR":  query(t, "m.test", dns.TypeA, withCookie("01")),
		"cookie":   query(t, "m.test", dns.TypeA, withCookie(full)),
		"who":      query(t, "id.server", dns.TypeTXT, func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }),
	} {
		t.Run(name, func(t *testing.T) {
			w, out := s.NewWork(), make([]byte, 0, wire.MaxUDP)
			meta := Meta{Client: netip.MustParseAddr("203.0.113.9"), UDP: true, Now: testNow}
			if n := testing.AllocsPerRun(100, func() { s.Answer(out, in, meta, w) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}
