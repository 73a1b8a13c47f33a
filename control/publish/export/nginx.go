package export

import (
	"fmt"
	"io"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
)

// Nginx writes maps for nginx's ngx_http_map_module and
// ngx_http_split_clients_module
// (https://nginx.org/en/docs/http/ngx_http_map_module.html#map), to be included
// in http {}. The variable $waypost_country must hold the client's country code;
// clients of one address keep their mirror. $waypost_WORD is then the URL of the
// category's top directory at a mirror:
//
//	map $geoip2_country $waypost_country { default $geoip2_country; }
//	include waypost.conf;
//	server { location ~ ^/pub/os/(.*)$ { return 302 $waypost_os/$1; } }
func Nginx(w io.Writer, s *snapshot.Snapshot, now time.Time) error {
	out := printer{w: w}
	for _, t := range tables(s, now) {
		out.line("# category %s, %s", comment(t.name), comment(t.path))
		if len(t.anywhere) > 0 {
			out.splitClients("waypost_"+t.word+"_any", t.anywhere)
		}
		for _, c := range t.countries {
			out.splitClients(fmt.Sprintf("waypost_%s_%s", t.word, c.code), c.choices)
		}
		out.line("map $waypost_country $waypost_%s {", t.word)
		if len(t.anywhere) > 0 {
			out.line("    default $waypost_%s_any;", t.word)
		}
		for _, c := range t.countries {
			out.line("    %s $waypost_%s_%[1]s;", c.code, t.word)
		}
		out.line("}")
	}
	return out.failed("nginx")
}

// splitClients writes shares in hundredths of a percent, nginx's finest; the
// last takes the rest.
func (p *printer) splitClients(variable string, in []choice) {
	p.line(`split_clients "$remote_addr" $%s {`, variable)
	for i, n := range slots(in, 10_000) {
		share := fmt.Sprintf("%d.%02d%%", n/100, n%100)
		if i == min(len(in), 10_000)-1 {
			share = "*"
		}
		p.line(`    %s "%s";`, share, in[i].url)
	}
	p.line("}")
}
