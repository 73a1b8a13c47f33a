package export

import (
	"io"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
)

// HAProxySlots is how many keys HAProxy's map has for each category and country.
const HAProxySlots = 16

// HAProxy writes a map file (HAProxy Configuration Manual, 7.3.1, converter
// map). Its keys are WORD:COUNTRY:N, and WORD:any:N for all other clients, with
// N below [HAProxySlots]; who draws N at random draws by bandwidth:
//
//	http-request set-var(txn.n) rand(16)
//	http-request set-var(txn.cc) src,map_ip(/etc/haproxy/countries.map,any)
//	http-request set-var(txn.key) str(os:),concat(,txn.cc,:),concat(,txn.n)
//	http-request set-var(txn.any) str(os:any:),concat(,txn.n)
//	http-request set-var(txn.to) var(txn.any),map(/etc/haproxy/waypost.map)
//	http-request set-var(txn.to) var(txn.key),map(/etc/haproxy/waypost.map) if { var(txn.key),map(/etc/haproxy/waypost.map) -m found }
//	http-request redirect code 302 location %[var(txn.to)]%[path,regsub(^/pub/os,)] if { var(txn.to) -m found } { path_beg /pub/os/ }
func HAProxy(w io.Writer, s *snapshot.Snapshot, now time.Time) error {
	out := printer{w: w}
	for _, t := range tables(s, now) {
		out.line("# category %s, %s", comment(t.name), comment(t.path))
		out.slotted(t.word+":any:", t.anywhere)
		for _, c := range t.countries {
			out.slotted(t.word+":"+c.code.String()+":", c.choices)
		}
	}
	return out.failed("HAProxy")
}

func (p *printer) slotted(key string, in []choice) {
	n := 0
	for i, times := range slots(in, HAProxySlots) {
		for range times {
			p.line("%s%d %s", key, n, in[i].url)
			n++
		}
	}
}
