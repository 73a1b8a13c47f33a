package export

import (
	"io"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
)

// Varnish writes subroutines in VCL 4 (Varnish User Guide, "VCL", and vmod_std(3)
// for std.random), to be included. waypost_WORD sets the header Waypost-To to the
// URL of the category's top directory at a mirror for the country in the header
// Waypost-Country, or unsets it:
//
//	include "waypost.vcl";
//	sub vcl_recv {
//		if (req.url ~ "^/pub/os/") { call waypost_os; }
//		if (req.http.Waypost-To) { return (synth(302)); }
//	}
//	sub vcl_synth {
//		if (resp.status == 302) {
//			set resp.http.Location = req.http.Waypost-To + regsub(req.url, "^/pub/os", "");
//			return (deliver);
//		}
//	}
func Varnish(w io.Writer, s *snapshot.Snapshot, now time.Time) error {
	out := printer{w: w}
	out.line("import std;")
	for _, t := range tables(s, now) {
		out.line("# category %s, %s", comment(t.name), comment(t.path))
		out.line("sub waypost_%s {", t.word)
		out.line("    unset req.http.Waypost-To;")
		out.line("    set req.http.Waypost-Draw = std.random(0, 10000);")
		out.line("    if (false) {")
		for _, c := range t.countries {
			out.line(`    } elsif (req.http.Waypost-Country == "%s") {`, c.code)
			out.draw(c.choices)
		}
		out.line("    } else {")
		out.draw(t.anywhere)
		out.line("    }")
		out.line("    unset req.http.Waypost-Draw;")
		out.line("}")
	}
	return out.failed("Varnish")
}

// draw writes the drawing of a choice by a number below 10,000.
func (p *printer) draw(in []choice) {
	end, word := 0, "if"
	for i, n := range slots(in, 10_000) {
		end += n
		if end < 10_000 {
			p.line("        %s (std.real(req.http.Waypost-Draw, 0.0) < %d.0) {", word, end)
			word = "} elsif"
		} else if i > 0 {
			p.line("        } else {")
		}
		p.line(`            set req.http.Waypost-To = "%s";`, in[i].url)
	}
	if word != "if" {
		p.line("        }")
	}
}
