package node_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waypost/waypost/edge/node"
)

// TestBadBGPConfig has one of each mistake; the error names them all.
func TestBadBGPConfig(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "edge.yaml"), `edge:
  source: {catalog: catalog.yaml}
  http: {listen: ["127.0.0.1:0"]}
  asn:
    bgp:
      router_id: "2001:db8::1"
      apply_every: 1ms
      peers:
        - {address: 192.0.2.254, asn: 64500, password_file: md5.txt, families: [ipx]}
        - {address: 192.0.2.254, asn: 0, multihop: 300, ttl_security: 1, hold_time: 1s}
`)
	_, err := node.ReadConfig(filepath.Join(dir, "edge.yaml"))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"edge.data_dir", "bgp.local_asn", "bgp.router_id", "bgp.apply_every", "peers[0].password_file", "peers[0].families",
		"peers[1].address", "peers[1].asn", "peers[1].multihop", "peers[1].ttl_security", "peers[1].hold_time",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s:\n%v", want, err)
		}
	}
}

func TestGoodBGPConfig(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "md5.txt"), "secret\n")
	write(t, filepath.Join(dir, "edge.yaml"), `edge:
  data_dir: data
  source: {catalog: catalog.yaml}
  http: {listen: ["127.0.0.1:0"]}
  asn:
    bgp:
      local_asn: 64512
      router_id: 192.0.2.1
      hold_last: 12h
      peers:
        - {address: 192.0.2.254, asn: 64500, password_file: md5.txt, passive: true, max_prefixes: 1500000}
        - {address: "2001:db8::1", asn: 64512, multihop: 3}
`)
	c, err := node.ReadConfig(filepath.Join(dir, "edge.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	b := c.ASN.BGP
	if b.HoldLast.Hours() != 12 || !b.Peers[0].Passive || len(b.Listen) != 2 || b.Peers[1].Multihop != 3 || b.Peers[1].LocalASN != 64512 {
		t.Errorf("configuration %+v", b)
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Error("reading the configuration has made the folder")
	}
}

// TestBadAnycastConfig has a service address where nobody answers, and a folder
// too deep for a socket.
func TestBadAnycastConfig(t *testing.T) {
	for _, x := range []struct{ from, to, want string }{
		{"addresses: []", "addresses: [198.18.0.5, 198.18.0.1]", "edge.anycast.addresses[0]: want an address that http.listen or dns.listen has"},
		{"data_dir: data", "data_dir: " + strings.Repeat("d", 100), "edge.data_dir: want a shorter path"},
		{"data_dir: data", "", "edge.data_dir"},
		{"", "", ""},
		{`http: {listen: ["198.18.0.1:80"]}`, `http: {listen: ["0.0.0.0:80"]}`, "want a service address inside"},
		{`http: {listen: ["198.18.0.1:80"]}`, `http: {listen: ["127.0.0.1:80"]}
  dns: {listen: ["198.18.0.1:53"], zones: [{name: m.test, ns: {ns1.m.test: [198.18.0.1]}, mirrors: [{name: "@", path: pub/os}]}]}`, ""},
	} {
		name := filepath.Join(t.TempDir(), "edge.yaml")
		write(t, name, strings.Replace(`edge:
  data_dir: data
  source: {catalog: catalog.yaml}
  http: {listen: ["198.18.0.1:80"]}
  anycast:
    local_asn: 64512
    router_id: 192.0.2.1
    prefixes: [198.18.0.0/24]
    addresses: []
    peers: [{address: 192.0.2.2, asn: 64500}]
`, x.from, x.to, 1))
		_, err := node.ReadConfig(name)
		if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want …%s…", x.to, err, x.want)
		}
	}
}
