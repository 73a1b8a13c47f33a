package dns

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/netblock"
)

// randomAddr returns an address of a few crowded places, private ones too, so
// that random prefixes and clients meet.
func randomAddr(r *rand.Rand) netip.Addr {
	if r.IntN(3) == 0 {
		starts := []string{"2001:db8::", "2001:dc0::", "fd00::", "fd40::", "3000::"}
		b := netip.MustParseAddr(starts[r.IntN(len(starts))]).As16()
		for _, i := range []int{1, 3, 5, 6, 15} {
			b[i] ^= byte(r.IntN(4)) << (2 * r.IntN(4))
		}
		return netip.AddrFrom16(b)
	}
	starts := [][4]byte{{9}, {10}, {11}, {20}, {172, 15}, {172, 16}, {192, 168}, {192, 169}, {100, 64}}
	b := starts[r.IntN(len(starts))]
	for i := 1; i < 4; i++ {
		b[i] ^= byte(r.IntN(4)) << (2 * r.IntN(4))
	}
	return netip.AddrFrom4(b)
}

func randomPrefix(r *rand.Rand) netip.Prefix {
	a := randomAddr(r)
	p, _ := a.Prefix(4 + r.IntN(min(a.BitLen(), 52)-3))
	return p
}

func randomTable(r *rand.Rand, rows int, value func() uint32) *netblock.Table {
	entries := map[netip.Prefix]uint32{}
	for range rows {
		entries[randomPrefix(r)] = value()
	}
	list := make([]netblock.Entry, 0, rows)
	for p, v := range entries {
		list = append(list, netblock.Entry{Prefix: p, Value: v})
	}
	return netblock.NewTable(list)
}

// randomEngine has a few hosts of every kind, and random tables.
func randomEngine(r *rand.Rand) *answer.Engine {
	codes := []string{"DE", "FR", "US", "JP"}
	s := &snapshot.Snapshot{
		Categories: []snapshot.Category{{Name: "os", Path: "pub/os", Policy: snapshot.Policy{
			Order: snapshot.Order(r.IntN(2)), Minimum: 1, Bands: snapshot.AllBands,
		}}},
		Directories: []snapshot.Directory{{Path: "pub/os"}},
	}
	var downs []health.Target
	for i := range 1 + r.IntN(8) {
		h := snapshot.Host{
			Name: fmt.Sprintf("h%d", i), Country: country(codes[r.IntN(4)]), Bandwidth: uint32(r.IntN(3)) * 50,
			ASNs: []uint32{64500 + r.Uint32N(4)}, PeerASNs: []uint32{64500 + r.Uint32N(4)},
			Private: r.IntN(3) == 0, DNS: r.IntN(6) > 0,
			Mounts: []snapshot.Mount{{URLs: []string{fmt.Sprintf("https://h%d.test/os", i)}}},
		}
		if r.IntN(4) == 0 {
			h.Mounts[0].URLs[0] = fmt.Sprintf("http://192.0.2.%d/os", i)
		}
		if r.IntN(5) > 0 {
			h.Addresses = append(h.Addresses, netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}))
		}
		if r.IntN(2) > 0 {
			h.Addresses = append(h.Addresses, netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(i)}))
		}
		for range r.IntN(4) {
			h.Netblocks = append(h.Netblocks, randomPrefix(r))
		}
		if r.IntN(4) == 0 {
			h.Allowed = append(h.Allowed, country(codes[r.IntN(4)]))
		}
		if r.IntN(4) == 0 {
			downs = append(downs, down(h.Name)[:1+r.IntN(4)]...)
		}
		h.Has.Add(0)
		s.Hosts = append(s.Hosts, h)
	}
	ix := index.Compile(index.Inputs{
		Snapshot:  s,
		Countries: randomTable(r, r.IntN(12), func() uint32 { return country(codes[r.IntN(4)]).Uint32() }),
		ASNs:      randomTable(r, r.IntN(12), func() uint32 { return 64500 + r.Uint32N(6) }),
	})
	e := &answer.Engine{}
	e.Swap(ix, func(ix *index.Index) *health.State { return health.New(ix, downs) })
	return e
}

// data returns what a resolver keeps of an answer: RRsets have no order.
func data(m *dns.Msg) string {
	lines := []string{dns.RcodeToString[m.Rcode]}
	for _, rr := range m.Answer {
		lines = append(lines, rr.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestScopesDoNotOverlap: two clients that get different answers get scopes of
// which neither holds the other (RFC 7871 section 7.2.1 and architecture.md
// section 5), whatever the hosts, their health, and the tables. All ask one
// resolver at one time, with their whole address.
func TestScopesDoNotOverlap(t *testing.T) {
	questions := []struct {
		name   string
		rrtype uint16
	}{
		{"m.test", dns.TypeA},
		{"m.test", dns.TypeAAAA},
		{"one.m.test", dns.TypeA},
		{"dl.m.test", dns.TypeA},
		{"rich.m.test", dns.TypeHTTPS},
		{"rich.m.test", dns.TypeURI},
		{"os.spare.test", dns.TypeA},
	}
	rounds, differing := 60, 0
	if testing.Short() {
		rounds = 10
	}
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 7))
		s := testServer(t, func(c *Config) { c.Engine = randomEngine(r) })
		for _, q := range questions {
			answers := map[netip.Prefix]string{}
			for range 120 {
				client := randomAddr(r)
				m := from(t, s, q.name, q.rrtype, client.String())
				scope, err := client.Prefix(scope(m))
				if err != nil {
					t.Fatalf("seed %d: scope of %v: %v", seed, client, err)
				}
				got := data(m)
				for other, before := range answers {
					if before == got {
						continue
					}
					differing++
					if other.Overlaps(scope) {
						t.Fatalf("seed %d, %s %s: %v has\n%s\nand %v, of %v, has\n%s",
							seed, q.name, dns.TypeToString[q.rrtype], other, before, scope, client, got)
					}
				}
				answers[scope] = got
			}
		}
	}
	if differing < 1000 {
		t.Errorf("only %d pairs of answers differ: the test shows nothing", differing)
	}
}
