package export

import (
	"io"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
)

// apacheSlots is how finely Apache's random choice follows bandwidths: it has no
// weights, so that a mirror is named several times.
const apacheSlots = 20

// Apache writes a map for mod_rewrite, of the kind rnd: which draws one of the
// values between bars
// (https://httpd.apache.org/docs/2.4/rewrite/rewritemap.html#rnd). Its keys are
// WORD:COUNTRY, and WORD:any for all other clients:
//
//	RewriteEngine on
//	RewriteMap waypost "rnd:/etc/apache2/waypost.map"
//	RewriteCond %{ENV:MM_COUNTRY_CODE} ^(..)$
//	RewriteCond ${waypost:os:%1} ^(.+)$
//	RewriteRule ^/pub/os/(.*)$ %1/$1 [R=302,L]
//	RewriteCond ${waypost:os:any} ^(.+)$
//	RewriteRule ^/pub/os/(.*)$ %1/$1 [R=302,L]
func Apache(w io.Writer, s *snapshot.Snapshot, now time.Time) error {
	out := printer{w: w}
	for _, t := range tables(s, now) {
		out.line("# category %s, %s", comment(t.name), comment(t.path))
		if len(t.anywhere) > 0 {
			out.line("%s:any %s", t.word, strings.Join(repeated(t.anywhere, apacheSlots), "|"))
		}
		for _, c := range t.countries {
			out.line("%s:%s %s", t.word, c.code, strings.Join(repeated(c.choices, apacheSlots), "|"))
		}
	}
	return out.failed("Apache")
}

// repeated returns n URLs, or as many as there are choices with shares of n;
// equal ones follow one another. A single choice is named once.
func repeated(in []choice, n int) (out []string) {
	if len(in) == 1 {
		n = 1
	}
	for i, times := range slots(in, n) {
		for range times {
			out = append(out, in[i].url)
		}
	}
	return out
}
