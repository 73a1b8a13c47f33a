package dns

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
)

// TestDrained: answers and their scopes where hosts are drained are those of a
// registry in which they are marked down; also that there is nothing, unless the
// zone has fallback addresses.
func TestDrained(t *testing.T) {
	rcodes, empty, fallbacks := map[int]int{}, 0, 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 8))
		plain := randomEngine(r).View()
		in := plain.Index.Inputs()
		registry := *in.Snapshot
		registry.Hosts = append(registry.Hosts[:0:0], registry.Hosts...)
		var drained []string
		for i := range registry.Hosts {
			if r.IntN(3) < 1+int(seed%3) {
				registry.Hosts[i].Down, drained = true, append(drained, registry.Hosts[i].Name)
			}
		}
		in.Snapshot = &registry
		var drains, marks answer.Engine
		drains.Swap(plain.Index, func(ix *index.Index) *health.State { return health.New(ix, nil, drained...) })
		marks.Swap(index.Compile(in), nil)
		got := testServer(t, func(c *Config) { c.Engine = &drains })
		want := testServer(t, func(c *Config) { c.Engine = &marks })
		for range 60 {
			name := []string{"m.test", "one.m.test", "dl.m.test", "rich.m.test", "os.spare.test"}[r.IntN(5)]
			rrtype := []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeURI}[r.IntN(4)]
			client := randomAddr(r).String()
			a, b := from(t, got, name, rrtype, client), from(t, want, name, rrtype, client)
			if name == "os.spare.test" && rrtype == dns.TypeA && b.Rcode == dns.RcodeSuccess && len(b.Answer) == 0 && strings.Contains(data(a), "192.0.2.250") {
				fallbacks++ // hosts are there, but for nobody now: that is what it is for
				continue
			}
			if data(a) != data(b) || scope(a) != scope(b) {
				t.Fatalf("seed %d, %s of %s for %s: scope %d\n%s\nwant %d\n%s", seed, dns.TypeToString[rrtype], name, client, scope(a), data(a), scope(b), data(b))
			}
			if rcodes[a.Rcode]++; len(a.Answer) == 0 {
				empty++
			}
		}
	}
	if fallbacks == 0 || len(rcodes) < 2 || empty < 300 || empty > 3300 {
		t.Errorf("of 3600 answers, %d are empty, %d fallbacks; %v", empty, fallbacks, rcodes)
	}
}
