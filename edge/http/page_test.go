package http

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/index"
)

func TestPageJSON(t *testing.T) {
	s := newFixture(down("fr1", index.HTTP)...)
	res := get(t, s, german, "/pub/os/f.iso?mirrorlist", "Accept", "application/json")
	var got mirrorPage
	if err := json.Unmarshal(res.Body(), &got); err != nil {
		t.Fatal(err)
	}
	want := mirrorPage{
		Path:   "/pub/os/f.iso",
		Client: pageClient{Address: german, Country: "DE", Prefix: got.Client.Prefix},
		File: &pageFile{
			Name: "f.iso", Size: 10485760, MTime: "2025-12-24T18:00:00Z",
			Hashes: []pageHash{{"md5", strings.Repeat("cd", 16)}, {"sha256", sum256}},
		},
		Mirrors: []pageMirror{
			{Rank: 1, Name: "de1", Country: "DE", Band: "country", URLs: []string{"https://de1.example.org/os/f.iso", "http://de1.example.org/os/f.iso"}},
			{Rank: 2, Name: "us1", Country: "US", Band: "everywhere", URLs: []string{"https://us1.example.org/os/f.iso"}},
		},
		Origin: "https://origin.example.org/pub/os/f.iso",
		Rejected: []pageRejected{
			{"fr1", "is down, as probes found"},
			{"jp1", "has no address of the client's family"},
			{"choosy", "does not serve the client's country"},
		},
		Snapshot: pageSnapshot{Version: 42, Created: "2026-01-02T03:04:05Z", Seconds: 3600},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b pageClient) bool {
		return a.Prefix == b.Prefix && a.Address == b.Address && a.Country == b.Country
	})); diff != "" {
		t.Error(diff)
	}
	if got.Client.Prefix.Bits() != 24 {
		t.Errorf("prefix %s", got.Client.Prefix)
	}
	if got, want := string(res.Header.ContentType()), "application/json"; got != want || peek(res, "Vary") != "Accept" {
		t.Errorf("Content-Type %s, Vary %s", got, peek(res, "Vary"))
	}
}

func TestPageHTML(t *testing.T) {
	s := newFixture()
	path := "/pub/os/" + string(appendEscaped(nil, []byte(odd)))
	res := get(t, s, german, path+"?mirrorlist")
	body := string(res.Body())
	if res.StatusCode() != 200 || string(res.Header.ContentType()) != "text/html; charset=utf-8" {
		t.Fatal(res)
	}
	for _, want := range []string{german, "DE", "192.0.2.0/24", sum256, "de1", `href="https://de1.example.org/os/a%20b%23c%3Fd%25e%2Bf&amp;%3Cg%3E%22h`, "does not serve the client&#39;s country", "data version 42", "1h0m0s old"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, bad := range []string{"<g>", "\"h'", "<script", "choosy.example.org", "http://", "ZgotmplZ"} {
		if strings.Contains(strings.ReplaceAll(body, "http://de1.", ""), bad) && bad != "http://" {
			t.Errorf("the page has %q", bad)
		}
	}
	if peek(res, "Content-Security-Policy") == "" || peek(res, "X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers that guard people are missing: %s", &res.Header)
	}
}

func TestStart(t *testing.T) {
	s := newFixture()
	for _, uri := range []string{"/", "http://h.example.org", "/?x", "/./"} {
		res := get(t, s, german, uri)
		if res.StatusCode() != 200 || !strings.Contains(string(res.Body()), `href="/pub/os/"`) {
			t.Errorf("%s: %s", uri, res)
		}
	}
	root := fixtureSnapshot()
	root.Categories[2].Path, root.Directories = "", append(root.Directories[:0:0], root.Directories...)
	root.Directories[dirLone].Path = ""
	s.config.Engine = fixtureEngine(root)
	if res := get(t, s, insider, "/"); peek(res, "Location") != "http://secret.example.org/lone/" {
		t.Errorf("/ with a root category: %s", res)
	}
	if res := get(t, s, insider, "/x"); peek(res, "Location") != "http://secret.example.org/lone/x" {
		t.Errorf("/x with a root category: %s", res)
	}
}

func TestPageOfNobody(t *testing.T) {
	res := get(t, newFixture(), german, "/lone/l.iso?mirrorlist&json")
	var got mirrorPage
	if err := json.Unmarshal(res.Body(), &got); err != nil || len(got.Mirrors) != 0 || res.StatusCode() != 200 {
		t.Errorf("%v: %s", err, res)
	}
	if strings.Contains(string(res.Body()), "null") {
		t.Errorf("lists that are empty are null: %s", res.Body())
	}
}

// Whoever asks for pages without end holds up other pages, and no redirects.
func TestPagesWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture()
		for range cap(s.pages.slots) {
			s.pages.slots <- struct{}{}
		}
		page := make(chan int, 1)
		go func() { page <- get(t, s, german, "/pub/os/?mirrorlist").StatusCode() }()
		synctest.Wait()
		if len(page) > 0 {
			t.Error("a page did not wait")
		}
		if res := get(t, s, german, "/pub/os/f.iso"); res.StatusCode() != 302 {
			t.Errorf("redirect: %d", res.StatusCode())
		}
		<-s.pages.slots
		if status := <-page; status != 200 {
			t.Errorf("page: %d", status)
		}
	})
}
