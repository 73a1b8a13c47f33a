package dns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/dns/zone"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// from asks for a client's own address, with a client subnet.
func from(t *testing.T, s *Server, name string, rrtype uint16, client string) *dns.Msg {
	t.Helper()
	a := netip.MustParseAddr(client)
	return ask(t, s, query(t, name, rrtype, ecs(netip.PrefixFrom(a, a.BitLen()).String())), true)
}

func TestAddresses(t *testing.T) {
	s := testServer(t, nil)
	for _, tc := range []struct {
		name   string
		q      string
		rrtype uint16
		client string
		want   []byte // sorted; of three Germans, any two
		any    []byte
		count  int
	}{
		{"own country", "m.test", dns.TypeA, "20.1.2.3", nil, []byte{1, 2, 3}, 2},
		{"own country, v6", "m.test", dns.TypeAAAA, "20.1.2.3", []byte{1, 2}, nil, 2},
		{"one", "one.m.test", dns.TypeA, "20.1.2.3", nil, []byte{1, 2, 3}, 1},
		{"own ASN, then country", "m.test", dns.TypeA, "30.5.1.2", []byte{4, 5}, nil, 2},
		{"own ASN", "one.m.test", dns.TypeA, "30.5.1.2", []byte{4}, nil, 1},
		{"v6 falls through to farther bands", "m.test", dns.TypeAAAA, "30.6.1.2", nil, []byte{1, 2, 4}, 2},
		{"netblock", "one.m.test", dns.TypeAAAA, "2001:db8:1::5", []byte{6}, nil, 1},
		{"deeper path", "rich.m.test", dns.TypeA, "20.1.2.3", []byte{1, 2, 3}, nil, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := from(t, s, tc.q, tc.rrtype, tc.client)
			got := hosts(m)
			slices.Sort(got)
			if tc.want != nil {
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Error(diff)
				}
			}
			if len(got) != tc.count || tc.any != nil && slices.ContainsFunc(got, func(h byte) bool { return !slices.Contains(tc.any, h) }) {
				t.Errorf("got %v, want %d of %v", got, tc.count, tc.any)
			}
			if !m.Authoritative || m.Answer[0].Header().Ttl != 60 {
				t.Errorf("got %v", m)
			}
		})
	}
}

// TestCNAME: hosts by address, and those that an operator keeps out of DNS,
// are passed over.
func TestCNAME(t *testing.T) {
	s := testServer(t, nil)
	seen := map[string]bool{}
	for i := range 64 {
		for _, net := range []string{"20.1.", "30.6."} {
			m := from(t, s, "dl.m.test", dns.TypeA, fmt.Sprintf("%s%d.1", net, i))
			seen[m.Answer[0].(*dns.CNAME).Target] = true
			if len(m.Answer) != 1 {
				t.Fatalf("got %v", m)
			}
		}
	}
	want := map[string]bool{"de1.example.org.": true, "de2.example.org.": true, "de3.example.org.": true, "us1.example.org.": true}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
	for _, rrtype := range []uint16{dns.TypeAAAA, dns.TypeTXT, dns.TypeHTTPS, dns.TypeCNAME} {
		if m := from(t, s, "dl.m.test", rrtype, "30.5.1.1"); len(m.Answer) != 1 || m.Answer[0].(*dns.CNAME).Target != "us1.example.org." || scope(m) != 16 {
			t.Errorf("%s: got %v", dns.TypeToString[rrtype], m)
		}
	}
}

func TestHostOf(t *testing.T) {
	for in, want := range map[string]string{
		"https://a.test":              "a.test",
		"https://a.test/os":           "a.test",
		"http://a.test:8080/os":       "a.test",
		"http://user:pw@a.test:1/x@y": "a.test",
		"http://a.test?x":             "a.test",
		"http://[2001:db8::1]:80/":    "[2001:db8::1]:80",
		"nothing":                     "",
	} {
		if got := hostOf(in); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

func TestHTTPS(t *testing.T) {
	s := testServer(t, nil)
	m := from(t, s, "rich.m.test", dns.TypeHTTPS, "20.1.2.3")
	rr, ok := m.Answer[0].(*dns.HTTPS)
	if !ok || rr.Priority != 1 || rr.Target != "." || len(rr.Value) != 2 || scope(m) != 24 {
		t.Fatalf("got %v", m)
	}
	four, six := rr.Value[0].(*dns.SVCBIPv4Hint).Hint, rr.Value[1].(*dns.SVCBIPv6Hint).Hint
	if len(four) != 3 || len(six) != 3 {
		t.Errorf("got %v", rr)
	}
	if m := from(t, s, "one.m.test", dns.TypeHTTPS, "20.1.2.3"); len(m.Answer) > 0 || len(m.Ns) != 1 {
		t.Errorf("HTTPS of a name that did not opt in: got %v", m)
	}
}

func TestURLs(t *testing.T) {
	s := testServer(t, nil)
	m := from(t, s, "rich.m.test", dns.TypeURI, "30.5.1.1")
	var uris []string
	for i, rr := range m.Answer {
		u := rr.(*dns.URI)
		if int(u.Priority) != i+1 || u.Weight != 1 {
			t.Errorf("got %v", u)
		}
		uris = append(uris, u.Target)
	}
	if len(uris) != 3 || uris[0] != "https://us1.example.org/os/a%20b" || uris[1] != "https://192.0.2.5/os/a%20b" || scope(m) != 24 {
		t.Errorf("got %v", m)
	}
	var texts []string
	for _, rr := range from(t, s, "rich.m.test", dns.TypeTXT, "30.5.1.1").Answer {
		texts = append(texts, strings.Join(rr.(*dns.TXT).Txt, ""))
	}
	if diff := cmp.Diff(uris, texts); diff != "" {
		t.Error(diff)
	}
}

func TestNoHost(t *testing.T) {
	s := testServer(t, nil)
	empty := testServer(t, func(c *Config) { c.Engine = &answer.Engine{} })
	for _, tc := range []struct {
		name   string
		server *Server
		q      string
		rrtype uint16
		want   string
	}{
		{"nobody has the type", s, "four.m.test", dns.TypeAAAA, "NOERROR aa" + soa},
		{"nobody may serve", s, "none.m.test", dns.TypeA, "SERVFAIL"},
		{"fallback", s, "none.spare.test", dns.TypeA, "NOERROR aa\nan none.spare.test. 60 IN A 192.0.2.250"},
		{"no fallback of that family", s, "none.spare.test", dns.TypeAAAA, "SERVFAIL"},
		{"no such path", s, "gone.m.test", dns.TypeA, "SERVFAIL"},
		{"no index yet", empty, "m.test", dns.TypeA, "SERVFAIL"},
		{"no index yet, fallback", empty, "os.spare.test", dns.TypeA, "NOERROR aa\nan os.spare.test. 60 IN A 192.0.2.250"},
		{"no index yet, static", empty, "txt.m.test", dns.TypeTXT, "NOERROR aa\nan txt.m.test. 60 IN TXT \"static\""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, show(from(t, tc.server, tc.q, tc.rrtype, "20.1.2.3"))); diff != "" {
				t.Error(diff)
			}
		})
	}
	if c := s.Counters(); c.NoHost != 3 || c.Fallback != 1 {
		t.Errorf("got %+v", c)
	}
}

// down is everything of a host.
func down(name string) (ts []health.Target) {
	for _, scheme := range []index.Schemes{index.HTTP, index.HTTPS} {
		for _, f := range []index.Family{index.V4, index.V6} {
			ts = append(ts, health.Target{Host: name, Scheme: scheme, Family: f})
		}
	}
	return ts
}

func TestHealth(t *testing.T) {
	two := testServer(t, func(c *Config) { c.Engine = testEngine(append(down("de1"), down("de2")...)...) })
	if got := hosts(from(t, two, "m.test", dns.TypeA, "20.1.2.3")); got[0] != 3 || got[1] == 1 || got[1] == 2 {
		t.Errorf("two of three are down: got %v", got)
	}
	half := testServer(t, func(c *Config) {
		c.Engine = testEngine(health.Target{Host: "de1", Scheme: index.HTTPS, Family: index.V4}, health.Target{Host: "de1", Scheme: index.HTTP, Family: index.V6})
	})
	if got := hosts(from(t, half, "rich.m.test", dns.TypeA, "20.1.2.3")); !slices.Contains(got, 1) {
		t.Errorf("http is up still: got %v", got)
	}
	all := testServer(t, func(c *Config) { c.Engine = testEngine(down("de3")...) })
	m := from(t, all, "four.m.test", dns.TypeA, "20.1.2.3")
	if c := all.Counters(); !slices.Equal(hosts(m), []byte{3}) || c.AllDown != 1 || c.Tailored != 1 {
		t.Errorf("all are down: got %v, %+v", m, c)
	}
}

// TestCheckAddresses: hosts with addresses that are not marked for DNS are told
// from hosts without addresses.
func TestCheckAddresses(t *testing.T) {
	zs, err := zone.Compile([]zone.Config{{
		Name: "m.test", NS: map[string][]netip.Addr{"ns.other.test": nil}, Mirrors: []zone.Mirror{{Name: "@", Path: "pub/os"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		addresses []netip.Addr
		want      string
	}{
		{addrs("192.0.2.1"), "no host of this content is in DNS answers: 1 have addresses, but not dns=true"},
		{nil, "no host of this content has an address for DNS answers"},
	} {
		ix := index.Compile(index.Inputs{Snapshot: &snapshot.Snapshot{
			Categories:  []snapshot.Category{{Name: "os", Path: "pub/os", Policy: snapshot.Policy{Minimum: 1, Bands: snapshot.AllBands}}},
			Directories: []snapshot.Directory{{Path: "pub/os"}},
			Hosts: []snapshot.Host{{
				Name: "a", Addresses: x.addresses, Has: snapshot.Bitmap{1},
				Mounts: []snapshot.Mount{{URLs: []string{"https://a.example.org/os"}}},
			}},
		}})
		if err := Check(zs, ix); err == nil || !strings.HasSuffix(err.Error(), x.want) {
			t.Errorf("got %v, want %s", err, x.want)
		}
	}
}

func TestCheck(t *testing.T) {
	zs, err := zone.Compile([]zone.Config{{
		Name: "m.test", NS: map[string][]netip.Addr{"ns.other.test": nil},
		Mirrors: []zone.Mirror{
			{Name: "@", Path: "pub/os"},
			{Name: "gone", Path: "nowhere"},
			{Name: "dl", Path: "pub/os", Answer: "cname"},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := `zone "m.test": mirrors: gone.m.test.: path: nowhere: the catalogue has no such content
zone "m.test": mirrors: dl.m.test.: host "ip": https://192.0.2.5/os has no host name that a CNAME could lead to
host "ip": http://192.0.2.5/os has no host name that a CNAME could lead to`
	if diff := cmp.Diff(want, Check(zs, testIndex()).Error()); diff != "" {
		t.Error(diff)
	}
}
