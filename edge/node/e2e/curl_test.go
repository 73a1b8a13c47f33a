//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// curlCatalog has two mirrors, in Germany and in Japan, and a file of which
// all is known. Its names do not resolve: nobody follows the redirects.
const curlCatalog = `categories:
  - {name: os, path: pub/os, policy: {sticky: true}}
hosts:
  - {name: de, country: DE, urls: {os: ["https://de.mirror.test/os", "http://de.mirror.test/os"]}}
  - {name: jp, country: JP, urls: {os: ["http://jp.mirror.test/os"]}}
  - name: campus
    country: FR
    private: true
    netblocks: [198.51.100.0/24]
    urls: {os: ["http://campus.test/os"]}
files:
  - path: pub/os/f.iso
    size: 1048576
    mtime: 2026-01-02T03:04:05Z
    sha256: 30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58
complete: [pub/os/done]
`

// TestCurl asks for everything that HTTP clients ask for.
func TestCurl(t *testing.T) {
	need(t, "curl", "curl")
	e := startEdge(t, curlCatalog, "")
	t.Run("redirect", e.curlRedirect)
	t.Run("conditional", e.curlConditional)
	t.Run("paths", e.curlPaths)
	t.Run("hostile", e.curlHostile)
	t.Run("about a file", e.curlFacts)
	t.Run("pages", e.curlPages)
	t.Run("operators", e.curlAdmin)
}

func (e *edge) curlRedirect(t *testing.T) {
	for _, method := range []string{"GET", "HEAD"} {
		a := e.curl(t, "/pub/os/f.iso?ip=141.30.1.1", "-X", method, "--head")
		a.want(t, 302, map[string]string{
			"Location":      "https://de.mirror.test/os/f.iso",
			"Cache-Control": "private, no-store",
			"Digest":        "SHA-256=MOFJVevxNSJm3C/4Bn5oEEYH51CrudOzZYK4r5Cfy1g=",
			"Etag":          "?", // some
			"Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT",
			"Vary":          "Accept",
		})
		links := strings.Join(a.header.Values("Link"), "\n")
		wantAll(t, links, "<http://jp.mirror.test/os/f.iso>; rel=duplicate; pri=1; geo=jp",
			`</pub/os/f.iso.meta4>; rel=describedby; type="application/metalink4+xml"`)
		if strings.Contains(links, "campus") {
			t.Errorf("a private host is named: %s", links)
		}
	}
	e.curl(t, "/pub/os/f.iso?ip=133.11.0.1").want(t, 302, map[string]string{"Location": "http://jp.mirror.test/os/f.iso"})
	e.curl(t, "/pub/os/f.iso?ip=198.51.100.7").want(t, 302, map[string]string{"Location": "http://campus.test/os/f.iso"})
	e.curl(t, "/pub/os/f.iso", "-H", "X-Forwarded-For: 133.11.0.1").want(t, 302, map[string]string{"Location": "http://jp.mirror.test/os/f.iso"})
	e.curl(t, "/pub/os/f.iso?ip=133.11.0.1", "-H", "X-Forwarded-Proto: https").want(t, 302,
		map[string]string{"Location": "https://de.mirror.test/os/f.iso"})
	e.curl(t, "/pub/os/f.iso?ip=133.11.0.1&x=y&mirrorlist=").want(t, 200, nil)
	e.curl(t, "/pub/os/f.iso", "-X", "OPTIONS").want(t, 204, map[string]string{"Allow": "GET, HEAD, OPTIONS"})
	e.curl(t, "/pub/os/f.iso", "-X", "POST", "-d", "x").want(t, 405, map[string]string{"Allow": "GET, HEAD, OPTIONS"})
}

func (e *edge) curlConditional(t *testing.T) {
	tag := e.curl(t, "/pub/os/f.iso").header.Get("Etag")
	for header, status := range map[string]int{
		"If-None-Match: " + tag:                            304,
		`If-None-Match: "another", ` + tag:                 304,
		`If-None-Match: "another"`:                         302,
		"If-Modified-Since: Fri, 02 Jan 2026 03:04:05 GMT": 304,
		"If-Modified-Since: Sat, 03 Jan 2026 03:04:05 GMT": 302, // only the time that is known is ours
		"If-Modified-Since: yesterday":                     302,
	} {
		if a := e.curl(t, "/pub/os/f.iso", "-H", header); a.status != status {
			t.Errorf("%s: status %d, want %d", header, a.status, status)
		}
	}
}

func (e *edge) curlPaths(t *testing.T) {
	for path, location := range map[string]string{
		"/pub/os/a%20b%23c%3Fd%25e%2Bf": "https://de.mirror.test/os/a%20b%23c%3Fd%25e%2Bf",
		"/pub/os/a+b":                   "https://de.mirror.test/os/a%2Bb",
		"/pub/os/%C3%BC":                "https://de.mirror.test/os/%C3%BC",
		"/pub/os/ü":                     "https://de.mirror.test/os/%C3%BC",
		"/pub/os/%01%7F%22%3C%3E":       "https://de.mirror.test/os/%01%7F%22%3C%3E",
		"/pub/os":                       "https://de.mirror.test/os/",
		"/pub/os/":                      "https://de.mirror.test/os/",
		"//pub///os/x/./y":              "https://de.mirror.test/os/x/y",
		"/pub/os/x/../y":                "https://de.mirror.test/os/y",
	} {
		query := "?ip=141.30.1.1"
		e.curl(t, path+query).want(t, 302, map[string]string{"Location": location})
	}
	for path, status := range map[string]int{
		"/": 200, "/pub": 404, "/nothing": 404, "/pub/os/done/x": 404, "/pub/osx": 404, "/metrics": 404, "/explain": 404,
	} {
		e.curl(t, path).want(t, status, nil)
	}
}

// Nothing gets out of a mirror's tree, or into a header.
func (e *edge) curlHostile(t *testing.T) {
	for _, path := range []string{
		"/../../etc/passwd", "/pub/os/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/pub/os/..%2f..%2f..%2fetc/passwd",
		"/pub/os/%00", "/pub/os/x%00.iso", "/pub/os/x%0d%0aSet-Cookie:%20a=b", "/pub/os/%0aLocation:%20http://evil.test/", "/pub/os/%",
		"/pub/os/%zz", "/pub/os/" + strings.Repeat("x", 3000),
	} {
		a := e.curl(t, path)
		if a.status < 400 || a.status > 499 || a.header.Get("Location") != "" || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%.60s: status %d, %v, want 4xx", path, a.status, a.header)
		}
	}
	for _, path := range []string{"/pub/os/..", "/pub/os/x/../..", "/pub/os/..%2f", "/pub/os/%252e%252e/x"} {
		if l := e.curl(t, path).header.Get("Location"); strings.Contains(l, "..") || strings.Contains(l, "%2e%2e") && !strings.Contains(l, "%252e") {
			t.Errorf("%s: sent to %s", path, l)
		}
	}
	for _, header := range []string{
		"X-Forwarded-For: \"><script>", "X-Forwarded-For: 1.2.3.4.5, , ,", "Accept: " + strings.Repeat("a/b;q=0.1,", 500), "Host:",
		"X-Forwarded-Proto: https,https,javascript", "Range: bytes=0-1", "If-None-Match: \"",
	} {
		if a := e.curl(t, "/pub/os/f.iso", "-H", header); a.status >= 500 {
			t.Errorf("%.60s: status %d", header, a.status)
		}
	}
}

func (e *edge) curlFacts(t *testing.T) {
	const hash = "30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58"
	for path, content := range map[string]string{
		"/pub/os/f.iso.meta4":    "application/metalink4+xml",
		"/pub/os/f.iso.metalink": "application/metalink+xml",
	} {
		a := e.curl(t, path+"?ip=141.30.1.1")
		a.want(t, 200, map[string]string{"Content-Type": content})
		wantAll(t, a.body, hash, "1048576", "https://de.mirror.test/os/f.iso", "http://jp.mirror.test/os/f.iso")
	}
	a := e.curl(t, "/pub/os/f.iso", "-H", "Accept: */*, application/metalink+xml, application/metalink4+xml")
	a.want(t, 200, map[string]string{"Content-Type": "application/metalink4+xml", "Vary": "Accept"})
	e.curl(t, "/pub/os/other.iso", "-H", "Accept: */*, application/metalink4+xml").want(t, 302, nil)
	if a := e.curl(t, "/pub/os/f.iso.sha256"); a.body != hash+"  f.iso\n" {
		t.Errorf("got %q", a.body)
	}
	e.curl(t, "/pub/os/f.iso.sha512").want(t, 302, nil) // not known: perhaps a mirror has such a file
}

func (e *edge) curlPages(t *testing.T) {
	a := e.curl(t, "/pub/os/f.iso?mirrorlist&json&ip=141.30.1.1")
	a.want(t, 200, map[string]string{"Content-Type": "application/json"})
	var page struct {
		Client struct{ Country string }
		File   struct{ Size int64 }

		Mirrors []struct {
			Name, Band string
			URLs       []string
		}
	}
	if err := json.Unmarshal([]byte(a.body), &page); err != nil {
		t.Fatal(err)
	}
	if page.Client.Country != "DE" || page.File.Size != 1<<20 || len(page.Mirrors) != 2 ||
		page.Mirrors[0].Name != "de" || page.Mirrors[0].Band != "country" {
		t.Errorf("got %+v", page)
	}
	if strings.Contains(a.body, "campus") {
		t.Errorf("a private host is named in\n%s", a.body)
	}
	a = e.curl(t, "/pub/os/<b>?mirrorlist", "-H", "Accept: text/html")
	a.want(t, 200, map[string]string{"Content-Type": "text/html; charset=utf-8"})
	if strings.Contains(a.body, "<b>?") || strings.Contains(a.body, "/<b>") {
		t.Errorf("a path is not escaped in\n%s", a.body)
	}
}

func (e *edge) curlAdmin(t *testing.T) {
	admin := &edge{http: e.admin}
	admin.curl(t, "/healthz").want(t, 200, nil)
	admin.curl(t, "/readyz").want(t, 200, nil)
	wantAll(t, admin.curl(t, "/metrics").body, `waypost_http_requests_total{kind="redirect"}`, "waypost_data_current 1",
		"waypost_index_hosts 3", `waypost_http_answers_total{class="3xx"}`, "go_goroutines", "process_resident_memory_bytes")
	wantAll(t, admin.curl(t, "/explain?ip=141.30.1.1&path=pub/os/f.iso").body, "band country", "de", "campus", "DE", "f.iso")
	a := admin.curl(t, "/explain?ip=141.30.1.1&path=pub/os/f.iso&json")
	a.want(t, 200, map[string]string{"Content-Type": "application/json"})
	if !json.Valid([]byte(a.body)) {
		t.Errorf("not JSON: %s", a.body)
	}
	admin.curl(t, "/explain?ip=nobody&path=pub/os").want(t, 400, nil)
	admin.curl(t, "/explain?ip=141.30.1.1&path=nowhere").want(t, 400, nil)
}

// An answered is an answer as curl printed it.
type answered struct {
	what   string
	status int
	header http.Header
	body   string
}

// curl asks for a path, exactly as it is written.
func (e *edge) curl(t *testing.T, path string, args ...string) *answered {
	t.Helper()
	base := []string{"-s", "-S", "-i", "--globoff", "--path-as-is", "--max-time", "20"}
	out := run(t, "curl", append(append(base, args...), "http://"+e.http+path)...)
	head, body, _ := strings.Cut(out, "\r\n\r\n")
	first, fields, _ := strings.Cut(head, "\r\n")
	a := &answered{what: strings.Join(append(args, path), " "), header: http.Header{}, body: body}
	if _, rest, ok := strings.Cut(first, " "); ok && len(rest) >= 3 {
		for _, digit := range rest[:3] {
			a.status = a.status*10 + int(digit-'0')
		}
	}
	for line := range strings.SplitSeq(fields, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		a.header.Add(name, strings.TrimSpace(value))
	}
	return a
}

// want checks the status and fields; the value ? is any.
func (a *answered) want(t *testing.T, status int, fields map[string]string) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: status %d, want %d\n%v", a.what, a.status, status, a.header)
	}
	for name, want := range fields {
		if got := a.header.Get(name); got != want && (want != "?" || got == "") {
			t.Errorf("%s: %s is %q, want %q", a.what, name, got, want)
		}
	}
}
