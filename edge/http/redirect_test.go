package http

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/valyala/fasthttp"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
)

func TestRedirect(t *testing.T) {
	s := newFixture()
	const secure = "X-Forwarded-Proto"
	tests := []struct {
		name   string
		peer   string
		uri    string
		header []string
		want   string // Location; "" and status 302 otherwise
		status int
	}{
		{"a file, https first", german, "/pub/os/f.iso", nil, "https://de1.example.org/os/f.iso", 302},
		{"a file nobody listed", german, "/pub/os/x/y.iso", nil, "https://de1.example.org/os/x/y.iso", 302},
		{"query dropped", german, "/pub/os/f.iso?a=b&c", nil, "https://de1.example.org/os/f.iso", 302},
		{"plain on request", german, "/pub/os/f.iso?protocol=http", nil, "http://de1.example.org/os/f.iso", 302},
		{"list of protocols", german, "/pub/os/f.iso?protocol=http,%20https", nil, "https://de1.example.org/os/f.iso", 302},
		{"unknown protocol", german, "/pub/os/f.iso?protocol=gopher", nil, "https://de1.example.org/os/f.iso", 302},
		{"same scheme", german, "/apt/x.deb", nil, "http://de1.example.org/apt/x.deb", 302},
		{"same scheme, https asked for", german, "/apt/x.deb?protocol=https", nil, "https://de1.example.org/apt/x.deb", 302},
		{"same scheme, https client", proxy, "/apt/x.deb", []string{"X-Forwarded-For", german, secure, "https"}, "https://de1.example.org/apt/x.deb", 302},
		{"https client stays with https", proxy, "/pub/os/f.iso?protocol=http", []string{"X-Forwarded-For", german, secure, "https"}, "https://de1.example.org/os/f.iso", 302},
		{"https from a stranger", german, "/apt/x.deb", []string{secure, "https"}, "http://de1.example.org/apt/x.deb", 302},
		{"https in a list", proxy, "/apt/x.deb", []string{"X-Forwarded-For", german, secure, "HTTPS, http"}, "https://de1.example.org/apt/x.deb", 302},
		{"https in a second line", proxy, "/apt/x.deb", []string{"X-Forwarded-For", german, secure, "http", secure, "https"}, "https://de1.example.org/apt/x.deb", 302},
		{"country", german, "/pub/os/f.iso?country=us", nil, "https://us1.example.org/os/f.iso", 302},
		{"countries, encoded", german, "/pub/os/f.iso?country=%55S%2Czz", nil, "https://us1.example.org/os/f.iso", 302},
		{"avoid", german, "/pub/os/f.iso?avoid_country=DE,fr", nil, "https://us1.example.org/os/f.iso", 302},
		{"avoid all", german, "/pub/os/f.iso?avoid_country=DE,FR,US,JP", nil, "https://de1.example.org/os/f.iso", 302},
		{"v6 client", german6, "/pub/os/f.iso?avoid_country=DE,FR", nil, "https://jp1.example.org/os/f.iso", 302},
		{"ip= from a proxy", proxy, "/pub/os/f.iso?ip=203.0.113.9", nil, "https://us1.example.org/os/f.iso", 302},
		{"ip= from a stranger", german, "/pub/os/f.iso?ip=203.0.113.9", nil, "https://de1.example.org/os/f.iso", 302},
		{"ip= from a stranger behind a proxy", proxy, "/pub/os/f.iso?ip=203.0.113.9", []string{"X-Forwarded-For", german}, "https://de1.example.org/os/f.iso", 302},
		{"bad ip= from a proxy", proxy, "/pub/os/f.iso?ip=203.0.113.", nil, "", 400},
		{"private", insider, "/pub/os/f.iso", nil, "https://secret.example.org/os/f.iso", 302},
		{"top directory", german, "/pub/os", nil, "https://de1.example.org/os/", 302},
		{"top directory with slash", german, "/pub/os/", nil, "https://de1.example.org/os/", 302},
		{"directory", german, "/pub/os/complete", nil, "https://de1.example.org/os/complete/", 302},
		{"unlisted directory", german, "/pub/os/x/", nil, "https://de1.example.org/os/x/", 302},
		{"known file as directory", german, "/pub/os/f.iso/", nil, "", 404},
		{"complete", german, "/pub/os/complete/g.iso", nil, "https://de1.example.org/os/complete/g.iso", 302},
		{"complete, unknown", german, "/pub/os/complete/h.iso", nil, "", 404},
		{"outside", german, "/pub/other/f.iso", nil, "", 404},
		{"above", german, "/pub", nil, "", 404},
		{"a file called metalink", german, "/pub/os/metalink", nil, "https://de1.example.org/os/metalink", 302},
		{"a directory called mirrorlist", german, "/pub/os/mirrorlist", nil, "https://de1.example.org/os/mirrorlist/", 302},
		{"a real hash file", german, "/pub/os/real.iso.sha256", nil, "https://de1.example.org/os/real.iso.sha256", 302},
		{"not ours: hash unknown", german, "/pub/os/f.iso.sha512", nil, "https://de1.example.org/os/f.iso.sha512", 302},
		{"not ours: file unknown", german, "/pub/os/x.iso.meta4", nil, "https://de1.example.org/os/x.iso.meta4", 302},
		{"absolute form", german, "http://other.example.org/pub/os/f.iso?x", nil, "https://de1.example.org/os/f.iso", 302},
		{"no host, no origin", german, "/lone/l.iso", nil, "", 503},
		{"no host, origin", proxy, "/apt/x.deb?ip=192.0.2.1&protocol=https&avoid_country=", []string{secure, "https"}, "https://de1.example.org/apt/x.deb", 302},
		{"nobody's address", nobody, "/pub/os/f.iso?country=JP,US", nil, "https://us1.example.org/os/f.iso", 302},
		{
			"odd name", german, "/pub/os/a%20b%23c%3Fd%25e%2Bf%26%3Cg%3E%22h'%C3%BC%01.iso", nil,
			"https://de1.example.org/os/a%20b%23c%3Fd%25e%2Bf&%3Cg%3E%22h'%C3%BC%01.iso", 302,
		},
		{"plus", german, "/pub/os/a+b", nil, "https://de1.example.org/os/a%2Bb", 302},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			res := get(t, s, test.peer, test.uri, test.header...)
			if res.StatusCode() != test.status || peek(res, "Location") != test.want {
				t.Errorf("%d %q, want %d %q", res.StatusCode(), peek(res, "Location"), test.status, test.want)
			}
			if !strings.Contains(peek(res, "Cache-Control"), "no-store") {
				t.Errorf("Cache-Control: %s", peek(res, "Cache-Control"))
			}
		})
	}
}

func TestRedirectHeaders(t *testing.T) {
	res := get(t, newFixture(), american, "/pub/os/f.iso?country=US")
	got := map[string]string{}
	for _, name := range []string{"Location", "Cache-Control", "Vary", "Digest", "Repr-Digest", "ETag", "Last-Modified"} {
		got[name] = peek(res, name)
	}
	want := map[string]string{
		"Location": "https://us1.example.org/os/f.iso", "Cache-Control": "private, no-store", "Vary": "Accept",
		"Digest":        "SHA-256=q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=,MD5=zc3Nzc3Nzc3Nzc3Nzc3NzQ==",
		"Repr-Digest":   "sha-256=:q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=:",
		"ETag":          `"694c2a20-a00000"`,
		"Last-Modified": "Wed, 24 Dec 2025 18:00:00 GMT",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	links := strings.Split(peek(res, "Link"), "\n")
	if len(links) != 3 {
		t.Fatalf("links: %q, want two duplicates and describedby", links)
	}
	for _, link := range []string{"<https://de1.example.org/os/f.iso>; rel=duplicate; pri=", "; geo=de", "; geo=fr", "pri=1; ", "pri=2; "} {
		if !strings.Contains(links[0]+links[1], link) {
			t.Errorf("links %q lack %q", links, link)
		}
	}
	if want := `</pub/os/f.iso.meta4>; rel=describedby; type="application/metalink4+xml"`; links[2] != want {
		t.Errorf("link %s, want %s", links[2], want)
	}
}

// A URL that its mirror's admin wrote must not add links of its own.
func TestRedirectLinkInjection(t *testing.T) {
	snap := fixtureSnapshot()
	snap.Hosts[1].Mounts[0].URLs[0] = `http://fr1.example.org/>;rel=describedby,<http://fr1.example.org`
	s := New(Config{Engine: fixtureEngine(snap)})
	links := peek(get(t, s, german, "/pub/os/f.iso"), "Link")
	if strings.Contains(links, "fr1") || !strings.Contains(links, "<https://us1.example.org/os/f.iso>; rel=duplicate") {
		t.Errorf("links %q", links)
	}
}

func TestRedirectSaysNoMoreThanItKnows(t *testing.T) {
	s := newFixture()
	for _, uri := range []string{"/pub/os/bare.iso", "/pub/os/unknown.iso", "/pub/os/"} {
		res := get(t, s, german, uri)
		for _, name := range []string{"Digest", "Repr-Digest", "ETag", "Last-Modified", "Vary"} {
			if v := peek(res, name); v != "" {
				t.Errorf("%s: %s: %s", uri, name, v)
			}
		}
		if strings.Contains(peek(res, "Link"), "describedby") {
			t.Errorf("%s: Link: %s", uri, peek(res, "Link"))
		}
	}
	if link := peek(get(t, s, german, "/pub/os/"), "Link"); link != "" {
		t.Errorf("a directory has Link: %s", link)
	}
}

func TestNobodyElseSeesPrivateHosts(t *testing.T) {
	s := newFixture()
	for _, suffix := range []string{"", ".meta4", ".metalink", "?mirrorlist", "?mirrorlist&json", "?country=DE", "?mirrorlist&country=DE"} {
		for _, peer := range []string{german, german6, american, nobody} {
			res := get(t, s, peer, "/pub/os/f.iso"+suffix)
			if all := res.String(); strings.Contains(all, "secret") {
				t.Errorf("%s for %s names the private host:\n%s", suffix, peer, all)
			}
			if all := res.String(); strings.Contains(all, "choosy.example.org") {
				t.Errorf("%s for %s has a URL of a host that does not serve it:\n%s", suffix, peer, all)
			}
		}
		if res := get(t, s, insider, "/pub/os/f.iso"+suffix); !strings.Contains(suffix, "country") && !strings.Contains(res.String(), "secret") {
			t.Errorf("%s for its own client lacks the private host", suffix)
		}
	}
}

func TestFamily(t *testing.T) {
	s := newFixture()
	for peer, never := range map[string]string{german: "jp1", german6: "us1", "::ffff:" + german: "jp1"} {
		for _, uri := range []string{"/pub/os/f.iso", "/pub/os/f.iso.meta4", "/pub/os/f.iso.metalink"} {
			if res := get(t, s, peer, uri); strings.Contains(res.String(), never) {
				t.Errorf("%s: %s is told of %s:\n%s", uri, peer, never, res)
			}
		}
	}
}

func down(host string, schemes ...index.Schemes) (out []health.Target) {
	for _, scheme := range schemes {
		out = append(out, health.Target{Host: host, Scheme: scheme, Family: index.V4},
			health.Target{Host: host, Scheme: scheme, Family: index.V6})
	}
	return out
}

func TestDown(t *testing.T) {
	all := append(down("de1", index.HTTP, index.HTTPS), down("fr1", index.HTTP)...)
	all = append(all, down("us1", index.HTTPS)...)
	all = append(all, down("jp1", index.HTTPS)...)
	tests := []struct {
		name string
		down []health.Target
		uri  string
		want string
		all  uint64 // Counters.AllDown
	}{
		{"one scheme", down("de1", index.HTTPS), "/pub/os/f.iso", "http://de1.example.org/os/f.iso", 0},
		{"one host", down("de1", index.HTTPS, index.HTTP), "/pub/os/f.iso?avoid_country=FR", "https://us1.example.org/os/f.iso", 0},
		{"all, origin", all, "/pub/os/f.iso", "https://origin.example.org/pub/os/f.iso", 1},
		{"all, http origin", all, "/apt/f.deb", "http://origin.example.org/apt/f.deb", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newFixture(test.down...)
			res := get(t, s, german, test.uri)
			if got := peek(res, "Location"); got != test.want {
				t.Errorf("Location: %s, want %s", got, test.want)
			}
			if c := s.Counters(); c.AllDown != test.all || c.Origin != test.all {
				t.Errorf("counted %d all-down and %d origin, want %d", c.AllDown, c.Origin, test.all)
			}
			if test.all > 0 && strings.Contains(peek(res, "Link"), "duplicate") {
				t.Errorf("links to hosts that are down: %s", peek(res, "Link"))
			}
		})
	}
	t.Run("all, origin has the wrong scheme", func(t *testing.T) {
		res := get(t, newFixture(all...), proxy, "/apt/f.deb", "X-Forwarded-For", german, "X-Forwarded-Proto", "https")
		if got, want := peek(res, "Location"), "https://de1.example.org/apt/f.deb"; got != want {
			t.Errorf("Location: %s, want %s", got, want)
		}
	})
}

func TestUnavailable(t *testing.T) {
	s := newFixture()
	for _, uri := range []string{"/lone/l.iso", "/lone/l.iso.meta4", "/lone/l.iso.metalink"} {
		res := get(t, s, german, uri)
		if res.StatusCode() != 503 || peek(res, "Retry-After") != "300" || peek(res, "Location") != "" || peek(res, "ETag") != "" {
			t.Errorf("%s: %s", uri, res)
		}
	}
	s.config.Engine = &answer.Engine{}
	if res := get(t, s, german, "/pub/os/f.iso"); res.StatusCode() != 503 || peek(res, "Retry-After") != "300" {
		t.Errorf("before the first data: %s", res)
	}
}

func TestSurvive(t *testing.T) {
	s := newFixture()
	s.config.Engine = &answer.Engine{}
	s.config.Engine.Swap(nil, nil) // an engine that breaks its promise
	for range 3 {
		if res := get(t, s, german, "/pub/os/f.iso"); res.StatusCode() != 500 || len(res.Body()) > 0 {
			t.Errorf("after a panic: %s", res)
		}
	}
}

func TestTick(t *testing.T) {
	s := newFixture()
	s.tick(time.Date(2026, 7, 5, 9, 0, 0, 0, time.FixedZone("", 7200)))
	if got := string(s.now().http); got != "Sun, 05 Jul 2026 07:00:00 GMT" {
		t.Errorf("HTTP date %s", got)
	}
}

func TestNotModified(t *testing.T) {
	const etag, date = `"694c2a20-a00000"`, "Wed, 24 Dec 2025 18:00:00 GMT"
	const since, none = "If-Modified-Since", "If-None-Match"
	s := newFixture()
	tests := []struct {
		name   string
		header []string
		want   int
	}{
		{"no condition", nil, 302},
		{"same date", []string{since, date}, 304},
		{"later date", []string{since, "Thu, 25 Dec 2025 18:00:00 GMT"}, 302},
		{"earlier date", []string{since, "Tue, 23 Dec 2025 18:00:00 GMT"}, 302},
		{"no date", []string{since, "yesterday"}, 302},
		{"our tag", []string{none, etag}, 304},
		{"our tag, weak", []string{none, "W/" + etag}, 304},
		{"a mirror's tag", []string{none, `"694c2a20-a00001"`}, 302},
		{"tag in a list", []string{none, `"x,y" , ` + etag + `,"z"`}, 304},
		{"tag in another line", []string{none, `"x"`, none, etag}, 304},
		{"tag inside a tag", []string{none, `"x` + etag + `"`}, 302},
		{"any", []string{none, "*"}, 304},
		{"tag wins over date", []string{none, `"x"`, since, date}, 302},
		{"tag wins over other date", []string{none, etag, since, "yesterday"}, 304},
		{"metalink wins", []string{none, etag, "Accept", "application/metalink4+xml"}, 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			res := get(t, s, german, "/pub/os/f.iso", test.header...)
			if res.StatusCode() != test.want {
				t.Errorf("status %d, want %d", res.StatusCode(), test.want)
			}
			if test.want == 200 {
				return
			}
			if peek(res, "ETag") != etag || peek(res, "Last-Modified") != date || peek(res, "Vary") != "Accept" {
				t.Errorf("validators are missing:\n%s", res)
			}
			if (peek(res, "Location") == "") != (test.want == 304) {
				t.Errorf("Location: %s", peek(res, "Location"))
			}
		})
	}
	if c := s.Counters(); c.NotModified != 7 || c.Kinds[Redirect] != 14 || c.Kinds[Metalink4] != 1 || c.Status[3] != 14 {
		t.Errorf("counted %+v", c)
	}
}

func TestMethods(t *testing.T) {
	s := newFixture()
	for method, want := range map[string]int{"GET": 302, "HEAD": 302, "OPTIONS": 204, "POST": 405, "PUT": 405, "TRACE": 405, "get": 405} {
		res := ask(t, s, german, method, "/pub/os/f.iso")
		if res.StatusCode() != want {
			t.Errorf("%s: status %d, want %d", method, res.StatusCode(), want)
		}
		if allowed := peek(res, "Allow"); (want != 302) != (allowed == "GET, HEAD, OPTIONS") {
			t.Errorf("%s: Allow: %s", method, allowed)
		}
	}
	if res := ask(t, s, german, "OPTIONS", "*"); res.StatusCode() != 204 {
		t.Errorf("OPTIONS *: status %d", res.StatusCode())
	}
}

func TestHostilePaths(t *testing.T) {
	s := newFixture()
	tests := []struct {
		uri    string
		status int
		want   string // path below the host
	}{
		{"/pub/os/../../etc/passwd", 404, ""},
		{"/pub/os/../../../etc/passwd", 400, ""},
		{"/../pub/os/f.iso", 400, ""},
		{"/pub/os/%2e%2e/%2e%2e/%2E%2e/etc", 400, ""},
		{"/pub/os/..%2f..%2f..%2fetc", 400, ""},
		{"/pub/os/x/../y", 302, "/os/y"},
		{"/pub/os/x/%2e%2e/y", 302, "/os/y"},
		{"/pub/os/x/..", 302, "/os/"},
		{"/pub/os/./y/.", 302, "/os/y/"},
		{"//pub///os//y", 302, "/os/y"},
		{"/pub%2Fos%2Fy", 302, "/os/y"},
		{"/pub/os/...", 302, "/os/..."},
		{"/pub/os/..y/y..", 302, "/os/..y/y.."},
		{"/pub/os/%252e%252e/%252e%252e/y", 302, "/os/%252e%252e/%252e%252e/y"},
		{"/pub/os/y%00", 400, ""},
		{"/pub/os/y%0d%0aSet-Cookie:%20a=b", 400, ""},
		{"/pub/os/y%0A", 400, ""},
		{"/pub/os/y%", 400, ""},
		{"/pub/os/y%4", 400, ""},
		{"/pub/os/y%zz", 400, ""},
		{"/pub/os/y#z", 400, ""},
		{"/pub/os/y%09", 302, "/os/y%09"},
		{"/pub/os/y\\..\\z", 302, "/os/y%5C..%5Cz"},
		{"/pub/os/\xff", 302, "/os/%FF"},
		{"pub/os/y", 400, ""},
		{"*", 400, ""},
		{"/pub/os/" + strings.Repeat("y", maxPath), 414, ""},
		{"http://h", 200, ""},
	}
	for _, test := range tests {
		res := get(t, s, german, test.uri)
		want := ""
		if test.want != "" {
			want = "https://de1.example.org" + test.want
		}
		if res.StatusCode() != test.status || peek(res, "Location") != want {
			t.Errorf("%q: %d %q, want %d %q", test.uri, res.StatusCode(), peek(res, "Location"), test.status, want)
		}
	}
}

// FuzzLocation asks for any path and query, and checks that what comes back
// stays below a base URL and is the path that was meant.
func FuzzLocation(f *testing.F) {
	for _, seed := range []string{
		"/pub/os/f.iso", "/pub/os/a%20b%23?c=d", "/pub/os/%2e%2e/x", "/pub/os/%0d%0aX:%20y", "/pub/os/%c3%bc+&'",
		"/pub/os/x?mirrorlist", "/pub/os/f.iso.meta4", "/pub/os/f.iso?country=US,%zz&protocol=http", "http://a/pub/os/..%2f",
	} {
		f.Add(seed)
	}
	s := newFixture()
	f.Fuzz(func(t *testing.T, uri string) {
		if len(uri) == 0 {
			return
		}
		res := get(t, s, american, uri)
		for name, value := range res.Header.All() {
			for _, c := range value {
				if c < ' ' || c > '~' {
					t.Errorf("%q: %s: %q", uri, name, value)
				}
			}
		}
		location := peek(res, "Location")
		if location == "" || listKind([]byte(strings.SplitN(uri, "?", 2)[0])) != Other {
			return
		}
		checkLocation(t, uri, location)
	})
}

func checkLocation(t *testing.T, uri, location string) {
	t.Helper()
	raw, _, _ := split([]byte(uri))
	path, dir, ok := slowPath(string(raw))
	if !ok {
		t.Fatalf("%q is redirected to %q", uri, location)
	}
	u, err := url.Parse(location)
	if err != nil || u.RawQuery != "" || u.Fragment != "" || u.User != nil || strings.ContainsAny(location, " \"<>") {
		t.Fatalf("%q: Location %q: %v", uri, location, err)
	}
	base, top := "/os", "pub/os"
	if strings.HasPrefix(u.Path, "/apt") {
		base, top = "/apt", "apt"
	}
	want := base + strings.TrimPrefix(path, top)
	if got := strings.TrimSuffix(u.Path, "/"); got != want || !strings.HasSuffix(u.Host, ".example.org") {
		t.Errorf("%q: Location %q has path %q, want %q", uri, location, got, want)
	}
	if dir && !strings.HasSuffix(u.Path, "/") {
		t.Errorf("%q: Location %q lost its slash", uri, location)
	}
}

func TestCounters(t *testing.T) {
	s := newFixture()
	for _, uri := range []string{"/pub/os/f.iso", "/pub/os/f.iso.meta4", "/pub/os/f.iso.metalink", "/pub/os/f.iso.sha256", "/", "/none"} {
		get(t, s, german, uri)
	}
	want := Counters{
		Kinds:  [Kinds]uint64{Redirect: 1, Metalink4: 1, Metalink3: 1, Hash: 1, Page: 1, Other: 1},
		Status: [StatusClasses]uint64{2: 4, 3: 1, 4: 1},
	}
	if diff := cmp.Diff(want, s.Counters()); diff != "" {
		t.Error(diff)
	}
}

func TestMirrorlistServerKnowsNothingElse(t *testing.T) {
	s := New(Config{Engine: fixtureEngine(fixtureSnapshot()), MirrorlistServer: true})
	for _, method := range []string{"GET", "POST", "OPTIONS", "DELETE"} {
		for _, uri := range []string{"/", "/pub/os/f.iso", "/mirrorlist/", "/metalink4", "/mirrorlis%74", "*"} {
			res := ask(t, s, german, method, uri)
			if res.StatusCode() != fasthttp.StatusNotFound || string(res.Body()) != "We don't serve their kind here!" {
				t.Errorf("%s %s: %s", method, uri, res)
			}
			if kind := string(res.Header.ContentType()); kind != "" {
				t.Errorf("%s %s: Content-Type %s", method, uri, kind)
			}
		}
	}
}
