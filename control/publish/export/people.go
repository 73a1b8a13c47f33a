package export

import (
	"cmp"
	"fmt"
	"html/template"
	"io"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
)

// Text writes a list of public mirrors for people: countries, hosts, URLs.
func Text(w io.Writer, s *snapshot.Snapshot, now time.Time) error {
	out := printer{w: w}
	for i, c := range people(s, now) {
		if i > 0 {
			out.line("")
		}
		out.line("%s", c.Country)
		for _, h := range c.Hosts {
			out.line("  %s", h.Name)
			for _, u := range h.URLs {
				out.line("    %s  %s", u.Category, u.URL)
			}
		}
	}
	return out.failed("people")
}

// HTML writes the same list as a fragment of a page (HTML Living Standard): a
// section for each country, to be put into a page of one's own.
func HTML(w io.Writer, s *snapshot.Snapshot, now time.Time) error {
	page, err := template.New("mirrors").Parse(fragment)
	if err == nil {
		err = page.Execute(w, people(s, now))
	}
	if err != nil {
		return fmt.Errorf("writing the list of mirrors: %w", err)
	}
	return nil
}

const fragment = `{{range .}}<section>
<h2>{{.Country}}</h2>
<ul>
{{- range .Hosts}}
<li>{{.Name}}
<ul>
{{- range .URLs}}
<li>{{.Category}}: {{if .Link}}<a href="{{.URL}}">{{.URL}}</a>{{else}}{{.URL}}{{end}}</li>
{{- end}}
</ul></li>
{{- end}}
</ul>
</section>
{{end}}`

// A personCountry is a country of the list for people, with its hosts.
type personCountry struct {
	Country string
	Hosts   []personHost
}

type personHost struct {
	Name string
	URLs []personURL
}

type personURL struct {
	Category, URL string
	Link          bool // browsers follow it
}

// people returns the hosts of each country, those without one at the end. A
// category of which a host holds nothing is left out.
func people(s *snapshot.Snapshot, now time.Time) (out []personCountry) {
	known := knownDirectories(s, now)
	for _, i := range byName(s) {
		h := &s.Hosts[i]
		var host personHost
		for _, m := range h.Mounts {
			c := s.Categories[m.Category]
			if holdsNone(h, known[m.Category]) {
				continue
			}
			for _, u := range urls(h, m.Category) {
				if !embargoed(s, c.Path, now) {
					host.URLs = append(host.URLs, personURL{c.Name, u, strings.HasPrefix(u, "http")})
				}
			}
		}
		if len(host.URLs) == 0 {
			continue
		}
		host.Name = h.Name
		code := cmp.Or(h.Country.String(), "elsewhere")
		at := slices.IndexFunc(out, func(c personCountry) bool { return c.Country == code })
		if at < 0 {
			at = len(out)
			out = append(out, personCountry{Country: code})
		}
		out[at].Hosts = append(out[at].Hosts, host)
	}
	slices.SortFunc(out, func(x, y personCountry) int { return strings.Compare(x.Country, y.Country) })
	return out
}

// byName returns the public hosts, sorted by name.
func byName(s *snapshot.Snapshot) (out []int) {
	for i := range s.Hosts {
		if public(&s.Hosts[i]) {
			out = append(out, i)
		}
	}
	slices.SortFunc(out, func(x, y int) int { return strings.Compare(s.Hosts[x].Name, s.Hosts[y].Name) })
	return out
}

// knownDirectories returns, by category, its directories that may be known.
func knownDirectories(s *snapshot.Snapshot, now time.Time) []snapshot.Bitmap {
	known := make([]snapshot.Bitmap, len(s.Categories))
	for i, d := range s.Directories {
		if !embargoed(s, d.Path, now) {
			known[d.Category].Add(uint32(i))
		}
	}
	return known
}

// holdsNone reports whether a host holds nothing of what is known of a
// category: its crawls fail, or it was never seen. Where nothing is known yet,
// it may.
func holdsNone(h *snapshot.Host, known snapshot.Bitmap) bool {
	return common(known, known) > 0 && common(h.Has, known) == 0
}

// common returns how many numbers two sets have in common.
func common(a, b snapshot.Bitmap) (n int) {
	for i := range min(len(a), len(b)) {
		n += bits.OnesCount64(a[i] & b[i])
	}
	return n
}
