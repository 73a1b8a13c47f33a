package dns

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/waypost/waypost/edge/dns/wire"
)

// show renders what matters of an answer: code, flags, sections, each record
// on one line, sorted.
func show(m *dns.Msg) string {
	var b strings.Builder
	b.WriteString(dns.RcodeToString[m.Rcode])
	for _, f := range []struct {
		set  bool
		name string
	}{{m.Authoritative, "aa"}, {m.Truncated, "tc"}, {m.RecursionDesired, "rd"}, {m.RecursionAvailable, "ra"}} {
		if f.set {
			b.WriteString(" " + f.name)
		}
	}
	for _, section := range []struct {
		name    string
		records []dns.RR
	}{{"an", m.Answer}, {"ns", m.Ns}, {"ar", m.Extra}} {
		var lines []string
		for _, rr := range section.records {
			if rr.Header().Rrtype != dns.TypeOPT {
				lines = append(lines, "\n"+section.name+" "+strings.Join(strings.Fields(rr.String()), " "))
			}
		}
		sort.Strings(lines)
		b.WriteString(strings.Join(lines, ""))
	}
	return b.String()
}

const soa = "\nns m.test. 60 IN SOA ns.other.test. hostmaster.m.test. 1 7200 1800 86400 60"

func TestStatic(t *testing.T) {
	s := testServer(t, nil)
	for _, tc := range []struct {
		name   string
		rrtype uint16
		want   string
	}{
		{"txt.m.test", dns.TypeTXT, "NOERROR aa\nan txt.m.test. 60 IN TXT \"static\""},
		{"TxT.m.TesT", dns.TypeTXT, "NOERROR aa\nan TxT.m.TesT. 60 IN TXT \"static\""},
		{"txt.m.test", dns.TypeA, "NOERROR aa" + soa},
		{"b.c.m.test", dns.TypeA, "NOERROR aa" + soa},
		{"no.m.test", dns.TypeA, "NXDOMAIN aa" + soa},
		{"x.a.b.c.m.test", dns.TypeA, "NXDOMAIN aa" + soa},
		{"x.y.wild.m.test", dns.TypeTXT, "NOERROR aa\nan x.y.wild.m.test. 3600 IN TXT \"any\""},
		{"x.y.wild.m.test", dns.TypeA, "NOERROR aa" + soa},
		{"alias.m.test", dns.TypeA, "NOERROR aa\nan alias.m.test. 3600 IN CNAME txt.m.test."},
		{"caa.m.test", dns.TypeCAA, "NOERROR aa\nan caa.m.test. 3600 IN CAA 0 issue \"ca.test\""},
		{"m.test", dns.TypeSOA, "NOERROR aa\nan m.test. 3600 IN SOA ns.other.test. hostmaster.m.test. 1 7200 1800 86400 60"},
		{"m.test", dns.TypeNS, "NOERROR aa\nan m.test. 3600 IN NS ns.other.test.\nan m.test. 3600 IN NS ns1.m.test.\nar ns1.m.test. 3600 IN A 127.0.0.1"},
		{"ns1.m.test", dns.TypeA, "NOERROR aa\nan ns1.m.test. 3600 IN A 127.0.0.1"},
		{"a.sub.m.test", dns.TypeA, "NOERROR\nns sub.m.test. 3600 IN NS ns.sub.m.test.\nar ns.sub.m.test. 3600 IN A 192.0.2.53"},
		{"ns.sub.m.test", dns.TypeA, "NOERROR\nns sub.m.test. 3600 IN NS ns.sub.m.test.\nar ns.sub.m.test. 3600 IN A 192.0.2.53"},
		{"sub.m.test", dns.TypeANY, "NOERROR\nns sub.m.test. 3600 IN NS ns.sub.m.test.\nar ns.sub.m.test. 3600 IN A 192.0.2.53"},
		{"sub.m.test", dns.TypeDS, "NOERROR aa\nan sub.m.test. 3600 IN DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000"},
		{"txt.m.test", dns.TypeANY, "NOERROR aa\nan txt.m.test. 3600 IN HINFO \"RFC8482\" \"\""},
		{"alias.m.test", dns.TypeANY, "NOERROR aa\nan alias.m.test. 3600 IN CNAME txt.m.test."},
		{"dl.m.test", dns.TypeANY, "NOERROR aa\nan dl.m.test. 60 IN CNAME us1.example.org."},
		{"c.m.test", dns.TypeANY, "NOERROR aa" + soa},
		{"no.m.test", dns.TypeANY, "NXDOMAIN aa" + soa},
		{"other.test", dns.TypeA, "REFUSED"},
		{".", dns.TypeNS, "REFUSED"},
		{"m.test", dns.TypeAXFR, "REFUSED"},
		{"m.test", dns.TypeIXFR, "REFUSED"},
	} {
		t.Run(fmt.Sprintf("%s/%s", tc.name, dns.TypeToString[tc.rrtype]), func(t *testing.T) {
			m := ask(t, s, query(t, tc.name, tc.rrtype), true)
			if diff := cmp.Diff(tc.want, show(m)); diff != "" {
				t.Error(diff)
			}
			if got := m.Question[0].Name; got != dns.Fqdn(tc.name) {
				t.Errorf("question %q comes back as %q", tc.name, got)
			}
		})
	}
}

// TestHeader checks what depends on the header and the question alone.
func TestHeader(t *testing.T) {
	s := testServer(t, nil)
	plain := query(t, "txt.m.test", dns.TypeTXT)
	edit := func(b []byte, at int, v ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], v)
		return b
	}
	class := func(name string, class, rrtype uint16) []byte {
		return query(t, name, rrtype, func(m *dns.Msg) { m.Question[0].Qclass = class })
	}
	for _, tc := range []struct {
		name string
		in   []byte
		want string // "" for no answer
	}{
		{"empty", nil, ""},
		{"short", plain[:11], ""},
		{"an answer", edit(plain, 2, 0x80), ""},
		{"rd comes back", edit(plain, 2, 1), "NOERROR aa rd\nan txt.m.test. 60 IN TXT \"static\""},
		{"ad, cd and z do not", edit(plain, 3, 0x70), "NOERROR aa\nan txt.m.test. 60 IN TXT \"static\""},
		{"status", edit(plain, 2, 2<<3), "NOTIMP"},
		{"notify", edit(plain, 2, 4<<3), "NOTIMP"},
		{"update without a zone", edit(plain[:12], 2, 5<<3, 0, 0, 0), "NOTIMP"},
		{"no question", edit(plain[:12], 4, 0, 0), "FORMERR"},
		{"two questions", edit(append(bytes.Clone(plain), plain[12:]...), 4, 0, 2), "FORMERR"},
		{"a question that is cut", plain[:len(plain)-1], "FORMERR"},
		{"a label that is cut", plain[:14], "FORMERR"},
		{"a pointer", edit(plain, 12, 0xc0, 12), "FORMERR"},
		{"a label of 64", edit(plain, 12, 64), "FORMERR"},
		{"a record that is not there", edit(plain, 10, 0, 1), "FORMERR"},
		{"class NONE", class("txt.m.test", dns.ClassNONE, dns.TypeTXT), "REFUSED"},
		{"class ANY", class("txt.m.test", dns.ClassANY, dns.TypeTXT), "REFUSED"},
		{"who", class("id.server", dns.ClassCHAOS, dns.TypeTXT), "NOERROR aa\nan id.server. 0 CH TXT \"edge1\""},
		{"who, BIND's way", class("HOSTNAME.bind", dns.ClassCHAOS, dns.TypeTXT), "NOERROR aa\nan HOSTNAME.bind. 0 CH TXT \"edge1\""},
		{"version", class("version.bind", dns.ClassCHAOS, dns.TypeTXT), "NOERROR aa\nan version.bind. 0 CH TXT \"waypost test\""},
		{"version, of no type", class("version.server", dns.ClassCHAOS, dns.TypeA), "NOERROR aa"},
		{"CH of something", class("m.test", dns.ClassCHAOS, dns.TypeTXT), "REFUSED"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := ask(t, s, tc.in, true)
			got := ""
			if m != nil {
				got = show(m)
				if m.Id != 4711 {
					t.Errorf("ID %d", m.Id)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEDNS(t *testing.T) {
	s := testServer(t, nil)
	with := func(options ...func(*dns.Msg)) []byte { return query(t, "txt.m.test", dns.TypeTXT, options...) }
	local := &dns.EDNS0_LOCAL{Code: 65001, Data: []byte{1, 2}}
	two := with(opt(1232))
	two = append(two, two[len(two)-11:]...)
	two[11] = 2
	questions := with(opt(1232))
	questions = slices.Insert(questions, 12, questions[12:len(questions)-11]...)
	questions[5] = 2
	owner := with(func(m *dns.Msg) { opt(1232)(m); m.Extra[0].Header().Name = "a." })
	broken := with(opt(1232, local))
	broken[len(broken)-3] = 9
	for _, tc := range []struct {
		name  string
		in    []byte
		rcode int
		opt   bool
	}{
		{"none", with(), dns.RcodeSuccess, false},
		{"plain", with(opt(1232)), dns.RcodeSuccess, true},
		{"unknown option", with(opt(1232, local)), dns.RcodeSuccess, true},
		{"unknown flags", with(opt(1232), func(m *dns.Msg) { m.Extra[0].Header().Ttl |= 0x7fff }), dns.RcodeSuccess, true},
		{"version 1", with(opt(1232), func(m *dns.Msg) { m.IsEdns0().SetVersion(1) }), dns.RcodeBadVers, true},
		{"version 1 with an option", with(opt(1232, local), func(m *dns.Msg) { m.IsEdns0().SetVersion(1) }), dns.RcodeBadVers, true},
		{"two", two, dns.RcodeFormatError, true},
		{"behind two questions", questions, dns.RcodeFormatError, true},
		{"behind two questions that are cut", questions[:20], dns.RcodeFormatError, false},
		{"owner", owner, dns.RcodeFormatError, true},
		{"option longer than the OPT", broken, dns.RcodeFormatError, true},
		{"other opcode", with(opt(1232), func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }), dns.RcodeNotImplemented, true},
		{"other records around", with(opt(1232), func(m *dns.Msg) {
			m.Ns = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "x.", Rrtype: dns.TypeA, Class: 1}, A: []byte{1, 2, 3, 4}}}
		}), dns.RcodeSuccess, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := ask(t, s, tc.in, true)
			if m.Rcode != tc.rcode || (m.IsEdns0() != nil) != tc.opt {
				t.Fatalf("got %v", m)
			}
			if o := m.IsEdns0(); o != nil && (o.UDPSize() != wire.MaxUDP || o.Version() != 0 || len(o.Option) > 0 || o.Do()) {
				t.Errorf("got %v", o)
			}
		})
	}
	m := ask(t, s, with(opt(1232, &dns.EDNS0_NSID{Code: dns.EDNS0NSID}), func(m *dns.Msg) { m.IsEdns0().SetDo() }), true)
	if o := m.IsEdns0(); !o.Do() || len(o.Option) != 1 || o.Option[0].String() != "6564676531" {
		t.Errorf("DO and NSID: got %v", o)
	}
}

func TestTruncation(t *testing.T) {
	s := testServer(t, nil)
	tiny := testServer(t, func(c *Config) { c.MaxNoCookie = 80 })
	strict := testServer(t, func(c *Config) { c.MaxNoCookie = 300 })
	for _, tc := range []struct {
		name   string
		server *Server
		in     []byte
		udp    bool
		want   int // answers
		tc     bool
	}{
		{"fits", s, query(t, "many.m.test", dns.TypeA, opt(1232)), true, 40, false},
		{"512 without EDNS", s, query(t, "many.m.test", dns.TypeA), true, 0, true},
		{"512 at least", s, query(t, "txt.m.test", dns.TypeTXT, opt(0)), true, 1, false},
		{"client's size", s, query(t, "many.m.test", dns.TypeA, opt(520)), true, 0, true},
		{"1232 at most", s, query(t, "big.m.test", dns.TypeTXT, opt(4096)), true, 0, true},
		{"TCP", s, query(t, "big.m.test", dns.TypeTXT), false, 40, false},
		{"glue does not fit", tiny, query(t, "a.sub.m.test", dns.TypeA), true, 0, true},
		{"other addresses do not fit", tiny, query(t, "m.test", dns.TypeNS), true, 2, false},
		{"no cookie", strict, query(t, "many.m.test", dns.TypeA, opt(1232)), true, 0, true},
		{"no cookie, TCP", strict, query(t, "many.m.test", dns.TypeA, opt(1232)), false, 40, false},
		{"no cookie, small", strict, query(t, "txt.m.test", dns.TypeTXT), true, 1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := ask(t, tc.server, tc.in, tc.udp)
			if len(m.Answer) != tc.want || m.Truncated != tc.tc {
				t.Errorf("got %d answers, tc %v", len(m.Answer), m.Truncated)
			}
			q := &dns.Msg{}
			if err := q.Unpack(tc.in); err != nil || (q.IsEdns0() == nil) != (m.IsEdns0() == nil) {
				t.Errorf("the OPT did not come back: %v", m)
			}
		})
	}
}
