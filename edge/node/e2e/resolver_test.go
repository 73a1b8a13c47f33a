//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnbound resolves the edge's zone through a recursive resolver.
func TestUnbound(t *testing.T) {
	need(t, "unbound", "unbound")
	need(t, "dig", "bind9-dnsutils")
	e := startEdge(t, dnsCatalog, dnsZone)
	edgeHost, edgePort := split(t, e.dns)
	host, port := split(t, freeAddr(t))
	dir := t.TempDir()
	config := filepath.Join(dir, "unbound.conf")
	write(t, config, fmt.Sprintf(`server:
  interface: %[1]s@%[2]s
  directory: %[3]q
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  module-config: "iterator"
  local-zone: "test." nodefault
  harden-below-nxdomain: yes
  qname-minimisation: yes
  qname-minimisation-strict: yes
  use-caps-for-id: yes
stub-zone:
  name: m.test
  stub-addr: %[4]s@%[5]s
remote-control:
  control-enable: no
`, host, port, dir, edgeHost, edgePort))
	startProcess(t, "unbound", "-d", "-p", "-c", config)
	dig := func(ask string) (string, error) {
		return try(t, "dig", append([]string{"@" + host, "-p", port, "+tries=1", "+time=20"}, strings.Fields(ask)...)...)
	}
	eventually(t, "unbound answers", func() bool { _, err := dig("hello.m.test TXT"); return err == nil })
	for ask, want := range map[string][]string{
		"hello.m.test TXT":    {"status: NOERROR", "hello world"},
		"m.test A":            {"status: NOERROR", "192.0.2."},
		"m.test AAAA":         {"status: NOERROR", "2001:db8::"},
		"m.test TXT":          {"status: NOERROR", "https://"},
		"a.b.m.test A":        {"status: NOERROR", "192.0.2.1"},
		"b.m.test A":          {"status: NOERROR", "ANSWER: 0"},
		"nope.m.test A":       {"status: NXDOMAIN"},
		"x.y.wild.m.test TXT": {"status: NOERROR", "wild"},
	} {
		t.Run(ask, func(t *testing.T) {
			out, err := dig(ask)
			if err != nil {
				t.Fatal(err)
			}
			wantAll(t, out, want...)
		})
	}
}
