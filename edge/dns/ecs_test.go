package dns

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// rawECS returns a query with a client subnet option of exactly these bytes.
func rawECS(tb testing.TB, name string, data ...byte) []byte {
	tb.Helper()
	return query(tb, name, dns.TypeA, opt(1232, &dns.EDNS0_LOCAL{Code: dns.EDNS0SUBNET, Data: data}))
}

// TestSubnetForm has the cases for which gdnsd has tests, and their kin.
func TestSubnetForm(t *testing.T) {
	s := testServer(t, nil)
	for _, tc := range []struct {
		name string
		data []byte
		ok   bool
	}{
		{"v4/24", []byte{0, 1, 24, 0, 192, 0, 2}, true},
		{"v4/32", []byte{0, 1, 32, 0, 192, 0, 2, 1}, true},
		{"v4/20", []byte{0, 1, 20, 0, 192, 0, 0x10}, true},
		{"v4/0", []byte{0, 1, 0, 0}, true},
		{"v6/0", []byte{0, 2, 0, 0}, true},
		{"v6/56", []byte{0, 2, 56, 0, 0x20, 1, 0x0d, 0xb8, 0, 0, 0}, true},
		{"empty", nil, false},
		{"short", []byte{0, 1, 24}, false},
		{"address too short", []byte{0, 1, 24, 0, 192, 0}, false},
		{"address too long", []byte{0, 1, 24, 0, 192, 0, 2, 0}, false},
		{"whole address for /24", []byte{0, 1, 24, 0, 192, 0, 2, 1}, false},
		{"bits over the mask", []byte{0, 1, 20, 0, 192, 0, 0x18}, false},
		{"no address for /1", []byte{0, 1, 1, 0}, false},
		{"v4/33", []byte{0, 1, 33, 0, 192, 0, 2, 1, 0}, false},
		{"v6/129", append([]byte{0, 2, 129, 0}, make([]byte, 17)...), false},
		{"scope", []byte{0, 1, 24, 24, 192, 0, 2}, false},
		{"family 0", []byte{0, 0, 0, 0}, false},
		{"family 3", []byte{0, 3, 24, 0, 192, 0, 2}, false},
		{"family 256", []byte{1, 0, 24, 0, 192, 0, 2}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := ask(t, s, rawECS(t, "m.test", tc.data...), true)
			want := dns.RcodeFormatError
			if tc.ok {
				want = dns.RcodeSuccess
			}
			if m.Rcode != want || m.IsEdns0() == nil || (scope(m) >= 0) != tc.ok {
				t.Errorf("got %v", m)
			}
		})
	}
	both := query(t, "m.test", dns.TypeA, opt(1232,
		&dns.EDNS0_LOCAL{Code: dns.EDNS0SUBNET, Data: []byte{0, 1, 0, 0}}, &dns.EDNS0_LOCAL{Code: dns.EDNS0SUBNET, Data: []byte{0, 1, 0, 0}}))
	if m := ask(t, s, both, true); m.Rcode != dns.RcodeFormatError {
		t.Errorf("two client subnets: got %v", m)
	}
}

// TestSubnetEcho: family, source and address come back as they were received
// (RFC 7871 section 7.2.1), and only to those who sent them.
func TestSubnetEcho(t *testing.T) {
	s := testServer(t, nil)
	for _, prefix := range []string{"20.1.2.0/24", "20.0.0.0/7", "0.0.0.0/0", "::/0", "2a00:1::/56", "::ffff:20.1.2.0/120"} {
		p := netip.MustParsePrefix(prefix)
		m := ask(t, s, query(t, "m.test", dns.TypeA, ecs(prefix)), true)
		if scope(m) < 0 {
			t.Fatalf("%s: no client subnet in %v", prefix, m)
		}
		got, _ := m.IsEdns0().Option[0].(*dns.EDNS0_SUBNET)
		addr, _ := netip.AddrFromSlice(got.Address)
		if int(got.SourceNetmask) != p.Bits() || addr.Unmap() != p.Addr().Unmap() || got.Family == 1 != p.Addr().Is4() {
			t.Errorf("%s comes back as %v", prefix, got)
		}
	}
	if m := ask(t, s, query(t, "m.test", dns.TypeA, opt(1232)), true); scope(m) >= 0 {
		t.Errorf("unasked client subnet in %v", m)
	}
	if m := ask(t, s, query(t, "noecs.test", dns.TypeA, ecs("20.1.2.0/24")), true); scope(m) >= 0 || len(m.Answer) == 0 {
		t.Errorf("client subnet of a zone that ignores it: %v", m)
	}
}

// hosts returns the last bytes of the addresses of an answer, sorted: the
// fixture numbers its hosts that way.
func hosts(m *dns.Msg) (hs []byte) {
	for _, rr := range m.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			hs = append(hs, rr.A.To4()[3])
		case *dns.AAAA:
			hs = append(hs, rr.AAAA[15])
		}
	}
	return hs
}

func TestScope(t *testing.T) {
	s := testServer(t, nil)
	for _, tc := range []struct {
		name   string
		q      string
		rrtype uint16
		subnet string
		rcode  int
		scope  int
	}{
		{"a draw among three", "m.test", dns.TypeA, "20.1.2.0/24", 0, 24},
		{"also for a wide source", "m.test", dns.TypeA, "20.0.0.0/8", 0, 24},
		{"v6, two of two", "m.test", dns.TypeAAAA, "2a00:1::/32", 0, 12},
		{"v6, one of two", "one.m.test", dns.TypeA, "2a00:1::/56", 0, 48},
		{"own ASN, one of one", "one.m.test", dns.TypeA, "30.5.1.0/24", 0, 16},
		{"own country, two of two", "m.test", dns.TypeA, "30.6.1.0/24", 0, 15},
		{"private host's netblock", "one.m.test", dns.TypeA, "198.51.100.0/24", 0, 24},
		{"source too short for it", "m.test", dns.TypeAAAA, "198.51.100.0/23", 0, 24},
		{"static", "txt.m.test", dns.TypeTXT, "20.1.2.0/24", 0, 0},
		{"NODATA", "txt.m.test", dns.TypeA, "20.1.2.0/24", 0, 0},
		{"NXDOMAIN", "no.m.test", dns.TypeA, "20.1.2.0/24", dns.RcodeNameError, 0},
		{"nobody has AAAA", "four.m.test", dns.TypeAAAA, "20.1.2.0/24", 0, 0},
		{"one host for all", "four.m.test", dns.TypeA, "30.6.2.0/24", 0, 15},
		{"nobody may serve", "none.m.test", dns.TypeA, "20.1.2.0/24", dns.RcodeServerFailure, 8},
		{"nobody but the fallback", "none.spare.test", dns.TypeA, "20.1.2.0/24", 0, 8},
		{"source /0", "m.test", dns.TypeA, "0.0.0.0/0", 0, 0},
		{"source ::/0", "m.test", dns.TypeA, "::/0", 0, 0},
		{"RFC 1918, 192.168", "m.test", dns.TypeA, "192.168.1.0/24", 0, 16},
		{"RFC 1918, 172.16", "m.test", dns.TypeA, "172.20.1.0/24", 0, 12},
		{"RFC 1918, a part is named", "m.test", dns.TypeA, "10.128.0.0/16", 0, 9},
		{"RFC 1918, named", "one.m.test", dns.TypeA, "10.1.2.0/24", 0, 16},
		{"RFC 4193", "m.test", dns.TypeA, "fd00:1::/48", 0, 7},
		{"RFC 6598", "m.test", dns.TypeA, "100.100.0.0/24", 0, 10},
		{"shorter than the private block", "one.m.test", dns.TypeA, "10.0.0.0/7", 0, 24},
		{"v4-mapped", "m.test", dns.TypeA, "::ffff:20.1.2.0/120", 0, 24 + 96},
		{"v4-mapped, RFC 1918", "m.test", dns.TypeA, "::ffff:192.168.1.0/120", 0, 16 + 96},
		{"v4-mapped, nothing known", "m.test", dns.TypeA, "::ffff:0.0.0.0/96", 0, 5 + 96},
		{"in a private block, source shorter", "four.m.test", dns.TypeA, "fc00::/6", 0, 7},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := ask(t, s, query(t, tc.q, tc.rrtype, ecs(tc.subnet)), true)
			if m.Rcode != tc.rcode || scope(m) != tc.scope {
				t.Errorf("got scope %d, want %d, in %v", scope(m), tc.scope, m)
			}
		})
	}
}

// TestWhoOpensPrivateHosts: host 6 is private.
func TestWhoOpensPrivateHosts(t *testing.T) {
	s := testServer(t, nil)
	const outside, inside = "203.0.113.9", "198.51.100.53"
	for _, tc := range []struct {
		name, q, from, subnet string
		want                  []byte
	}{
		{"the client", "one.m.test", outside, "198.51.100.0/24", []byte{6}},
		{"one address of it", "one.m.test", outside, "198.51.100.7/32", []byte{6}},
		{"a wider source", "none.spare.test", outside, "198.51.0.0/16", []byte{250}},
		{"its resolver", "none.m.test", inside, "", nil},
		{"its resolver, trusted", "none.spare.test", inside, "", []byte{6}},
		{"a trusted resolver for others", "none.spare.test", inside, "20.1.2.0/24", []byte{250}},
		{"a trusted resolver, client withheld", "none.spare.test", inside, "0.0.0.0/0", []byte{6}},
		{"a named private network", "one.m.test", outside, "10.1.2.0/24", []byte{6}},
		{"another private network", "none.m.test", outside, "10.2.2.0/24", nil},
		{"another one behind a trusted resolver", "none.spare.test", inside, "10.2.2.0/24", []byte{6}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			packet := query(t, tc.q, dns.TypeA, opt(1232))
			if tc.subnet != "" {
				packet = query(t, tc.q, dns.TypeA, ecs(tc.subnet))
			}
			m := askFrom(t, s, packet, Meta{Client: netip.MustParseAddr(tc.from), UDP: true})
			if diff := cmp.Diff(tc.want, hosts(m)); diff != "" {
				t.Error(diff)
			}
			if (m.Rcode == dns.RcodeServerFailure) != (tc.want == nil) {
				t.Errorf("got %v", m)
			}
		})
	}
}

// TestMappedClient: a dual-stack socket gives v4 clients as v4-mapped ones.
func TestMappedClient(t *testing.T) {
	s := testServer(t, nil)
	packet := query(t, "m.test", dns.TypeA)
	four := askFrom(t, s, packet, Meta{Client: netip.MustParseAddr("20.1.2.3")})
	mapped := askFrom(t, s, packet, Meta{Client: netip.MustParseAddr("::ffff:20.1.2.3")})
	if diff := cmp.Diff(four.String(), mapped.String()); diff != "" {
		t.Error(diff)
	}
}

// TestNearPrivate compares with a scan over all lengths.
func TestNearPrivate(t *testing.T) {
	blocks := prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10")
	slow := func(a netip.Addr) (beside, inside int) {
		for _, b := range blocks {
			if b.Contains(a) {
				return 0, b.Bits()
			}
		}
		for bits := 0; ; bits++ {
			p, err := a.Prefix(bits)
			if err != nil {
				t.Fatal(err)
			}
			clear := true
			for _, b := range blocks {
				clear = clear && !p.Overlaps(b)
			}
			if clear {
				return bits, 0
			}
		}
	}
	for i := range uint32(1 << 16) {
		var four [4]byte
		binary.BigEndian.PutUint32(four[:], i<<16|0x1234)
		six := [16]byte{byte(i >> 8), byte(i), 5}
		for _, a := range []netip.Addr{netip.AddrFrom4(four), netip.AddrFrom16(six)} {
			beside, inside := nearPrivate(a)
			if wantBeside, wantInside := slow(a); beside != wantBeside || inside != wantInside {
				t.Fatalf("%v: got %d, %d, want %d, %d", a, beside, inside, wantBeside, wantInside)
			}
		}
	}
}
