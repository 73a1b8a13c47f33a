//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/waypost/waypost/netblock/bgp"
)

const bmpConfig = `edge:
  name: edge1
  source: {catalog: catalog.yaml}
  http: {listen: ["127.0.0.1:8080"], trusted_proxies: ["127.0.0.0/8"]}
  admin: {listen: "127.0.0.1:9090"}
  asn:
    bmp: {listen: "192.0.2.1:11019", routers: [192.0.2.2/32], apply_every: 500ms, end_of_rib_wait: 2s}
`

// TestBMP learns a table from routers that send what they monitor: gobgpd its
// own table, FRR that of a peer. Neither says when the table of a session that
// came up later is complete.
func TestBMP(t *testing.T) {
	for name, start := range map[string]func(*testing.T, *site) *feeder{"gobgpd": bmpGobgpd, "FRR": bmpFRR} {
		t.Run(name, func(t *testing.T) {
			s := newFeedSite(t, bmpConfig)
			s.startEdge()
			f := start(t, s)
			status := func() (st bgp.MonitorStatus) {
				text, err := s.edge.try(t, "curl", "-s", "http://127.0.0.1:9090/bmp")
				if err == nil {
					_ = json.Unmarshal([]byte(text), &st)
				}
				return st
			}
			defer func() { t.Logf("%+v", status()) }()
			eventually(t, "clients are in their ASes", func() bool {
				return s.sends(map[string]string{"53.1.2.3": "a", "5.2.9.9": "b", "2a00:1::5": "a", "53.1.128.9": "b", "5.3.1.1": "a"})
			})
			st := status()
			if len(st.Tables) == 0 || st.Malformed > 0 {
				t.Errorf("%+v", st)
			}
			rows := firstTable()
			rows["53.1.0.0/16"] = "553"
			f.announce(rows)
			eventually(t, "the client has moved", func() bool { return s.host("53.1.2.3") == "b" })
			s.wantHosts(map[string]string{"2a00:1::5": "a", "5.3.1.1": "a"})
		})
	}
}

func bmpGobgpd(t *testing.T, s *site) *feeder {
	t.Helper()
	return gobgpdWithTable(t, s, `
[global.config]
as = 64500
router-id = "192.0.2.2"
port = -1
[[bmp-servers]]
[bmp-servers.config]
address = "192.0.2.1"
port = 11019
route-monitoring-policy = "local-rib"
`)
}

// bmpFRR starts an FRR that has its table from a bird beside it.
func bmpFRR(t *testing.T, s *site) *feeder {
	t.Helper()
	need(t, "/usr/lib/frr/bgpd", "frr")
	s.router.address(t, "lo", "203.0.113.1/32")
	s.router.address(t, "lo", "203.0.113.2/32")
	write(t, s.file("bgpd.conf"), `
router bgp 64500
 bgp router-id 203.0.113.2
 no bgp ebgp-requires-policy
 neighbor 203.0.113.1 remote-as 64501
 neighbor 203.0.113.1 ebgp-multihop 2
 neighbor 203.0.113.1 update-source 203.0.113.2
 address-family ipv6 unicast
  neighbor 203.0.113.1 activate
 exit-address-family
 bmp targets edge
  bmp connect 192.0.2.1 port 11019 min-retry 100 max-retry 1000
  bmp monitor ipv4 unicast post-policy
  bmp monitor ipv6 unicast post-policy
 exit
`)
	if err := os.Chmod(s.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	s.router.start(t, "/usr/lib/frr/bgpd", "--no_zebra", "--log", "stdout", "--config_file", s.file("bgpd.conf"), "--pid_file", s.file("bgpd.pid"),
		"--vty_socket", s.dir, "--skip_runas", "--listenon", "203.0.113.2", "-M", "bmp")
	return birdWithTable(t, s, `router id 203.0.113.1;
protocol device {}
protocol bgp frr {
  local 203.0.113.1 as 64501; neighbor 203.0.113.2 as 64500; multihop 2; strict bind yes;
  ipv4 { import none; export all; next hop self; };
  ipv6 { import none; export all; next hop address 2001:db8::2; };
}
`)
}
