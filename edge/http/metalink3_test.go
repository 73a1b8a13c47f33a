package http

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/valyala/fasthttp"
)

// TestMetalink has a whole document, to the blank.
func TestMetalink(t *testing.T) {
	ab := func(n int) string { return strings.Repeat("ab", n) }
	want := metalinkHead + ` <files>
  <file name="repomd.xml">
   <mm0:timestamp>1766599200</mm0:timestamp>
   <size>4711</size>
   <verification>
    <hash type="md5">` + ab(16) + `</hash>
    <hash type="sha1">` + ab(20) + `</hash>
    <hash type="sha256">` + ab(32) + `</hash>
    <hash type="sha512">` + ab(64) + `</hash>
   </verification>
   <mm0:alternates>
    <mm0:alternate>
      <verification>
       <hash type="sha256">` + strings.Repeat("cd", 32) + `</hash>
      </verification>
    </mm0:alternate>
   </mm0:alternates>
   <resources maxconnections="1">
    <url protocol="https" type="https" location="DE" preference="100" mm0:private="True">https://priv1.example.org/f/os/repodata/repomd.xml</url>
    <url protocol="https" type="https" location="PL" preference="99">https://net1.example.org/f/os/repodata/repomd.xml</url>
    <url protocol="http" type="http" location="DE" preference="98">http://de1.example.org/fedora/os/repodata/repomd.xml</url>
    <url protocol="https" type="https" location="DE" preference="98">https://de1.example.org/fedora/os/repodata/repomd.xml</url>
    <url protocol="rsync" type="rsync" location="DE" preference="98">rsync://de1.example.org/fedora/os/repodata/repomd.xml</url>
`
	s := newListFixture()
	for _, query := range []string{
		"path=pub/fedora/os/repodata/repomd.xml", "repo=fedora-43&arch=x86_64", "repo=core-43&arch=x86_64", "repo=direct&arch=x86_64",
		"repo=fedora-43&arch=x86_64&redirect&time",
	} {
		res := get(t, s, campus, "/metalink?"+query)
		got := string(res.Body())
		if diff := cmp.Diff(want, got[:min(len(want), len(got))]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
		if !strings.HasSuffix(got, "</url>\n   </resources>\n  </file>\n </files>\n</metalink>\n") || string(res.Header.ContentType()) != typeMetalink {
			t.Errorf("%s: type %s, and ends with %q", query, res.Header.ContentType(), got[max(0, len(got)-100):])
		}
		if head := ask(t, s, campus, fasthttp.MethodHead, "/metalink?"+query); head.StatusCode() != fasthttp.StatusOK {
			t.Errorf("%s: HEAD has status %d", query, head.StatusCode())
		}
	}
}

func TestMetalinkResources(t *testing.T) {
	s := newListFixture()
	doc := string(get(t, s, german, "/metalink?path=pub/fedora/os/it's.iso&country=SE").Body())
	for _, want := range []string{
		`  <file name="it's.iso">`,
		`    <url protocol="rsync" type="rsync" location="SE" preference="100">rsync://se1.example.org/f/os/it's.iso</url>`,
		`    <url protocol="gopher" type="gopher" location="SE" preference="100">gopher://se1.example.org/f/os/it's.iso</url>`,
	} {
		if !strings.Contains(doc, want+"\n") {
			t.Errorf("no %s in\n%s", want, doc)
		}
	}
	doc = string(get(t, s, german, "/metalink?path=pub/fedora/os/bare.iso&country=DE&protocol=https").Body())
	want := metalinkHead + ` <files>
  <file name="bare.iso">
   <resources maxconnections="1">
    <url protocol="https" type="https" location="DE" preference="100">https://de1.example.org/fedora/os/bare.iso</url>
   </resources>
  </file>
 </files>
</metalink>
`
	if diff := cmp.Diff(want, doc); diff != "" {
		t.Errorf("file of which nothing is known (-want +got):\n%s", diff)
	}
}

func TestMetalinkMissing(t *testing.T) {
	s := newListFixture()
	for query, name := range map[string]string{
		"path=pub/fedora/os":         "pub/fedora/os/",
		"path=pub/fedora/os/any.iso": "pub/fedora/os/any.iso",
		"path=pub/fedora/os/..":      "pub/fedora/os/..",
	} {
		res := get(t, s, german, "/metalink?"+query)
		want := metalinkHead + "<!-- " + name + " not found or has not metalink\n-->\n</metalink>\n"
		if diff := cmp.Diff(want, string(res.Body())); diff != "" || res.StatusCode() != fasthttp.StatusNotFound {
			t.Errorf("%s: %d (-want +got):\n%s", query, res.StatusCode(), diff)
		}
	}
}

// FuzzList asks for lists of any kind: text keeps its lines, metalinks are
// well-formed, and nobody is sent to a mirror that does not serve him.
func FuzzList(f *testing.F) {
	for _, query := range []string{
		"path=pub/fedora/os&country=DE,us", "repo=--&arch=-->", "path=pub/fedora/os/%0a%ff%00&protocol=%0a,https&redirect",
		"path=pub/fedora/os/../..&netblock", "repo=fedora-43&arch=x86_64&time&avoid_country=DE", "path=%zz&country=%2c&ip=::1",
	} {
		f.Add(query, "192.0.2.1, 2001:db8::1")
	}
	s := newListFixture()
	f.Fuzz(func(t *testing.T, query, forwarded string) {
		doc := get(t, s, german, "/metalink?"+query, "X-Forwarded-For", forwarded).Body()
		if err := wellFormed(doc); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		res := get(t, s, german, "/mirrorlist?"+query, "X-Forwarded-For", forwarded)
		checkText(t, res)
		if all := string(doc) + string(res.Body()); strings.Contains(all, "at1.example") && !strings.Contains(query+forwarded, "192.0.3.") && !strings.Contains(query, "%") {
			t.Fatalf("a mirror for Austrians only in\n%s", all)
		}
	})
}

func checkText(t *testing.T, res *fasthttp.Response) {
	t.Helper()
	if strings.ContainsAny(peek(res, "Location"), "\r\n ") {
		t.Fatalf("Location %q", peek(res, "Location"))
	}
	if res.StatusCode() != fasthttp.StatusOK || string(res.Header.ContentType()) != typeText {
		return
	}
	for i, line := range strings.Split(strings.TrimSuffix(string(res.Body()), "\n"), "\n") {
		known := strings.HasPrefix(line, "https://") || strings.HasPrefix(line, "http://") || strings.HasPrefix(line, "rsync://") || strings.HasPrefix(line, "gopher://")
		if i == 0 && strings.HasPrefix(line, "# ") || i == 1 && strings.HasPrefix(line, "# database") || i > 0 && known {
			continue
		}
		t.Fatalf("line %d is neither a header nor a URL: %q in\n%s", i, line, res.Body())
	}
}

func TestAppendComment(t *testing.T) {
	for in, want := range map[string]string{
		"":          "",
		"a-b":       "a-b",
		"a--b":      "a- -b",
		"---->":     "- - - ->",
		"a\x00\xff": "a\ufffd\ufffd",
		"ü\n":       "ü\n",
	} {
		got := string(appendComment([]byte("<!-- "), []byte(in)))
		if got != "<!-- "+want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		if err := xml.Unmarshal(fmt.Appendf(nil, "<a>%s\n--></a>", got), new(struct{})); err != nil {
			t.Errorf("%q: %v", got, err)
		}
	}
}
