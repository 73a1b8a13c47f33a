package dns

import (
	"encoding/hex"
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"github.com/waypost/waypost/edge/dns/wire"
)

func withCookie(hexCookie string) func(*dns.Msg) {
	data, err := hex.DecodeString(hexCookie)
	if err != nil {
		panic(err)
	}
	return opt(1232, &dns.EDNS0_LOCAL{Code: dns.EDNS0COOKIE, Data: data})
}

// cookieOf returns the cookie of an answer in hexadecimal.
func cookieOf(m *dns.Msg) string {
	if o := m.IsEdns0(); o != nil {
		for _, e := range o.Option {
			if c, ok := e.(*dns.EDNS0_COOKIE); ok {
				return c.Cookie
			}
		}
	}
	return ""
}

func TestCookies(t *testing.T) {
	s := testServer(t, func(c *Config) { c.MaxNoCookie = 300 })
	const client = "0102030405060708"
	m := ask(t, s, query(t, "txt.m.test", dns.TypeTXT, withCookie(client)), true)
	full := cookieOf(m)
	if m.Rcode != dns.RcodeSuccess || len(m.Answer) != 1 || len(full) != 48 || full[:16] != client {
		t.Fatalf("a bare client cookie: got %v", m)
	}
	bad := full[:46] + "00"
	header := func(m *dns.Msg) { m.Question = nil }
	for _, tc := range []struct {
		name  string
		in    []byte
		rcode int
		size  int // of the cookie, in digits
		big   bool
	}{
		{"ours", query(t, "many.m.test", dns.TypeA, withCookie(full)), dns.RcodeSuccess, 48, true},
		{"not ours", query(t, "many.m.test", dns.TypeA, withCookie(bad)), dns.RcodeSuccess, 48, false},
		{"somebody's", query(t, "many.m.test", dns.TypeA, withCookie(client+"0102030405060708")), dns.RcodeSuccess, 48, false},
		{"none", query(t, "many.m.test", dns.TypeA, opt(1232)), dns.RcodeSuccess, 0, false},
		{"empty", query(t, "many.m.test", dns.TypeA, withCookie("")), dns.RcodeFormatError, 0, false},
		{"7 bytes", query(t, "many.m.test", dns.TypeA, withCookie(client[:14])), dns.RcodeFormatError, 0, false},
		{"9 bytes", query(t, "many.m.test", dns.TypeA, withCookie(client+"01")), dns.RcodeFormatError, 0, false},
		{"41 bytes", query(t, "many.m.test", dns.TypeA, withCookie(client+full+full[:18])), dns.RcodeFormatError, 0, false},
		{"only a client cookie", query(t, ".", dns.TypeA, header, withCookie(client)), dns.RcodeSuccess, 48, false},
		{"only a cookie, ours", query(t, ".", dns.TypeA, header, withCookie(full)), dns.RcodeSuccess, 48, false},
		{"only a cookie, not ours", query(t, ".", dns.TypeA, header, withCookie(bad)), dns.RcodeBadCookie, 48, false},
		{"refused with a cookie", query(t, "other.test", dns.TypeA, withCookie(client)), dns.RcodeRefused, 48, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := ask(t, s, tc.in, true)
			if m.Rcode != tc.rcode || len(cookieOf(m)) != tc.size || len(m.Answer) > 0 != tc.big {
				t.Errorf("got %v", m)
			}
		})
	}
	if c := s.Counters(); c.CookiesOK != 2 || c.CookiesBad != 3 || c.Malformed != 4 || c.Truncated != 3 {
		t.Errorf("got %+v", c)
	}

	// Another client's cookie is worth nothing, another edge's with our secret is ours.
	stolen := askFrom(t, s, query(t, "many.m.test", dns.TypeA, withCookie(full)), Meta{Client: netip.MustParseAddr("203.0.113.10"), UDP: true, Now: testNow})
	if !stolen.Truncated {
		t.Errorf("a stolen cookie: got %v", stolen)
	}
	other := testServer(t, func(c *Config) { c.MaxNoCookie = 300 })
	if m := ask(t, other, query(t, "many.m.test", dns.TypeA, withCookie(full)), true); m.Truncated {
		t.Errorf("another edge: got %v", m)
	}
	other.SetSecrets(wire.RandomSecrets())
	if m := ask(t, other, query(t, "many.m.test", dns.TypeA, withCookie(full)), true); !m.Truncated {
		t.Errorf("another edge, other secret: got %v", m)
	}
}
