//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// dnsCatalog has mirrors in Germany, Japan and the USA, one for IPv6 only, and
// a private one.
const dnsCatalog = `categories:
  - {name: os, path: pub/os, policy: {sticky: true}}
hosts:
  - {name: de, country: DE, addresses: [192.0.2.10, "2001:db8::10"], urls: {os: ["https://de.mirror.test/os"]}}
  - {name: jp, country: JP, addresses: [192.0.2.20, "2001:db8::20"], urls: {os: ["https://jp.mirror.test/os"]}}
  - {name: us, country: US, addresses: [192.0.2.30], urls: {os: ["https://us.mirror.test/os"]}}
  - {name: us6, country: US, addresses: ["2001:db8::40"], urls: {os: ["https://us6.mirror.test/os"]}}
  - {name: campus, country: FR, private: true, netblocks: [198.51.100.0/24], addresses: [192.0.2.50], urls: {os: ["http://campus.test/os"]}}
`

const dnsZone = `  dns:
    listen: ["DNS"]
    zones:
      - name: m.test
        ns: {ns1.m.test: [127.0.0.1]}
        soa: {minimum: 60}
        records: |
          hello  300 IN TXT "hello world"
          a.b        IN A 192.0.2.1
          sub        IN NS ns.elsewhere.example.
          *.wild     IN TXT "wild"
        mirrors:
          - {name: "@", path: pub/os, count: 1, types: [https, uri, txt]}
          - {name: dl, path: pub/os, answer: cname}
          - {name: two, path: pub/os, count: 2, ttl: 30}
`

// TestDig asks with dig, as a resolver would that passes on its clients' subnets.
func TestDig(t *testing.T) {
	need(t, "dig", "bind9-dnsutils")
	e := startEdge(t, dnsCatalog, dnsZone)
	tests := []struct {
		ask  string
		want []string // in dig's output
	}{
		// Tailored answers, and the prefix for which each holds.
		{"m.test A +subnet=141.30.1.0/24", []string{"status: NOERROR", "m.test.\t\t\t60\tIN\tA\t192.0.2.10", "CLIENT-SUBNET: 141.30.1.0/24/", "flags: qr aa"}},
		{"m.test A +subnet=133.11.0.0/24", []string{"IN\tA\t192.0.2.20"}},
		{"m.test AAAA +subnet=133.11.0.0/24", []string{"IN\tAAAA\t2001:db8::20"}},
		{"m.test AAAA +subnet=18.0.0.0/16", []string{"IN\tAAAA\t2001:db8::40"}}, // us has no IPv6
		{"m.test A +subnet=18.0.0.0/16", []string{"IN\tA\t192.0.2.30"}},
		{"m.test A +subnet=198.51.100.0/24", []string{"IN\tA\t192.0.2.50", "CLIENT-SUBNET: 198.51.100.0/24/24"}},
		{"two.m.test A +subnet=141.30.1.0/24", []string{"ANSWER: 2", "two.m.test.\t\t30\tIN\tA\t192.0.2.10"}},
		{"dl.m.test A +subnet=133.11.0.0/24", []string{"dl.m.test.\t\t60\tIN\tCNAME\tjp.mirror.test."}},
		{"dl.m.test TXT +subnet=141.30.1.0/24", []string{"IN\tCNAME\tde.mirror.test."}},
		{"m.test HTTPS +subnet=141.30.1.0/24", []string{"IN\tHTTPS\t1 . ipv4hint=192.0.2.10 ipv6hint=2001:db8::10"}},
		{"m.test URI +subnet=141.30.1.0/24", []string{`"https://de.mirror.test/os`}},
		{"m.test TXT +subnet=141.30.1.0/24", []string{`"https://de.mirror.test/os`}},
		{"m.test A +subnet=0/0", []string{"CLIENT-SUBNET: 0.0.0.0/0/0", "ANSWER: 1"}},

		// What is not tailored holds for all.
		{"hello.m.test TXT +subnet=141.30.1.0/24", []string{"300\tIN\tTXT\t\"hello world\"", "CLIENT-SUBNET: 141.30.1.0/24/0"}},
		{"hElLo.M.tEsT TXT", []string{"hElLo.M.tEsT."}},
		{"m.test SOA", []string{"IN\tSOA\tns1.m.test. hostmaster.m.test."}},
		{"m.test NS", []string{"IN\tNS\tns1.m.test.", "ns1.m.test.\t\t3600\tIN\tA\t127.0.0.1"}},
		{"ns1.m.test A", []string{"IN\tA\t127.0.0.1"}},
		{"x.y.wild.m.test TXT", []string{`x.y.wild.m.test.`, `"wild"`}},
		{"x.sub.m.test A", []string{"status: NOERROR", "ANSWER: 0", "IN\tNS\tns.elsewhere.example."}},

		// What is not there.
		{"nope.m.test A", []string{"status: NXDOMAIN", "m.test.\t\t\t60\tIN\tSOA"}},
		{"b.m.test A", []string{"status: NOERROR", "ANSWER: 0", "IN\tSOA"}}, // an empty non-terminal
		{"hello.m.test A", []string{"status: NOERROR", "ANSWER: 0", "IN\tSOA"}},
		{"m.test MX", []string{"status: NOERROR", "ANSWER: 0", "IN\tSOA"}},
		{"example.org A", []string{"status: REFUSED"}},
		{"m.test AXFR +noedns", []string{"Transfer failed"}},
		{"m.test ANY +notcp", []string{"status: NOERROR", "ANSWER: 1", "HINFO"}}, // RFC 8482

		// EDNS, TCP and the server itself.
		{"m.test A +tcp +subnet=141.30.1.0/24", []string{"IN\tA\t192.0.2.10", "(TCP)"}},
		{"m.test A +cookie=0123456789abcdef", []string{"COOKIE: 0123456789abcdef", "(good)"}},
		{"m.test A +cookie", []string{"COOKIE: ", "(good)"}},
		{"m.test A +edns=1 +noednsnegotiation", []string{"status: BADVERS"}},
		{"m.test A +ednsopt=65001:abcd", []string{"status: NOERROR", "ANSWER: 1"}},
		{"m.test A +ednsflags=0x40", []string{"status: NOERROR", "ANSWER: 1"}},
		{"m.test A +noedns", []string{"status: NOERROR", "ANSWER: 1"}},
		{"m.test A +dnssec", []string{"flags: do"}},
		{"m.test A +nsid", []string{`NSID: 65 32 65 ("e2e")`}},
		{"version.bind TXT CH", []string{"CH\tTXT\t\""}},
		{"id.server TXT CH", []string{"CH\tTXT\t\"e2e\""}},
		{"m.test A +opcode=NOTIFY", []string{"status: NOTIMP"}},
	}
	for _, tt := range tests {
		t.Run(tt.ask, func(t *testing.T) { wantAll(t, e.dig(t, tt.ask), tt.want...) })
	}
}

// TestKdig asks the same of Knot DNS's client, which reads strictly.
func TestKdig(t *testing.T) {
	need(t, "kdig", "knot-dnsutils")
	e := startEdge(t, dnsCatalog, dnsZone)
	host, port := split(t, e.dns)
	tests := []struct {
		ask  string
		want []string
	}{
		{"m.test A +subnet=141.30.1.0/24", []string{"status: NOERROR", "192.0.2.10", "CLIENT-SUBNET: 141.30.1.0/24/"}},
		{"m.test AAAA +subnet=2001:200::/32", []string{"2001:db8::20", "CLIENT-SUBNET: 2001:200::/32/"}},
		{"m.test A +tcp +keepopen +subnet=133.11.0.0/24", []string{"192.0.2.20"}},
		{"nope.m.test A", []string{"status: NXDOMAIN", "SOA"}},
		{"dl.m.test AAAA +subnet=141.30.1.0/24", []string{"CNAME", "de.mirror.test."}},
		{"m.test A +cookie", []string{"COOKIE", "192.0.2."}},
		{"m.test A +nsid +bufsize=512", []string{"NSID", "e2e"}},
		{"m.test HTTPS +subnet=133.11.0.0/24", []string{"ipv4hint=192.0.2.20"}},
	}
	for _, tt := range tests {
		t.Run(tt.ask, func(t *testing.T) {
			args := append([]string{"@" + host, "-p", port, "+timeout=20", "+retry=0"}, strings.Fields(tt.ask)...)
			wantAll(t, run(t, "kdig", args...), tt.want...)
		})
	}
}

// dig asks the edge and returns all that dig prints.
func (e *edge) dig(t *testing.T, ask string) string {
	t.Helper()
	host, port := split(t, e.dns)
	args := append([]string{"@" + host, "-p", port, "+norecurse", "+tries=1", "+time=20"}, strings.Fields(ask)...)
	return run(t, "dig", args...)
}
