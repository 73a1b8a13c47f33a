package http

import (
	"encoding/xml"
	"fmt"
	"mime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMetalink4(t *testing.T) {
	s := newFixture()
	res := get(t, s, german, "/pub/os/f.iso.meta4?avoid_country=FR")
	want := `<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
  <generator>Waypost</generator>
  <published>2026-01-02T03:04:05Z</published>
  <updated>2026-01-02T04:04:05Z</updated>
  <file name="f.iso">
    <size>10485760</size>
    <hash type="sha-256">` + sum256 + `</hash>
    <hash type="md5">` + strings.Repeat("cd", 16) + `</hash>
    <url location="de" priority="1">https://de1.example.org/os/f.iso</url>
    <url location="us" priority="2">https://us1.example.org/os/f.iso</url>
    <url priority="3">https://origin.example.org/pub/os/f.iso</url>
  </file>
</metalink>
`
	if diff := cmp.Diff(want, string(res.Body())); diff != "" {
		t.Error(diff)
	}
	if got := string(res.Header.ContentType()); got != "application/metalink4+xml" {
		t.Errorf("Content-Type: %s", got)
	}
	if got := peek(res, "Cache-Control"); got != private {
		t.Errorf("Cache-Control: %s", got)
	}
}

func TestMetalink3OfAFile(t *testing.T) {
	res := get(t, newFixture(), german, "/pub/os/f.iso.metalink?avoid_country=FR")
	want := fmt.Sprintf(`<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" type="dynamic" pubdate="Fri, 02 Jan 2026 04:04:05 GMT" generator="mirrormanager" xmlns:mm0="http://fedorahosted.org/mirrormanager">
 <files>
  <file name="f.iso">
   <mm0:timestamp>%d</mm0:timestamp>
   <size>10485760</size>
   <verification>
    <hash type="md5">%s</hash>
    <hash type="sha256">%s</hash>
   </verification>
   <resources maxconnections="1">
    <url protocol="https" type="https" location="DE" preference="100">https://de1.example.org/os/f.iso</url>
    <url protocol="https" type="https" location="US" preference="99">https://us1.example.org/os/f.iso</url>
    <url protocol="https" type="https" location="" preference="98">https://origin.example.org/pub/os/f.iso</url>
   </resources>
  </file>
 </files>
</metalink>
`, changed.Unix(), strings.Repeat("cd", 16), sum256)
	if diff := cmp.Diff(want, string(res.Body())); diff != "" {
		t.Error(diff)
	}
	if got := string(res.Header.ContentType()); got != "application/metalink+xml" {
		t.Errorf("Content-Type: %s", got)
	}
}

// TestMetalinkOfOddName reads both metalinks of a name that needs escaping
// back with encoding/xml.
func TestMetalinkOfOddName(t *testing.T) {
	s := newFixture()
	path := "/pub/os/" + string(appendEscaped(nil, []byte(odd)))
	name := strings.ReplaceAll(odd, "\x01", "\ufffd") // no XML says \x01
	for _, suffix := range []string{".meta4", ".metalink"} {
		var doc struct {
			File struct {
				Name string   `xml:"name,attr"`
				URL  []string `xml:"url"`
			} `xml:"file"`
			Old struct {
				Name string   `xml:"name,attr"`
				URL  []string `xml:"resources>url"`
			} `xml:"files>file"`
		}
		body := get(t, s, german, path+suffix).Body()
		if err := xml.Unmarshal(body, &doc); err != nil {
			t.Fatalf("%s: %v:\n%s", suffix, err, body)
		}
		urls := append(doc.File.URL, doc.Old.URL...)
		if doc.File.Name+doc.Old.Name != name || urls[0] != "https://de1.example.org/os/"+strings.TrimPrefix(path, "/pub/os/") {
			t.Errorf("%s: name %q, URL %q", suffix, doc.File.Name+doc.Old.Name, urls[0])
		}
	}
}

func TestNegotiation(t *testing.T) {
	s := newFixture()
	const zypper = "*/*, application/metalink+xml, application/metalink4+xml"
	tests := []struct {
		uri, accept string
		want        string // Content-Type
		vary        string
	}{
		{"/pub/os/f.iso", zypper, typeMetalink4, "Accept"},
		{"/pub/os/f.iso", "application/metalink+xml", typeMetalink3, "Accept"},
		{"/pub/os/f.iso", "*/*", "", "Accept"},
		{"/pub/os/bare.iso", zypper, "", ""},
		{"/pub/os/unknown.iso", zypper, "", ""},
		{"/pub/os/", zypper, "", ""},
		{"/pub/os/f.iso.meta4", "*/*", typeMetalink4, ""},
	}
	for _, test := range tests {
		for _, method := range []string{"GET", "HEAD"} {
			res := ask(t, s, german, method, test.uri, "Accept", test.accept)
			got := ""
			if res.StatusCode() == 200 {
				got = string(res.Header.ContentType())
			}
			if named := peek(res, "Content-Disposition") != ""; named != (test.want != "" && test.vary != "") {
				t.Errorf("%s: Content-Disposition: %s", test.uri, peek(res, "Content-Disposition"))
			}
			if got != test.want || peek(res, "Vary") != test.vary {
				t.Errorf("%s %s with %q: %d %q, Vary %q", method, test.uri, test.accept, res.StatusCode(), got, peek(res, "Vary"))
			}
		}
	}
}

func TestSaveAs(t *testing.T) {
	s := newFixture()
	path := "/pub/os/" + string(appendEscaped(nil, []byte(odd)))
	res := get(t, s, german, path, "Accept", typeMetalink4)
	_, params, err := mime.ParseMediaType(peek(res, "Content-Disposition"))
	if err != nil || params["filename"] != odd+".meta4" {
		t.Errorf("Content-Disposition: %s: %q, %v", peek(res, "Content-Disposition"), params, err)
	}
}

func TestSidecars(t *testing.T) {
	s := newFixture()
	tests := []struct {
		uri, body string
	}{
		{"/pub/os/f.iso.sha256", sum256 + "  f.iso\n"},
		{"/pub/os/f.iso.md5", strings.Repeat("cd", 16) + "  f.iso\n"},
		{"/pub/os/f.iso.sha1", ""},
		{"/pub/os/f.iso.sha256/", ""},
		{"/pub/os/bare.iso.md5", ""},
		{"/pub/os/real.iso.sha256", ""},
		{"/pub/os/.sha256", ""},
	}
	for _, test := range tests {
		res := get(t, s, german, test.uri)
		want := 200
		if test.body == "" {
			want = 302
		}
		if res.StatusCode() != want || string(res.Body()) != test.body {
			t.Errorf("%s: %s", test.uri, res)
		}
	}
	if res := get(t, s, german, "/pub/os/complete/g.iso.sha256"); res.StatusCode() != 404 {
		t.Errorf("below a complete directory: %s", res)
	}
	if res := get(t, s, german, "/pub/os/complete/g.iso.meta4"); res.StatusCode() != 200 {
		t.Errorf("below a complete directory: %s", res)
	}
}
