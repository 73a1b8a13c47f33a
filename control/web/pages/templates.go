package pages

import (
	"fmt"
	"html/template"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// parse parses the templates, which are part of the program: each page with the
// layout and the parts.
func parse() map[string]*template.Template {
	base := template.Must(template.New("base").Funcs(template.FuncMap{
		"link": link, "at": at, "stamp": stamp, "ago": ago, "country": country, "join": strings.Join, "inpath": inPath, "scheme": scheme,
		"shorten": shorten, "count": count, "outcome": outcome,
	}).ParseFS(files, "templates/layout.html", "templates/parts.html"))
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		panic("pages: " + err.Error())
	}
	all := map[string]*template.Template{}
	for _, name := range names {
		page := strings.TrimSuffix(path.Base(name), ".html")
		if page != "layout" && page != "parts" {
			all[page] = template.Must(template.Must(base.Clone()).ParseFS(files, name))
		}
	}
	return all
}

// link returns a URL that mirrors have given us as one that a page may link to;
// "" if it is anything but http, https, ftp or rsync.
func link(s string) template.URL {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Opaque != "" || !slices.Contains(schemes(), u.Scheme) {
		return ""
	}
	return template.URL(u.String()) //nolint:gosec // of a harmless scheme; the template escapes the rest
}

// scheme returns the scheme of a URL.
func scheme(s string) string {
	before, _, _ := strings.Cut(s, ":")
	return before
}

// inPath returns a key as a part of a path, with its slashes.
func inPath(key string) string { return (&url.URL{Path: "/" + key}).EscapedPath()[1:] }

// at returns a time for people, in UTC.
func at(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// stamp returns a time for programs.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// ago returns how long ago a time was, or how far it is, in words.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d, format := now.Sub(t), "%s ago"
	if d < 0 {
		d, format = -d, "in %s"
	}
	switch {
	case d < time.Minute:
		return "just now"
	case d < 2*time.Hour:
		return fmt.Sprintf(format, count(int(d/time.Minute), "minute"))
	case d < 48*time.Hour:
		return fmt.Sprintf(format, count(int(d/time.Hour), "hour"))
	}
	return fmt.Sprintf(format, count(int(d/(24*time.Hour)), "day"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if stem, ok := strings.CutSuffix(what, "y"); ok && what != "day" {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// country returns the English name of a country (CLDR), or its code.
func country(code string) string {
	if code == "" {
		return "Elsewhere"
	}
	region, err := language.ParseRegion(code)
	if err != nil {
		return code
	}
	if name := display.English.Regions().Name(region); name != "" {
		return name
	}
	return code
}

// shorten returns the beginning of a long text.
func shorten(s string, limit int) string {
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}

// outcome returns a crawl's outcome as a word for the stylesheet.
func outcome(s string) string {
	switch s {
	case "ok":
		return "good"
	case "empty", "failed", "timed out":
		return "bad"
	}
	return "unknown"
}
