package http

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/valyala/fasthttp"

	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
)

const metalinkHead = `<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" type="dynamic" pubdate="Fri, 02 Jan 2026 04:04:05 GMT" generator="mirrormanager" xmlns:mm0="http://fedorahosted.org/mirrormanager">
`

const knownRepos = `error: invalid repo or arch
# following repositories are available:
# repo=bare&arch=x86_64
# repo=direct&arch=x86_64
# repo=fedora-43&arch=x86_64
# repo=fedora-source-43&arch=source
# repo=lost&arch=x86_64
# repo=old&arch=x86_64
# repo=x+y&arch=x86_64
`

// TestMirrorlistRefusals has the texts that programs know by heart. In a
// metalink each is a comment, with the same status.
func TestMirrorlistRefusals(t *testing.T) {
	s := newListFixture()
	tests := []struct {
		name, query string
		status      int
		text        string
	}{
		{"nothing asked for", "", 200, "# either path=, or repo= and arch= must be specified"},
		{"no architecture", "repo=fedora-43", 200, "# either path=, or repo= and arch= must be specified"},
		{"other case", "REPO=fedora-43&arch=x86_64", 200, "# either path=, or repo= and arch= must be specified"},
		{"empty path", "path", 404, "error: invalid path"},
		{"unknown path", "path=pub/fedora/none/x", 404, "error: invalid path"},
		{"path in other case", "path=PUB/fedora", 404, "error: invalid path"},
		{"disabled", "repo=old&arch=any", 200, "repo disabled"},
		{"redirected to disabled", "repo=older&arch=x86_64", 200, "repo disabled"},
		{"unknown repository", "repo=none&arch=x", 404, "# repo = none arch = x " + knownRepos},
		{"unknown architecture", "repo=core-43&arch=x", 404, "# repo = fedora-43 arch = x " + knownRepos},
		{"source architecture", "repo=core-source&arch=x", 404, "# repo = core-source arch = source " + knownRepos},
		{"directory not in the cache", "repo=lost&arch=x86_64", 500, "mirrorlist cache index out of range, you broke it!"},
		{"bad address", "path=pub/fedora/os/a--b.iso&ip=1.2.3", 500, "Cannot parse client IP address. Aborting."},
		{"bad address with a zone", "repo=fedora-43&arch=x86_64&ip=fe80::1%25eth0", 500, "Cannot parse client IP address. Aborting."},
		{"bad address and unknown path", "path=none&ip=1.2.3", 404, "error: invalid path"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			res := get(t, s, german, "/x/mirrorlist?"+test.query)
			if diff := cmp.Diff(test.text, string(res.Body())); diff != "" || res.StatusCode() != test.status {
				t.Errorf("status %d, want %d; text (-want +got):\n%s", res.StatusCode(), test.status, diff)
			}
			if strings.Contains(res.Header.String(), "Content-Type") {
				t.Errorf("a refusal has a content type:\n%s", &res.Header)
			}
			res = get(t, s, german, "/x/metalink?"+test.query)
			want := metalinkHead + "<!-- " + test.text + "\n-->\n</metalink>\n"
			if diff := cmp.Diff(want, string(res.Body())); diff != "" || res.StatusCode() != test.status {
				t.Errorf("metalink: status %d, want %d; text (-want +got):\n%s", res.StatusCode(), test.status, diff)
			}
			if got := string(res.Header.ContentType()); got != typeMetalink {
				t.Errorf("metalink: content type %q", got)
			}
		})
	}
}

func TestMirrorlistEndpoints(t *testing.T) {
	s := newListFixture()
	for _, uri := range []string{"/", "/foo", "/xmirrorlist", "/mirrorlist/", "/MIRRORLIST", "/mirrorlist;x?path=pub/fedora", "/favicon.ico"} {
		res := get(t, s, german, uri)
		if res.StatusCode() != fasthttp.StatusNotFound || string(res.Body()) != "We don't serve their kind here!" {
			t.Errorf("%s: %d %q", uri, res.StatusCode(), res.Body())
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "BREW"} {
		res := ask(t, s, german, method, "/mirrorlist?path=pub/fedora/os&country=FR")
		if got := string(res.Body()); got != "# path = pub/fedora/os country = FR \nhttp://fr1.example.org/os/\n" {
			t.Errorf("%s: %q", method, got)
		}
	}
}

func TestMirrorlistHeader(t *testing.T) {
	s := newListFixture()
	tests := []struct{ name, client, query, header string }{
		{"continent is enough", german, "repo=fedora-43&arch=x86_64", "# repo = fedora-43 arch = x86_64 country = DE country = AT country = FR country = IE country = PL country = SE country = global "},
		{"redirected repository", american, "repo=core-43&arch=x86_64", "# repo = fedora-43 arch = x86_64 country = US country = global "},
		{"source", american, "repo=fedora-source-43&arch=x86_64", "# repo = fedora-source-43 arch = source country = US country = global "},
		{"slashes", american, "path=//pub///fedora/os//", "# path = pub/fedora/os country = US country = global "},
		{"the last one counts", american, "path=pub/fedora&path=pub/fedora/os", "# path = pub/fedora/os country = US country = global "},
		{"no country", nobody, "path=pub/fedora/us", "# path = pub/fedora/us country = global "},
		{"netblock", campus, "path=pub/fedora/os", "# path = pub/fedora/os Using preferred netblock country = DE country = AT country = FR country = IE country = PL country = SE "},
		{"netblock=1", campus, "path=pub/fedora/os&netblock=1", "# path = pub/fedora/os Using preferred netblock country = DE country = AT country = FR country = IE country = PL country = SE "},
		{"netblock=0", campus, "path=pub/fedora/os&netblock=0", "# path = pub/fedora/os country = DE country = AT country = FR country = IE country = PL country = SE country = global "},
		{"countries as given, sorted", american, "path=pub/fedora/os&country=us,DE,,fr,US,DE", "# path = pub/fedora/os country = DE country = US country = fr country = us "},
		{"global", german, "path=pub/fedora/os&country=Global,us", "# path = pub/fedora/os country = global country = us "},
		{"country without a host", german, "path=pub/fedora/us&country=CA", "# path = pub/fedora/us country = US "},
		{"two countries without a host", german, "path=pub/fedora/us&country=CA,MX", "# path = pub/fedora/us country = US "},
		{"no continent either", german, "path=pub/fedora/us&country=JP", "# path = pub/fedora/us country = global "},
		{"unknown country", american, "path=pub/fedora/us&country=ZZ,x", "# path = pub/fedora/us country = US country = global "},
		{"empty country", american, "path=pub/fedora/us&country=", "# path = pub/fedora/us country = US country = global "},
		{"protocol", german, "path=pub/fedora/us&country=US&protocol=https,", "# path = pub/fedora/us country = US protocol = https,"},
		{"time", german, "path=pub/fedora/us&country=US&time=0", "# path = pub/fedora/us country = US \n# database creation time: 1767323045"},
		{"protocol and time", german, "path=pub/fedora/us&country=US&time&protocol=http", "# path = pub/fedora/us country = US country = global protocol = http\n# database creation time: 1767323045"},
		{"avoided", german, "path=pub/fedora/os&country=US,FR&avoid_country=fr,PL", "# path = pub/fedora/os country = US avoid_country = fr,PL "},
		{"avoided in vain", german, "path=pub/fedora/us&country=US&avoid_country=US", "# path = pub/fedora/us country = US avoid_country = US (ignored: nothing would be left) "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			body := string(get(t, s, test.client, "/mirrorlist?"+test.query).Body())
			var header []string
			for line := range strings.Lines(body) {
				if strings.HasPrefix(line, "#") {
					header = append(header, line)
				}
			}
			if diff := cmp.Diff(test.header+"\n", strings.Join(header, "")); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMirrorlistURLs(t *testing.T) {
	s := newListFixture()
	tests := []struct {
		name, client, query string
		want                []string
	}{
		{"one of each", german, "path=pub/fedora/os&country=DE,US", []string{"https://de1.example.org/fedora/os/", "https://us1.example.org/f/os/"}},
		{"top directory", german, "path=pub/fedora&country=FR", []string{"http://fr1.example.org/"}},
		{"file", german, "path=pub/fedora/os/any.iso&country=FR", []string{"http://fr1.example.org/os/any.iso"}},
		{"as many as protocols", german, "path=pub/fedora/os&country=US&protocol=https,http", []string{"https://us1.example.org/f/os/", "https://us1.example.org/g/os/"}},
		{"one protocol", german, "path=pub/fedora/os&country=US&protocol=https", []string{"https://us1.example.org/f/os/"}},
		{"two protocols", german, "path=pub/fedora/os&country=DE&protocol=https,http", []string{"http://de1.example.org/fedora/os/", "https://de1.example.org/fedora/os/"}},
		{"no text scheme", german, "path=pub/fedora/os&country=SE", nil},
		{"characters", german, "path=pub/fedora/os/it's+~@:1;$,(2).iso&country=FR", []string{"http://fr1.example.org/os/it's+~@:1;$,(2).iso"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := askList(t, s, test.client, "/mirrorlist?"+test.query)
			wantURLs(t, a, test.want...)
		})
	}
}

// TestMirrorlistOrder asks that bands are strict, and that private hosts serve
// their own clients only.
func TestMirrorlistOrder(t *testing.T) {
	s := newListFixture()
	for range 50 {
		got := urlsOf(t, string(get(t, s, campus, "/mirrorlist?path=pub/fedora/os").Body()))
		want := []string{"https://priv1.example.org/f/os/", "https://net1.example.org/f/os/", "https://de1.example.org/fedora/os/", "http://fr1.example.org/os/"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("campus (-want +got):\n%s", diff)
		}
	}
	for _, query := range []string{"", "&netblock=0", "&country=DE"} {
		body := string(get(t, s, german, "/mirrorlist?path=pub/fedora/os"+query).Body())
		if strings.Contains(body, "priv1") {
			t.Errorf("%q: a stranger gets the private host:\n%s", query, body)
		}
	}
	if body := string(get(t, s, campus, "/mirrorlist?path=pub/fedora/os&netblock=0").Body()); strings.Contains(body, "priv1") {
		t.Errorf("netblock=0 has the private host:\n%s", body)
	}
}

func TestMirrorlistMinimum(t *testing.T) {
	e := listEngine()
	for minimum, want := range map[int]string{
		-1: "# path = pub/fedora/us country = US ", 0: "# path = pub/fedora/us country = US country = global ",
		1: "# path = pub/fedora/us country = US ", 2: "# path = pub/fedora/us country = US country = global ",
	} {
		s := New(Config{Engine: e, MirrorlistServer: true, MinimumHosts: minimum})
		wantHeader(t, askList(t, s, american, "/mirrorlist?path=pub/fedora/us"), want)
	}
}

// TestMirrorlistDown asks that mirrors that are down are left out, but for the
// case that nothing else is left.
func TestMirrorlistDown(t *testing.T) {
	down := func(host string, scheme index.Schemes) health.Target {
		return health.Target{Host: host, Scheme: scheme, Family: index.V4}
	}
	s := newListFixture(down("de1", index.HTTPS), down("us1", index.HTTPS), down("jp1", index.HTTPS))
	wantURLs(t, askList(t, s, german, "/mirrorlist?path=pub/fedora/os&country=DE"), "http://de1.example.org/fedora/os/")
	wantURLs(t, askList(t, s, german, "/mirrorlist?path=pub/fedora/os&country=US,FR"), "http://fr1.example.org/os/")
	wantURLs(t, askList(t, s, german, "/mirrorlist?path=pub/fedora/us"), "https://us1.example.org/f/us/")
	s = newListFixture(down("de1", index.HTTPS), down("de1", index.HTTP))
	wantURLs(t, askList(t, s, german, "/mirrorlist?path=pub/fedora/os&country=DE"), "https://de1.example.org/fedora/os/")
	doc := string(get(t, s, german, "/metalink?path=pub/fedora/os/repodata/repomd.xml&country=DE").Body())
	if strings.Contains(doc, "http://de1") || !strings.Contains(doc, "rsync://de1") {
		t.Errorf("metalink has URLs that are down:\n%s", doc)
	}
}

// TestMirrorlistBesideRedirects asks that an edge that redirects gives lists too.
func TestMirrorlistBesideRedirects(t *testing.T) {
	s := newFixture()
	a := askList(t, s, german, "/mirrorlist?path=pub/os&country=FR")
	wantURLs(t, a, "http://fr1.example.org/os/")
	a = askList(t, s, german, "/mirrorlist?path=pub/os&ip="+american)
	if !strings.Contains(a.Header, "country = DE") {
		t.Errorf("ip= of a client that nobody trusts counts: %q", a.Header)
	}
	a = askList(t, s, proxy, "/mirrorlist?path=pub/os&ip="+american)
	if !strings.Contains(a.Header, "country = US") {
		t.Errorf("ip= of a trusted proxy does not count: %q", a.Header)
	}
}

// TestMirrorlistRedirectStaysSecure asks that an edge sends a client of https
// to https only, also by a list.
func TestMirrorlistRedirectStaysSecure(t *testing.T) {
	const secure = "X-Forwarded-Proto"
	tests := []struct {
		name, query, scheme, want string
		status                    int
	}{
		{"http", "&country=FR", "http", "http://fr1.example.org/os/", 302},
		{"https, has none", "&country=FR", "https", "https://de1.example.org/os/", 302},
		{"https, asks for http", "&protocol=http", "https", "", 404},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			res := get(t, newFixture(), proxy, "/mirrorlist?path=pub/os&redirect&ip="+german+test.query, secure, test.scheme)
			if got := peek(res, "Location"); got != test.want || res.StatusCode() != test.status {
				t.Errorf("%d %q, want %d %q", res.StatusCode(), got, test.status, test.want)
			}
		})
	}
}

// TestListsAreNotCached asks that no cache between gives one client's list,
// which may have private mirrors, to another.
func TestListsAreNotCached(t *testing.T) {
	for _, s := range []*Server{newListFixture(), newFixture()} {
		for _, uri := range []string{"/mirrorlist?repo=fedora-43&arch=x86_64", "/metalink?repo=fedora-43&arch=x86_64", "/mirrorlist?path=none", "/mirrorlist"} {
			if got := peek(get(t, s, german, uri), "Cache-Control"); got != "private, no-store" {
				t.Errorf("%s: Cache-Control: %q", uri, got)
			}
		}
	}
}
