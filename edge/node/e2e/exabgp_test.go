//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/waypost/waypost/netblock/bgp"
)

// startExaBGP starts an ExaBGP at an address, which opens a session and
// announces routes, each "PREFIX ORIGIN".
func startExaBGP(t *testing.T, s *site, address string, asn int, routes ...string) *process {
	t.Helper()
	need(t, "exabgp", "exabgp")
	text := fmt.Sprintf("neighbor 2001:db8::1 {\n  router-id 192.0.2.%s;\n  local-address %s;\n  local-as %d;\n  peer-as 64512;\n"+
		"  family { ipv4 unicast; ipv6 unicast; }\n  static {\n", address[len(address)-1:], address, asn)
	for _, route := range routes {
		prefix, origin, _ := strings.Cut(route, " ")
		hop := "192.0.2.2"
		if strings.Contains(prefix, ":") {
			hop = address
		}
		text += fmt.Sprintf("    route %s next-hop %s as-path [ %d %s ];\n", prefix, hop, asn, origin)
	}
	name := s.file("exabgp-" + address[len(address)-1:] + ".conf")
	write(t, name, text+"  }\n}\n")
	return s.router.start(t, "env", "exabgp_daemon_drop=false", "exabgp_api_cli=false", "exabgp_log_destination=stderr", "exabgp_tcp_bind=", "exabgp", name)
}

// sessions returns how all sessions are.
func (s *site) sessions() (all []bgp.Status) {
	if text, err := s.edge.try(s.t, "curl", "-s", "http://127.0.0.1:9090/bgp"); err == nil {
		_ = json.Unmarshal([]byte(text), &all)
	}
	return all
}

// TestFeedOfTwo has two sessions at a time, with tables that differ: the first
// in the configuration is preferred, what only one has counts, and one that is
// lost leaves its table for hold_last.
func TestFeedOfTwo(t *testing.T) {
	config := strings.NewReplacer(
		"{address: 192.0.2.2, asn: 64500, password_file: md5.txt, ttl_security: 1}",
		"{address: \"2001:db8::2\", asn: 64500, passive: true}\n        - {address: \"2001:db8::3\", asn: 64501, passive: true}",
		"apply_every: 1s", "apply_every: 1s\n      hold_last: 12s").Replace(feedConfig)
	s := newFeedSite(t, config)
	s.router.address(t, "to-edge", "2001:db8::3/64")
	s.startEdge()
	eventually(t, "the edge is up", func() bool { return s.host("53.1.2.3") != "" })
	first := []string{"53.1.0.0/16 680", "5.2.0.0/16 553", "2a00:1::/32 680"}
	a := startExaBGP(t, s, "2001:db8::2", 64500, first...)
	startExaBGP(t, s, "2001:db8::3", 64501, "53.1.0.0/16 553", "53.1.128.0/24 553", "5.3.0.0/16 680", "2a00:1::/32 553")
	complete := func(i, prefixes int) func() bool {
		return func() bool {
			all := s.sessions()
			return len(all) == 2 && all[i].Complete && all[i].Prefixes == prefixes
		}
	}
	eventually(t, "the first table is complete", complete(0, 3))
	eventually(t, "the second table is complete", complete(1, 4))
	union := map[string]string{"53.1.2.3": "a", "53.1.128.1": "b", "5.2.0.1": "b", "5.3.0.1": "a", "2a00:1::1": "a"}
	s.wantHosts(union)
	for _, st := range s.sessions() {
		if st.CompleteAfter > bgp.DefaultEndOfRIBWait/2 {
			t.Errorf("%+v, want the end of the table said", st)
		}
	}

	_ = a.cmd.Process.Kill()
	<-a.end
	eventually(t, "the first session is lost", func() bool { return s.sessions()[0].Stale })
	s.wantHosts(union)
	wantAll(t, s.edge.run(t, "curl", "-s", "http://127.0.0.1:9090/explain?ip=53.1.2.3&path=pub/os/x"), "by BGP peer 2001:db8::2, AS 64500, stale")
	eventually(t, "its table is too old", func() bool { return s.host("53.1.2.3") == "b" && s.host("2a00:1::1") == "b" })
	s.wantHosts(map[string]string{"53.1.128.1": "b", "5.3.0.1": "a"})
	if st := s.sessions(); st[0].Prefixes != 0 || !st[1].Complete {
		t.Errorf("%+v", st)
	}

	startExaBGP(t, s, "2001:db8::2", 64500, first...)
	eventually(t, "the first session is back", complete(0, 3))
	s.wantHosts(union)
}
