package anycast

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/snapshot/strict"
)

func TestCommunity(t *testing.T) {
	for _, x := range []struct {
		in   string
		want Community
		ok   bool
	}{
		{"65535:0", gracefulShutdown(), true},
		{"64512:65535", Community{Parts: [3]uint32{64512, 65535}}, true},
		{"4200000000:1:4294967295", Community{true, [3]uint32{4200000000, 1, 4294967295}}, true},
		{"65536:1", Community{}, false},
		{"1:65536", Community{}, false},
		{"1", Community{}, false},
		{"1:2:3:4", Community{}, false},
		{"1:-2", Community{}, false},
		{"", Community{}, false},
	} {
		var got Community
		if err := got.UnmarshalText([]byte(x.in)); (err == nil) != x.ok || x.ok && got != x.want {
			t.Errorf("%q: %v, %v", x.in, got, err)
		}
	}
}

const good = `
local_asn: 64512
router_id: 192.0.2.1
prefixes: [198.18.0.0/24, "2001:db8:5::/48"]
peers:
  - {address: 192.0.2.2, asn: 64500, ttl_security: 1}
  - {address: "2001:db8::2", asn: 64500, multihop: 4, hold_time: 30s}
communities: ["64512:100", "64512:1:2"]
drain: {wait: 30s, prepend: 2, med: 100}
`

func decode(t *testing.T, text string) Config {
	t.Helper()
	var c Config
	if err := strict.Decode("anycast", []byte(text), &c).Err(); err != nil {
		t.Fatal(err)
	}
	return c.WithDefaults([]netip.Addr{netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("2001:db8:5::1")})
}

func TestConfig(t *testing.T) {
	c := decode(t, good)
	if problems := c.Check(); problems != nil {
		t.Fatal(problems)
	}
	s, err := c.sessions()
	if err != nil || s.Peers[0].MinTTL != 255 || s.Peers[1].Hops != 4 || s.Peers[1].Hold != 30*time.Second {
		t.Errorf("%+v, %v", s, err)
	}
	r, ok := c.route(c.Prefixes[0], c.announcement(Draining))
	if !ok || r.Prepend != 2 || *r.MED != 100 || !slices.Equal(r.Communities, []uint32{64512<<16 | 100}) || r.Large[0] != [3]uint32{64512, 1, 2} {
		t.Errorf("%+v: what is given in the place of GRACEFUL_SHUTDOWN is not announced", r)
	}
	for _, s := range []State{Down, Maintenance} {
		if _, ok := c.route(c.Prefixes[0], c.announcement(s)); ok {
			t.Errorf("announced while %s", s)
		}
	}
}

func TestConfigProblems(t *testing.T) {
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ from, to, want string }{
		{"local_asn: 64512", "", "local_asn"},
		{"router_id: 192.0.2.1", `router_id: "::1"`, "router_id"},
		{"198.18.0.0/24", "198.18.0.1/24", "want 198.18.0.0/24"},
		{"198.18.0.0/24", "0.0.0.0/0", "default route"},
		{"198.18.0.0/24", "192.0.0.0/4", "/8 or longer"},
		{`"2001:db8:5::/48"`, `"2001::/15"`, "want 2000::/15"},
		{`"2001:db8:5::/48"`, `"2000::/15"`, "/16 or longer"},
		{"hold_time: 30s", "hold_time: 20h", "hold_time"},
		{"198.18.0.0/24", "198.19.0.0/24", "want a service address inside 198.19.0.0/24"},
		{`"2001:db8:5::/48"`, "198.18.0.0/24", "given twice"},
		{"ttl_security: 1", "ttl_security: 1, multihop: 3", "ttl_security"},
		{"multihop: 4", "multihop: 1", "multihop"},
		{"hold_time: 30s", "hold_time: 2s", "hold_time"},
		{`"2001:db8::2"`, "192.0.2.2", "neighbour already"},
		{`"2001:db8::2"`, "192.0.2.3", "want a neighbour of its family"},
		{`"2001:db8::2", asn: 64500`, "192.0.2.3, asn: 64500, both_families: true", "next_hop"},
		{"prepend: 2", "prepend: 17", "drain.prepend"},
		{"asn: 64500, ttl", "ttl", "peers[0].asn"},
		{"multihop: 4", "password_file: " + password, "want a first line of 1 to 80 bytes"},
		{"multihop: 4", "password_file: /nonexistent/x", "/nonexistent/x"},
		{"drain: {", "check_timeout: 2s\ndrain: {", "check_timeout"},
		{"drain: {", "up: {wait: 3s}\ndrain: {", "up.wait"},
	} {
		c := decode(t, strings.Replace(good, x.from, x.to, 1))
		problems := c.Check()
		if !slices.ContainsFunc(problems, func(p Problem) bool { return strings.Contains(p.Key+": "+p.Text, x.want) }) {
			t.Errorf("%s: problems %v, want one with %q", x.to, problems, x.want)
		}
	}
}
