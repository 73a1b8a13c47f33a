package http

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/valyala/fasthttp"
)

// Where Fedora's mirrorlist-server is wrong, we differ on purpose. The names
// are those of ../shared/conformance and of the README's table.

// answered is what of an answer quirks are about.
type answered struct {
	Status int
	Type   string
	Header string // the first line of a text list
	URLs   []string
}

// askList asks for a text list and returns it with its URLs sorted.
func askList(tb testing.TB, s *Server, peer, uri string, header ...string) answered {
	tb.Helper()
	res := get(tb, s, peer, uri, header...)
	body := string(res.Body())
	first, _, _ := strings.Cut(body, "\n")
	a := answered{Status: res.StatusCode(), Type: string(res.Header.ContentType()), Header: first}
	if a.Status == fasthttp.StatusOK {
		a.URLs = urlsOf(tb, body)
		slices.Sort(a.URLs)
	}
	return a
}

func wantHeader(t *testing.T, got answered, want string) {
	t.Helper()
	if got.Header != want {
		t.Errorf("header %q, want %q", got.Header, want)
	}
}

func wantURLs(t *testing.T, got answered, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got.URLs); diff != "" {
		t.Errorf("URLs (-want +got):\n%s", diff)
	}
}

// A country-restricted mirror serves nobody else by any way.
func TestQuirkCountryAllowedLeak(t *testing.T) {
	s := newListFixture()
	for _, query := range []string{"", "&country=AT", "&country=global", "&netblock=0", "&protocol=https", "&redirect"} {
		for _, endpoint := range []string{"/mirrorlist?path=pub/fedora/os", "/metalink?path=pub/fedora/os/repodata/repomd.xml"} {
			for range 50 {
				res := get(t, s, german, endpoint+query)
				if all := string(res.Body()) + peek(res, "Location"); strings.Contains(all, "at1.example") {
					t.Fatalf("%s%s sends a German to a mirror for Austrians only:\n%s", endpoint, query, all)
				}
			}
		}
	}
	if a := askList(t, s, austrian, "/mirrorlist?path=pub/fedora/os&country=AT"); !slices.Contains(a.URLs, "https://at1.example.org/f/os/") {
		t.Errorf("an Austrian gets %q, without the mirror for Austrians", a.URLs)
	}
}

// The https URL of a mirror is preferred, whatever order they are registered in.
func TestQuirkHTTPBeforeHTTPS(t *testing.T) {
	s := newListFixture()
	a := askList(t, s, german, "/mirrorlist?path=pub/fedora/os&country=DE")
	wantURLs(t, a, "https://de1.example.org/fedora/os/")
	res := get(t, s, german, "/mirrorlist?path=pub/fedora/os&country=DE&redirect")
	if got := peek(res, "Location"); got != "https://de1.example.org/fedora/os/" {
		t.Errorf("redirect to %q", got)
	}
}

// Where nothing matches protocol= in the countries that were asked for, their
// continents serve; an unknown protocol gives an empty list, an empty one all.
func TestQuirkProtocolNoMatch(t *testing.T) {
	s := newListFixture()
	a := askList(t, s, german, "/mirrorlist?path=pub/fedora/os&country=FR&protocol=rsync")
	wantHeader(t, a, "# path = pub/fedora/os country = FR country = AT country = DE country = IE country = PL country = SE protocol = rsync")
	wantURLs(t, a, "rsync://de1.example.org/fedora/os/", "rsync://se1.example.org/f/os/")
	wantURLs(t, askList(t, s, german, "/mirrorlist?path=pub/fedora/os&protocol=ttps"))
	a = askList(t, s, german, "/mirrorlist?path=pub/fedora/os&country=DE&protocol=")
	wantURLs(t, a, "https://de1.example.org/fedora/os/")
	a = askList(t, s, german, "/mirrorlist?path=pub/fedora/os&protocol=gopher")
	wantURLs(t, a, "gopher://se1.example.org/f/os/")
}

// A redirect goes to the nearest mirror that has http or https.
func TestQuirkNoWebFallback(t *testing.T) {
	s := newListFixture()
	res := get(t, s, german, "/mirrorlist?path=pub/fedora/os&redirect&country=SE")
	if got := peek(res, "Location"); res.StatusCode() != fasthttp.StatusFound || strings.HasPrefix(got, "rsync") {
		t.Errorf("%d %q, want a redirect to http or https", res.StatusCode(), got)
	}
	res = get(t, s, german, "/mirrorlist?path=pub/fedora/os&redirect&protocol=rsync")
	if res.StatusCode() != fasthttp.StatusNotFound || len(res.Body()) != 0 {
		t.Errorf("only rsync: %d %q, want 404 and no body", res.StatusCode(), res.Body())
	}
}

// wellFormed reports what is wrong with an XML document.
func wellFormed(doc []byte) error {
	d := xml.NewDecoder(bytes.NewReader(doc))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestQuirkXMLUnescaped(t *testing.T) {
	s := newListFixture()
	for _, uri := range []string{
		"/metalink?path=pub/fedora/amp/f.iso",
		"/metalink?path=pub/fedora/os/" + strings.NewReplacer("%", "%25", "&", "%26", "#", "%23").Replace(odd),
		"/metalink?repo=--&arch=a-->b",
		"/metalink?repo=x%00%1b%ff&arch=---",
		"/metalink?path=pub/fedora/os/a--b%2d->.iso",
	} {
		res := get(t, s, german, uri)
		if err := wellFormed(res.Body()); err != nil {
			t.Errorf("%q: %v in\n%s", uri, err, res.Body())
		}
	}
	doc := string(get(t, s, german, "/metalink?path=pub/fedora/amp/f.iso").Body())
	if want := `>https://amp.example.org/get?a=1&amp;b=&lt;"'&gt;/amp/f.iso</url>`; !strings.Contains(doc, want) {
		t.Errorf("no %s in\n%s", want, doc)
	}
	doc = string(get(t, s, german, "/metalink?repo=a--b&arch=x").Body())
	if want := "<!-- # repo = a- -b arch = x error"; !strings.Contains(doc, want) {
		t.Errorf("no %s in\n%s", want, doc)
	}
}

func TestQuirkMetalink500Plain(t *testing.T) {
	res := get(t, newListFixture(), german, "/metalink?repo=lost&arch=x86_64")
	if res.StatusCode() != fasthttp.StatusInternalServerError || string(res.Header.ContentType()) != typeMetalink {
		t.Errorf("%d %s", res.StatusCode(), res.Header.ContentType())
	}
	if err := wellFormed(res.Body()); err != nil || !bytes.Contains(res.Body(), []byte("<!-- "+textNoCache+"\n-->")) {
		t.Errorf("%v in\n%s", err, res.Body())
	}
}

// The client is the last element of the first line of X-Forwarded-For, with
// or without a blank after the comma; the peer where it has none.
func TestQuirkXFF(t *testing.T) {
	s := newListFixture()
	const us = "# path = pub/fedora/os country = US country = global "
	const de = "# path = pub/fedora/os country = DE country = AT country = FR country = IE country = PL country = SE country = global "
	tests := []struct {
		name, quirk string
		header      []string
		status      int
		want        string
	}{
		{"blank", "", []string{german + ", " + american}, fasthttp.StatusOK, us},
		{"no blank", "xff-no-blank", []string{german + "," + american}, fasthttp.StatusOK, us},
		{"two blanks", "xff-no-blank", []string{german + ",  " + american}, fasthttp.StatusOK, us},
		{"nothing after the comma", "xff-no-blank", []string{american + ","}, fasthttp.StatusOK, de},
		{"empty", "xff-empty", []string{""}, fasthttp.StatusOK, de},
		{"two lines", "xff-multiple-headers", []string{american, german}, fasthttp.StatusOK, us},
		{"not ASCII", "xff-nonascii-panic", []string{"1.2.3.\xe94"}, fasthttp.StatusInternalServerError, textNoClient},
		{"no address", "", []string{"unknown"}, fasthttp.StatusInternalServerError, textNoClient},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var header []string
			for _, line := range test.header {
				header = append(header, "X-Forwarded-For", line)
			}
			a := askList(t, s, german, "/mirrorlist?path=pub/fedora/os", header...)
			if a.Status != test.status {
				t.Errorf("status %d, want %d", a.Status, test.status)
			}
			wantHeader(t, a, test.want)
		})
	}
}

// Values are decoded first, and taken as they were sent if that finds nothing.
func TestQuirkPercentEncoded(t *testing.T) {
	s := newListFixture()
	tests := []struct{ name, uri, header, suffix string }{
		{"slashes", "/mirrorlist?path=pub%2Ffedora%2Fos", "# path = pub/fedora/os ", "/os/"},
		{"repository", "/mirrorlist?repo=fedora%2d43&arch=x86%5f64", "# repo = fedora-43 arch = x86_64 ", "/os/"},
		{"plus in a path", "/mirrorlist?path=pub/fedora/plus+dir", "# path = pub/fedora/plus+dir ", "/plus+dir/"},
		{"encoded plus", "/mirrorlist?path=pub/fedora/plus%2bdir", "# path = pub/fedora/plus+dir ", "/plus+dir/"},
		{"plus for a blank", "/mirrorlist?path=pub/fedora/os/x+y/", "# path = pub/fedora/os/x+y ", "/os/x+y"},
		{"blank", "/mirrorlist?path=pub/fedora/os/x%20y", "# path = pub/fedora/os/x y ", "/os/x%20y/"},
		{"plus in a repository", "/mirrorlist?repo=x+y&arch=x86_64", "# repo = x+y arch = x86_64 ", "/plus+dir/"},
		{"incomplete", "/mirrorlist?path=pub/fedora/os/100%", "# path = pub/fedora/os/100% ", "/os/100%25"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := askList(t, s, german, test.uri+"&country=FR")
			wantHeader(t, a, test.header+"country = FR ")
			wantURLs(t, a, "http://fr1.example.org"+test.suffix)
		})
	}
	a := askList(t, s, german, "/mirrorlist?path=pub/fedora/os&country=FR%2cJP")
	wantURLs(t, a, "http://fr1.example.org/os/", "https://jp1.example.org/f/os/")
	a = askList(t, s, american, "/mirrorlist?path=pub/fedora/os&country=FR&ip=2001:db8%3a%3a1")
	wantURLs(t, a, "http://fr1.example.org/os/")
}

// What follows a second equals sign belongs to the value.
func TestQuirkSecondEquals(t *testing.T) {
	a := askList(t, newListFixture(), german, "/mirrorlist?path=pub/fedora/os/a=b=c.iso&country=FR")
	wantHeader(t, a, "# path = pub/fedora/os/a=b=c.iso country = FR ")
	wantURLs(t, a, "http://fr1.example.org/os/a=b=c.iso")
}

// The header names an ASN only where a host of it, or a peer, is listed; peers
// follow the hosts of the AS itself.
func TestQuirkASN(t *testing.T) {
	s := newListFixture()
	a := askList(t, s, polish, "/mirrorlist?path=pub/fedora/os") // AS 64999, of no host
	if strings.Contains(a.Header, "ASN") {
		t.Errorf("header %q names an ASN", a.Header)
	}
	a = askList(t, s, partner, "/mirrorlist?path=pub/fedora/zero") // AS 64500, whose hosts lack it
	if strings.Contains(a.Header, "ASN") {
		t.Errorf("header %q names an ASN", a.Header)
	}
	res := get(t, s, partner, "/mirrorlist?path=pub/fedora/os")
	lines := urlsOf(t, string(res.Body()))
	if len(lines) < 2 || lines[0] != "https://us1.example.org/f/os/" || lines[1] != "https://jp1.example.org/f/os/" {
		t.Errorf("AS 64500 gets %q, want its own host and then its peer first", lines)
	}
	wantHeader(t, askList(t, s, partner, "/mirrorlist?path=pub/fedora/os"), "# path = pub/fedora/os Using ASN 64500 country = US country = global ")
}

// redirect=0 is no redirect.
func TestQuirkRedirectValueIgnored(t *testing.T) {
	s := newListFixture()
	for value, want := range map[string]int{"": 302, "=": 302, "=1": 302, "=true": 302, "=0": 200} {
		if got := get(t, s, german, "/mirrorlist?path=pub/fedora/os&redirect"+value).StatusCode(); got != want {
			t.Errorf("redirect%s: status %d, want %d", value, got, want)
		}
	}
}

// A country that only the cache places on a continent is there too.
func TestQuirkContinentRedirectNotInCSV(t *testing.T) {
	a := askList(t, newListFixture(), "233.252.9.1", "/mirrorlist?path=pub/fedora/os")
	wantHeader(t, a, "# path = pub/fedora/os country = AT country = DE country = FR country = IE country = PL country = SE country = global ")
}

// A v4-mapped client is the v4 client.
func TestQuirkV4Mapped(t *testing.T) {
	s := newListFixture()
	want := askList(t, s, german, "/mirrorlist?path=pub/fedora/os&ip="+campus)
	got := askList(t, s, german, "/mirrorlist?path=pub/fedora/os&ip=::ffff:"+campus)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("v4-mapped (-v4 +mapped):\n%s", diff)
	}
	if !strings.Contains(got.Header, "Using preferred netblock") || !slices.Contains(got.URLs, "https://priv1.example.org/f/os/") {
		t.Errorf("%q %q, want the hosts of the client's netblocks", got.Header, got.URLs)
	}
}

// Characters that a URL must not have are answered like others.
func TestQuirkInvalidURIChar(t *testing.T) {
	a := askList(t, newListFixture(), german, "/mirrorlist?path=pub/fedora/os/a<b\">\xfc.iso&country=FR")
	wantURLs(t, a, "http://fr1.example.org/os/a%3Cb%22%3E%FC.iso")
}

// Hosts without a bandwidth are listed in random order.
func TestQuirkZeroWeights(t *testing.T) {
	s := newListFixture()
	first := map[string]int{}
	for range 200 {
		res := get(t, s, german, "/mirrorlist?path=pub/fedora/zero")
		first[urlsOf(t, string(res.Body()))[0]]++
	}
	if len(first) != 2 {
		t.Errorf("first places: %v, want both hosts", first)
	}
}

// What a client sends stays on its line, and a path stays in its tree.
func TestQuirkInjection(t *testing.T) {
	s := newListFixture()
	a := askList(t, s, german, "/mirrorlist?path=pub/fedora/os/a%0ahttp:evil%0d&country=FR&protocol=http%0aevil,http")
	wantHeader(t, a, "# path = pub/fedora/os/a?http:evil? country = FR protocol = http?evil,http")
	wantURLs(t, a, "http://fr1.example.org/os/a%0Ahttp:evil%0D")
	res := get(t, s, german, "/mirrorlist?path=pub/fedora/os/a%0d%0aSet-Cookie:%20x&country=FR&redirect")
	if got := peek(res, "Location"); got != "http://fr1.example.org/os/a%0D%0ASet-Cookie:%20x" {
		t.Errorf("Location %q", got)
	}
	for path, want := range map[string]int{"pub/fedora/..": 404, "pub/fedora/os/..": 200} {
		if got := get(t, s, german, "/mirrorlist?path="+path).StatusCode(); got != want {
			t.Errorf("%s: status %d, want %d", path, got, want)
		}
	}
}
