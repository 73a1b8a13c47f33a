package zone

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/waypost/waypost/edge/dns/wire"
)

func small() Config {
	return Config{
		Name: "m.test",
		NS:   map[string][]netip.Addr{"ns1.m.test": {netip.MustParseAddr("127.0.0.1")}, "ns.other.test": nil},
		Records: `txt 60 IN TXT "static"
a.b.c   IN A 192.0.2.1
*.wild  IN TXT "any"
\087\087W IN A 192.0.2.80
sub     IN NS ns.sub
ns.sub  IN A 192.0.2.53
alias   IN CNAME txt
`,
		Mirrors: []Mirror{{Name: "@", Path: "pub/os"}, {Name: "dl", Path: "/pub/os/", Answer: "cname"}},
	}
}

func name(t *testing.T, text string) *wire.Name {
	t.Helper()
	n := &wire.Name{}
	if !n.Set([]byte(wireName(dns.Fqdn(text)))) {
		t.Fatalf("%q is no name", text)
	}
	return n
}

func TestFind(t *testing.T) {
	inner := Config{Name: "inner.m.test", NS: map[string][]netip.Addr{"ns.other.test": nil}}
	zs, err := Compile([]Config{small(), inner})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, zone string
		exists     bool
		types      string // of the node
		cut        bool
	}{
		{"m.test", "m.test", true, "SOA NS", false},
		{"ns1.m.test", "m.test", true, "A", false},
		{"txt.m.test", "m.test", true, "TXT", false},
		{"no.m.test", "m.test", false, "", false},
		{"a.very.long.way.down.no.m.test", "m.test", false, "", false},
		{"b.c.m.test", "m.test", true, "", false}, // empty non-terminals
		{"c.m.test", "m.test", true, "", false},
		{"x.c.m.test", "m.test", false, "", false},
		{"x.wild.m.test", "m.test", true, "TXT", false},
		{"y.x.wild.m.test", "m.test", true, "TXT", false}, // RFC 4592: any number of labels
		{"*.wild.m.test", "m.test", true, "TXT", false},
		{"wild.m.test", "m.test", true, "", false},
		{"x.txt.m.test", "m.test", false, "", false},
		{"www.m.test", "m.test", true, "A", false},
		{"sub.m.test", "m.test", true, "NS", true},
		{"deep.down.sub.m.test", "m.test", true, "NS", true},
		{"ns.sub.m.test", "m.test", true, "A", true},
		{"x.inner.m.test", "inner.m.test", false, "", false},
		{"inner.m.test", "inner.m.test", true, "SOA NS", false},
		{"test", "", false, "", false},
		{"xm.test", "", false, "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := name(t, tc.name)
			z := zs.Find(n)
			if z == nil {
				if tc.zone != "" {
					t.Fatal("no zone")
				}
				return
			}
			if z.Name != tc.zone {
				t.Fatalf("zone %s, want %q", z.Name, tc.zone)
			}
			node := z.Find(n)
			if (node != nil) != tc.exists {
				t.Fatalf("exists: %v, want %v", node != nil, tc.exists)
			}
			if node == nil {
				return
			}
			var types []string
			for _, s := range node.Sets {
				types = append(types, dns.Type(s.Type).String())
			}
			if got := strings.Join(types, " "); got != tc.types {
				t.Errorf("types %q, want %q", got, tc.types)
			}
			if (node.Cut != nil) != tc.cut {
				t.Errorf("cut: %v, want %v", node.Cut != nil, tc.cut)
			}
		})
	}
}

func TestGlue(t *testing.T) {
	zs, err := Compile([]Config{small()})
	if err != nil {
		t.Fatal(err)
	}
	z := zs.All()[0]
	if cut := z.Find(name(t, "x.sub.m.test")).Cut; cut.NS.ExtraCount != 1 || cut.Labels != 3 || cut.DS != nil {
		t.Errorf("cut: %+v", cut)
	}
	if ns := z.Find(name(t, "m.test")).Set(wire.TypeNS); ns.Count != 2 || ns.ExtraCount != 1 {
		t.Errorf("apex NS: %+v", ns)
	}
}

// TestProblems: every mistake of the configuration is an error that names the
// zone and the name, and one mistake does not hide the next.
func TestProblems(t *testing.T) {
	addr, outside := netip.MustParseAddr("192.0.2.1"), map[string][]netip.Addr{"ns.other.test": nil}
	with := func(change func(*Config)) []Config {
		c := small()
		change(&c)
		return []Config{c}
	}
	mirror := func(m Mirror) []Config {
		return with(func(c *Config) { c.Mirrors = []Mirror{m} })
	}
	records := func(text string) []Config {
		return with(func(c *Config) { c.Records += text })
	}
	for _, tc := range []struct {
		name string
		in   []Config
		want string
	}{
		{"no name", []Config{{}}, `zone "": want a domain name`},
		{"bad name", []Config{{Name: "a..test"}}, `zone "a..test": want a domain name, got "a..test"`},
		{"twice", []Config{small(), small()}, `zone "m.test": there are two zones of this name`},
		{"in another zone", []Config{small(), {Name: "wild.m.test", NS: outside}}, `zone "m.test": records: *.wild.m.test. TXT: is in zone "wild.m.test", which answers for it`},
		{"mirror in another zone", append(mirror(Mirror{Name: "x.y", Path: "p"}), Config{Name: "y.m.test", NS: outside}), `zone "m.test": mirrors: x.y.m.test.: is in zone "y.m.test"`},
		{"no NS", with(func(c *Config) { c.NS = nil }), "ns: want at least one name server"},
		{"NS without addresses", with(func(c *Config) { c.NS["ns2.m.test"] = nil }), "ns: ns2.m.test: want its addresses"},
		{"NS outside", with(func(c *Config) { c.NS["ns.other.test"] = []netip.Addr{addr} }), "ns: ns.other.test: it is outside"},
		{"bad mname", with(func(c *Config) { c.SOA.MName = "a b" }), "soa: mname: want a domain name"},
		{"bad ttl", with(func(c *Config) { c.SOA.TTL = 1 << 31 }), "soa: ttl: want at most"},
		{"bad fallback", with(func(c *Config) { c.Fallback = []netip.Addr{{}} }), "fallback: invalid IP"},
		{"the same fallback", with(func(c *Config) { c.Fallback = []netip.Addr{addr, netip.MustParseAddr("::ffff:192.0.2.1")} }), "fallback: ::ffff:192.0.2.1 is there twice"},
		{"bad NS address", with(func(c *Config) { c.NS["ns1.m.test"] = []netip.Addr{netip.IPv4Unspecified()} }), "ns: ns1.m.test: 0.0.0.0 is not"},
		{"same type", mirror(Mirror{Name: "ns1", Path: "p"}), `mirrors: "ns1": there are static A records`},
		{"same type by types", mirror(Mirror{Name: "txt", Path: "p", Types: []string{"txt"}}), `mirrors: "txt": there are static TXT records`},
		{"cname at the apex", mirror(Mirror{Name: "@", Path: "p", Answer: "cname"}), `mirrors: "@": answer: cname cannot stand at the zone itself`},
		{"cname beside", mirror(Mirror{Name: "txt", Path: "p", Answer: "cname"}), `mirrors: "txt": a CNAME cannot stand beside`},
		{"beside a CNAME", mirror(Mirror{Name: "alias", Path: "p"}), `mirrors: "alias": a CNAME cannot stand beside`},
		{"cname count", mirror(Mirror{Name: "x", Path: "p", Answer: "cname", Count: 2}), `mirrors: "x": count: answer: cname names one host`},
		{"cname types", mirror(Mirror{Name: "x", Path: "p", Answer: "cname", Types: []string{"uri"}}), `mirrors: "x": types:`},
		{"answer", mirror(Mirror{Name: "x", Path: "p", Answer: "a"}), `mirrors: "x": answer: want addresses or cname, got "a"`},
		{"count", mirror(Mirror{Name: "x", Path: "p", Count: 17}), `mirrors: "x": count: want 1 to 16, got 17`},
		{"types", mirror(Mirror{Name: "x", Path: "p", Types: []string{"mx"}}), `mirrors: "x": types: want https, uri or txt, got "mx"`},
		{"path", mirror(Mirror{Name: "x"}), `mirrors: "x": path: want`},
		{"no mirror name", mirror(Mirror{Path: "p"}), `mirrors: "": want a name`},
		{"bad mirror name", mirror(Mirror{Name: "a..b", Path: "p"}), `mirrors: "a..b": want a domain name`},
		{"escaped dot", mirror(Mirror{Name: `b\`, Path: "p"}), `mirrors: "b\\": want a domain name`},
		{"outside", mirror(Mirror{Name: "x.other.", Path: "p"}), `mirrors: "x.other.": is outside the zone`},
		{"not relative", mirror(Mirror{Name: "x.m.test", Path: "p"}), `names are relative to the zone: want "x"`},
		{"below a cut", mirror(Mirror{Name: "x.sub", Path: "p"}), "mirrors: x.sub.m.test.: is at or below the delegation of sub.m.test."},
		{"two mirrors", with(func(c *Config) { c.Mirrors = append(c.Mirrors, c.Mirrors[0]) }), `mirrors: "@": there are two mirrors`},
		{"syntax", records("x IN A 300.0.2.1\n"), `zone "m.test": records: dns: bad A A: "300.0.2.1" at line: 8:`},
		{"outside record", records("x.other. IN A 192.0.2.1\n"), "records: x.other. A: is outside the zone"},
		{"no owner", with(func(c *Config) { c.Records = " IN A 192.0.2.1\n" }), `records:  A: want a domain name, got ""`},
		{"class", records("x CH TXT a\n"), "records: x.m.test. TXT: want class IN, got CH"},
		{"soa", records("@ IN SOA a b 1 2 3 4 5\n"), "records: m.test. SOA: want it under soa"},
		{"apex ns", records("@ IN NS a\n"), "records: m.test. NS: want the zone's own NS under ns"},
		{"dname", records("x IN DNAME a\n"), "records: x.m.test. DNAME: DNAME is not supported"},
		{"meta type", records("x IN TYPE41 \\# 0\n"), "records: x.m.test. OPT: is a type of messages"},
		{"type of questions", records("x IN TYPE255 \\# 0\n"), "records: x.m.test. ANY: is a type of messages"},
		{"wildcard delegation", records("*.x IN NS ns.other.test.\n"), "records: *.x.m.test. NS: a delegation cannot be a wildcard"},
		{"include", records("$INCLUDE /etc/passwd\n"), "records: dns: $INCLUDE directive not allowed"},
		{"cname and a", records("txt IN CNAME a\n"), "txt.m.test.: a CNAME cannot stand beside other records"},
		{"two ttls", records("txt 61 IN TXT b\n"), "txt.m.test. TXT: records of one name and type want the same TTL"},
		{"no glue", records("s2 IN NS ns.s2\n"), "records: s2.m.test. NS: want the addresses of ns.s2.m.test."},
		{"below a delegation", records("x.sub IN TXT a\n"), "records: x.sub.m.test. TXT: is at or below the delegation"},
		{"nested delegation", records("x.sub IN NS ns1\n"), "x.sub.m.test. NS: is below another delegation"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Compile(tc.in)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
			if lines := strings.Count(err.Error(), "\n") + 1; lines != 1 {
				t.Errorf("got %d problems for one mistake:\n%v", lines, err)
			}
		})
	}
}

func TestTooManyProblems(t *testing.T) {
	c := small()
	c.Records += "$GENERATE 1-65535 big IN TXT \"$\"\n"
	_, err := Compile([]Config{c})
	if err == nil || !strings.Contains(err.Error(), "big.m.test. TXT: want at most 60000 bytes") || !strings.HasSuffix(err.Error(), "more than 100 problems") {
		t.Errorf("got %v", err)
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	c := small()
	c.Mirrors = []Mirror{{Name: "x"}, {Name: "y", Path: "p", Count: -1}}
	c.Records += "x.other. IN A 192.0.2.1\n"
	_, err := Compile([]Config{c, {Name: "b..d"}})
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("want four problems, got:\n%v", err)
	}
}

// TestRoot: the root is a zone like others.
func TestRoot(t *testing.T) {
	zs, err := Compile([]Config{{
		Name: ".", NS: map[string][]netip.Addr{"a.": {netip.MustParseAddr("192.0.2.1")}},
		Records: "*.b. IN TXT x\n", Mirrors: []Mirror{{Name: "*", Path: "p"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	z := zs.Find(name(t, "."))
	if soa := z.Find(name(t, ".")).Set(wire.TypeSOA); !strings.Contains(string(soa.Records), "\x0ahostmaster\x00") {
		t.Errorf("SOA %q", soa.Records)
	}
	for text, tailored := range map[string]bool{"x.": true, "x.y.": true, "x.b.": false, "a.": false} {
		if n := z.Find(name(t, text)); n == nil || (n.Tailored != nil) != tailored {
			t.Errorf("%s: got %+v", text, n)
		}
	}
}
