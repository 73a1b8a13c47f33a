//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waypost/waypost/netblock/bgp"
)

// Two hosts in two ASes, and one in the client's country for those in none.
const feedCatalog = `
categories: [{name: os, path: pub/os, policy: {minimum: 1, sticky: true}}]
hosts:
  - {name: a, asn: 680, addresses: [192.0.2.80, "2001:db8::80"], urls: {os: ["http://a.test/os"]}}
  - {name: b, asn: 553, addresses: [192.0.2.53, "2001:db8::53"], urls: {os: ["http://b.test/os"]}}
  - {name: c, country: FR, addresses: [192.0.2.33, "2001:db8::33"], urls: {os: ["http://c.test/os"]}}
`

const feedConfig = `edge:
  name: edge1
  data_dir: data
  source: {catalog: catalog.yaml}
  http: {listen: ["127.0.0.1:8080"], trusted_proxies: ["127.0.0.0/8"]}
  dns:
    listen: ["127.0.0.1:5300"]
    zones: [{name: m.test, ns: {ns1.m.test: [127.0.0.1]}, mirrors: [{name: "@", path: pub/os, count: 1}]}]
  admin: {listen: "127.0.0.1:9090"}
  asn:
    bgp:
      local_asn: 64512
      router_id: 192.0.2.1
      apply_every: 1s
      peers:
        - {address: 192.0.2.2, asn: 64500, password_file: md5.txt, ttl_security: 1}
`

// Prefixes and the ASes that they are in at first. The last path ends in a
// private AS, and a default route says nothing.
type announced map[string]string

func firstTable() announced {
	return announced{
		"53.1.0.0/16": "680", "53.1.128.0/24": "553", "5.2.0.0/16": "553", "2a00:1::/32": "680", "2a00:2::/32": "553",
		"5.3.0.0/16": "680 64999", "0.0.0.0/0": "553", "5.2.2.128/25": "680",
	}
}

// A feeder is a router program that the edge is connected to.
type feeder struct {
	*site
	announce func(announced) // makes it say that
}

// newFeedSite makes an edge and the network of the router that feeds it.
func newFeedSite(t *testing.T, config string) *site {
	t.Helper()
	s := newSite(t)
	write(t, s.file("catalog.yaml"), feedCatalog)
	write(t, s.file("md5.txt"), "correct-horse\n")
	write(t, s.file("edge.yaml"), config)
	return s
}

// feedBird starts bird with the configuration that operators are given.
func feedBird(t *testing.T, s *site, edit ...string) *feeder {
	t.Helper()
	return birdWithTable(t, s, strings.NewReplacer(edit...).Replace(deployed(t, "feed-bird.conf")))
}

// birdWithTable starts bird with a configuration, to which it adds routes.
func birdWithTable(t *testing.T, s *site, base string) *feeder {
	t.Helper()
	config := func(rows announced) string {
		text := base
		for _, family := range []string{"ipv4", "ipv6"} {
			text += fmt.Sprintf("\nprotocol static static_%s {\n  %s;\n", family, family)
			for prefix, path := range rows {
				if strings.Contains(prefix, ":") != (family == "ipv6") {
					continue
				}
				text += "  route " + prefix + " blackhole {"
				as := strings.Fields(path)
				for _, number := range slices.Backward(as) {
					text += " bgp_path.prepend(" + number + ");"
				}
				text += " };\n"
			}
			text += "}\n"
		}
		return text
	}
	s.startBird(config(firstTable()))
	return &feeder{s, func(rows announced) {
		t.Helper()
		write(t, s.file("bird.conf"), config(rows))
		s.birdc("configure")
	}}
}

// feedFRR starts FRR with the configuration that operators are given.
func feedFRR(t *testing.T, s *site) *feeder {
	t.Helper()
	need(t, "/usr/lib/frr/bgpd", "frr")
	need(t, "vtysh", "frr")
	lines := func(rows announced) []string {
		out := []string{"router bgp 64500", "no bgp network import-check"}
		n := 0
		for prefix, path := range rows {
			family := "ipv4"
			if strings.Contains(prefix, ":") {
				family = "ipv6"
			}
			n++
			name := "path-" + strings.ReplaceAll(path, " ", "-")
			out = append(out, "route-map "+name+" permit 10", "set as-path prepend "+path, "exit",
				"router bgp 64500", "address-family "+family+" unicast", "network "+prefix+" route-map "+name, "exit-address-family")
		}
		return out
	}
	if err := os.Chmod(s.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	write(t, s.file("bgpd.conf"), deployed(t, "feed-frr.conf")+strings.Join(lines(firstTable()), "\n")+"\n")
	s.router.start(t, "/usr/lib/frr/bgpd", "--no_zebra", "--log", "stdout", "--config_file", s.file("bgpd.conf"), "--pid_file", s.file("bgpd.pid"),
		"--vty_socket", s.dir, "--skip_runas", "--bgp_port", "179")
	return &feeder{s, func(rows announced) {
		t.Helper()
		args := []string{"vtysh", "--vty_socket", s.dir, "-c", "configure"}
		for _, line := range lines(rows) {
			args = append(args, "-c", line)
		}
		s.router.run(t, args...)
	}}
}

// feedGobgpd starts gobgpd with the configuration that operators are given.
func feedGobgpd(t *testing.T, s *site) *feeder {
	t.Helper()
	return gobgpdWithTable(t, s, deployed(t, "feed-gobgpd.toml"))
}

// gobgpdWithTable starts gobgpd with a configuration, and adds routes.
func gobgpdWithTable(t *testing.T, s *site, config string) *feeder {
	t.Helper()
	need(t, "gobgpd", "gobgpd")
	write(t, s.file("gobgpd.toml"), config)
	s.router.start(t, "gobgpd", "-f", s.file("gobgpd.toml"), "--api-hosts", "127.0.0.1:50051")
	announce := func(rows announced) {
		t.Helper()
		for prefix, path := range rows {
			args := []string{"gobgp", "global", "rib", "add", "-a", "ipv4", prefix, "aspath", path}
			if strings.Contains(prefix, ":") {
				args[5] = "ipv6"
			}
			eventually(t, "gobgpd takes a route", func() bool { _, err := s.router.try(t, args...); return err == nil })
		}
	}
	announce(firstTable())
	return &feeder{s, announce}
}

// host returns which host a client is redirected to.
func (s *site) host(client string) string {
	s.t.Helper()
	to, err := s.edge.try(s.t, "curl", "-s", "-o", "/dev/null", "-w", "%{redirect_url}", "-H", "X-Forwarded-For: "+client, "http://127.0.0.1:8080/pub/os/x")
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(to, "http://"), ".")
	return name
}

var scopePattern = regexp.MustCompile(`CLIENT-SUBNET: (\S+)`)

// resolve returns the address that a client's resolver gets, and the scope.
func (s *site) resolve(subnet string) (address, scope string) {
	s.t.Helper()
	text := s.edge.run(s.t, "dig", "@127.0.0.1", "-p", "5300", "+subnet="+subnet, "+norec", "m.test", "A")
	if m := scopePattern.FindStringSubmatch(text); m != nil {
		scope = m[1]
	}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 5 && f[0] == "m.test." && f[3] == "A" {
			address = f[4]
		}
	}
	return address, scope
}

// peer returns how the session is.
func (s *site) peer() (st bgp.Status) {
	text, err := s.edge.try(s.t, "curl", "-s", "http://127.0.0.1:9090/bgp")
	var all []bgp.Status
	if err == nil && json.Unmarshal([]byte(text), &all) == nil && len(all) > 0 {
		return all[0]
	}
	return st
}

// complete waits until the whole table is in use. A router that has just started
// says that its empty table is complete, and then tells of its prefixes.
func (s *site) complete() {
	s.t.Helper()
	eventually(s.t, "the table is complete", func() bool { p := s.peer(); return p.Complete && p.Prefixes == 6 })
	if d := s.peer().CompleteAfter; d > bgp.DefaultEndOfRIBWait/2 {
		s.t.Errorf("the table was complete after %s: was there no End-of-RIB?", d)
	}
}

// sends reports whether each client is sent to the host it should be.
func (s *site) sends(want map[string]string) bool {
	s.t.Helper()
	for client, host := range want {
		if s.host(client) != host {
			return false
		}
	}
	return true
}

// wantHosts fails for clients that are not sent to the host they should be.
func (s *site) wantHosts(want map[string]string) {
	s.t.Helper()
	for client, host := range want {
		if got := s.host(client); got != host {
			s.t.Errorf("a client of %s is sent to %s, want %s", client, got, host)
		}
	}
}

// TestFeed learns a table from real routers, moves a prefix, and loses the
// session.
func TestFeed(t *testing.T) {
	for name, start := range map[string]func(*testing.T, *site) *feeder{
		"bird": func(t *testing.T, s *site) *feeder { t.Helper(); return feedBird(t, s) }, "FRR": feedFRR, "gobgpd": feedGobgpd,
	} {
		t.Run(name, func(t *testing.T) {
			s := newFeedSite(t, feedConfig)
			f := start(t, s)
			s.startEdge()
			s.complete()
			before := map[string]string{
				"53.1.2.3": "a", "53.1.128.1": "b", "5.2.0.1": "b", "5.2.2.200": "b", "5.3.0.1": "a", "2a00:1::1": "a", "2a00:2::1": "b",
			}
			s.wantHosts(before)
			if address, scope := s.resolve("53.1.128.0/24"); address != "192.0.2.53" || scope != "53.1.128.0/24/24" {
				t.Errorf("DNS: %s with scope %s, want 192.0.2.53 with 53.1.128.0/24/24", address, scope)
			}
			if address, _ := s.resolve("53.1.2.0/24"); address != "192.0.2.80" {
				t.Errorf("DNS: %s, want 192.0.2.80", address)
			}

			// 53.1.128.0/24 moves to the AS around it: its clients, and nobody else.
			rows := firstTable()
			rows["53.1.128.0/24"] = "680"
			f.announce(rows)
			moved := time.Now()
			eventually(t, "the prefix has moved", func() bool { return s.host("53.1.128.1") == "a" })
			if d := time.Since(moved); d > 5*time.Second {
				t.Errorf("it took %s", d)
			}
			before["53.1.128.1"] = "a"
			s.wantHosts(before)
			if address, scope := s.resolve("53.1.128.0/24"); address != "192.0.2.80" || scope != "53.1.128.0/24/16" {
				t.Errorf("DNS: %s with scope %s, want 192.0.2.80 with 53.1.128.0/24/16", address, scope)
			}
			text := s.edge.run(t, "curl", "-s", "http://127.0.0.1:9090/explain?ip=53.1.128.1&path=pub/os/x")
			wantAll(t, text, "53.1.128.0/24 → AS680, by BGP peer 192.0.2.2, AS 64500")
			s.nothingAnnounced(name)
			s.lost(before)
		})
	}
}

// nothingAnnounced asks the router what came from the edge.
func (s *site) nothingAnnounced(router string) {
	s.t.Helper()
	if router == "bird" {
		wantAll(s.t, s.birdc("show", "protocols", "all", "edge"), "Import updates:              0          0          0          0          0")
		return
	}
	if router == "gobgpd" {
		text := s.router.run(s.t, "gobgp", "neighbor", "192.0.2.1", "adj-in")
		if strings.Contains(text, "/") {
			s.t.Errorf("gobgpd has got\n%s", text)
		}
		return
	}
	text := s.router.run(s.t, "vtysh", "--vty_socket", s.dir, "-c", "show bgp ipv4 unicast summary json")
	var summary struct {
		Peers map[string]struct{ PfxRcd, MsgRcvd int }
	}
	if err := json.Unmarshal([]byte(text), &summary); err != nil {
		s.t.Fatal(err)
	}
	if p := summary.Peers["192.0.2.1"]; p.PfxRcd != 0 || p.MsgRcvd == 0 {
		s.t.Errorf("FRR has got %+v", p)
	}
}

// lost stops the network, restarts the edge, and finds the last table in use.
func (s *site) lost(hosts map[string]string) {
	s.t.Helper()
	s.router.run(s.t, "ip", "link", "set", "to-edge", "down")
	_ = s.process.cmd.Process.Signal(syscall.SIGTERM)
	<-s.process.end
	s.startEdge()
	eventually(s.t, "the edge is up", func() bool { return s.host("53.1.2.3") != "" })
	s.wantHosts(hosts)
	if p := s.peer(); !p.Stale || p.State == "established" {
		s.t.Errorf("status %+v, want a stale table", p)
	}
	wantAll(s.t, s.edge.run(s.t, "curl", "-s", "http://127.0.0.1:9090/metrics"), `waypost_bgp_table_stale{peer="192.0.2.2"} 1`)
	wantAll(s.t, s.edge.run(s.t, "curl", "-s", "http://127.0.0.1:9090/explain?ip=53.1.2.3&path=pub/os/x"), "stale: last right")
	s.router.run(s.t, "ip", "link", "set", "to-edge", "up")
	eventually(s.t, "the session is back", func() bool { p := s.peer(); return p.State == "established" && !p.Stale })
	s.wantHosts(hosts)
}

// TestFeedRefused has sessions that cannot be, and an edge that answers all the
// same and says why.
func TestFeedRefused(t *testing.T) {
	tests := []struct {
		name   string
		config []string // replaced in that of the edge
		bird   []string // replaced in that of bird
		want   []string // in the last error
	}{
		{"wrong MD5", nil, []string{"correct-horse", "battery"}, []string{"no answer within", "MD5 password (here one is set)"}},
		{"wrong ASN of the peer", []string{"asn: 64500", "asn: 64501"}, nil, []string{"it says it is AS 64500, and asn is 64501"}},
		{"wrong ASN of the edge", []string{"local_asn: 64512", "local_asn: 64513"}, nil, []string{"bad peer AS (2/2)"}},
		{"max-prefix", []string{"ttl_security: 1", "ttl_security: 1, max_prefixes: 3"}, nil, []string{"more than max_prefixes", "> 3"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newFeedSite(t, strings.NewReplacer(tt.config...).Replace(feedConfig))
			feedBird(t, s, tt.bird...)
			s.startEdge()
			var last string // the first may be that the router does not listen yet
			eventually(t, "there is an error", func() bool { last = s.peer().LastError; return last != "" && !strings.Contains(last, "refused") })
			wantAll(t, last, tt.want...)
			if got := s.host("53.1.2.3"); got == "" {
				t.Error("the edge does not answer")
			}
			if p := s.peer(); p.Complete || p.Prefixes != 0 {
				t.Errorf("status %+v", p)
			}
		})
	}
}

// TestFeedPassive lets bird connect, over v6.
func TestFeedPassive(t *testing.T) {
	config := strings.Replace(feedConfig, "{address: 192.0.2.2, asn: 64500, password_file: md5.txt, ttl_security: 1}",
		`{address: "2001:db8::2", asn: 64500, password_file: md5.txt, ttl_security: 1, passive: true}`, 1)
	s := newFeedSite(t, config)
	s.startEdge()
	eventually(t, "the edge is up", func() bool { return s.host("53.1.2.3") != "" })
	feedBird(t, s, "local 192.0.2.2 as", "connect delay time 1; local 2001:db8::2 as", "neighbor 192.0.2.1", "neighbor 2001:db8::1")
	s.complete()
	s.wantHosts(map[string]string{"53.1.2.3": "a", "5.2.0.1": "b", "2a00:2::1": "b"})
}
