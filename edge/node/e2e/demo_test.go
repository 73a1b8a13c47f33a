//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestDemo runs the commands that waypost demo prints, as they are printed.
func TestDemo(t *testing.T) {
	need(t, "curl", "curl")
	need(t, "dig", "bind9-dnsutils")
	p := startWaypost(t, "demo", "--http", freeAddr(t), "--dns", freeAddr(t), "--admin", freeAddr(t), "--control", freeAddr(t))
	eventually(t, "the demo has printed its lines", func() bool {
		return strings.Contains(p.log.String(), "Ctrl-C") || p.exited()
	})
	// What must be in the answer to a command with such a text in it, the first that fits.
	wants := []struct {
		command string
		answer  []string
	}{
		{"hello.txt", []string{"Hello. This file came from a mirror"}},
		{"demo.iso?mirrorlist", []string{`"name": "here/here-us"`, `"size": 98304`}},
		{"/metalink?repo=demo-1", []string{`<hash type="sha256">`, `location="JP" preference="100"`}},
		{"/v1/exports/text", []string{"here/here-de", "https://"}},
		{"/fedora/linux/releases/?ip=141.30.1.1'", []string{"302", "Location: http", ".de/"}},
		{"ip=133.11.0.1'", []string{"302", "Location: http", ".jp/", "rel=duplicate", "rel=describedby", "Digest: SHA-256="}},
		{"/mirrorlist?repo=", []string{"# repo = fedora-44", "country = BR", "\nhttp"}},
		{"?mirrorlist&json", []string{`"country": "AU"`, `"rank": 1`, `"urls"`}},
		{"linux.m.test", []string{"NOERROR", "CNAME", "CLIENT-SUBNET: 141.30.1.0/24/"}},
		{"fedora.m.test", []string{"NOERROR", "CNAME", "CLIENT-SUBNET: 2001:200::/32/"}},
		{"/explain?", []string{"DE (141.30.0.0/15", "\n  1  "}},
		{"/metrics", []string{"waypost_data_current 1"}},
	}
	answered := map[string]bool{}
	for line := range strings.Lines(p.log.String()) {
		command := strings.TrimSpace(line)
		if !strings.HasPrefix(command, "curl ") && !strings.HasPrefix(command, "dig ") {
			continue
		}
		out := run(t, "sh", "-c", command)
		known := false
		for _, w := range wants {
			if strings.Contains(command, w.command) {
				known, answered[w.command] = true, true
				t.Run(w.command, func(t *testing.T) { wantAll(t, out, w.answer...) })
				break
			}
		}
		if !known {
			t.Errorf("nobody knows what %s should answer: add it to this test", command)
		}
	}
	for _, w := range wants {
		if !answered[w.command] {
			t.Errorf("no command with %s is printed", w.command)
		}
	}
}
