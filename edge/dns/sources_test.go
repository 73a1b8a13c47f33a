package dns

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
)

// randomSubnet returns a random address of which only a part is known, as a
// v4-mapped one now and then.
func randomSubnet(r *rand.Rand) netip.Prefix {
	a := randomAddr(r)
	bits := r.IntN(a.BitLen() + 1)
	if r.IntN(2) == 0 {
		bits = r.IntN(26)
	}
	if a.Is4() && r.IntN(4) == 0 {
		a, bits = netip.AddrFrom16(a.As16()), 96+bits
	}
	p, _ := a.Prefix(bits)
	return p
}

// TestAnswersOfAnySource: an answer whose scope is no longer than the source
// holds for all clients in it. So a client there, of whom at least as much is
// known, gets no other one (RFC 7871 section 7.3.1: it would meet the first in
// the resolver's cache), however little is known of the first.
func TestAnswersOfAnySource(t *testing.T) {
	questions := []struct {
		name   string
		rrtype uint16
	}{
		{"m.test", dns.TypeA},
		{"one.m.test", dns.TypeAAAA},
		{"dl.m.test", dns.TypeA},
		{"rich.m.test", dns.TypeURI},
		{"rich.m.test", dns.TypeHTTPS},
	}
	type kept struct {
		source, scope netip.Prefix
		data          string
	}
	rounds, differing := 100, 0
	if testing.Short() {
		rounds = 10
	}
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 8))
		s := testServer(t, func(c *Config) { c.Engine = randomEngine(r) })
		for _, q := range questions {
			var all []kept
			for range 150 {
				source := randomSubnet(r)
				m := ask(t, s, query(t, q.name, q.rrtype, ecs(source.String())), true)
				scope, err := source.Addr().Prefix(scope(m))
				if err != nil {
					t.Fatalf("seed %d: scope of %v: %v", seed, source, err)
				}
				all = append(all, kept{source, scope, data(m)})
			}
			for _, x := range all {
				if x.source.Bits() == 0 || x.scope.Bits() > x.source.Bits() {
					continue
				}
				for _, y := range all {
					if x.data == y.data || y.source.Bits() == 0 {
						continue
					}
					differing++
					if y.source.Bits() >= x.scope.Bits() && x.scope.Contains(y.source.Addr()) {
						t.Errorf("seed %d, %s %s: %v of %v has\n%s\nand %v of %v has\n%s", seed, q.name, dns.TypeToString[q.rrtype],
							x.scope, x.source, x.data, y.scope, y.source, y.data)
						break
					}
				}
			}
		}
	}
	if differing < 1000 {
		t.Errorf("only %d pairs of answers differ: the test shows nothing", differing)
	}
}
