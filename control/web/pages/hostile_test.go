package pages_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
)

// TestHostileText shows that what others have typed, or what an older version
// let in, is nothing but text on every page. wellFormed looks for what runs.
func TestHostileText(t *testing.T) {
	const bad = `"><script>alert(1)</script><img src=x onerror=alert(1)>'{{.}}`
	on := registry.Activity{AdminActive: true, UserActive: true, Reason: bad}
	p := run(t,
		&registry.Site{Name: bad, URL: "https://bad.example.org/?" + "%22onload=x", Admins: []string{"alice"}, State: registry.Approved, Activity: on},
		&registry.Product{Name: "P" + bad, Public: true, Versions: []registry.Version{{Name: bad, Codename: bad}}},
		&registry.Category{Name: "C" + bad, Path: "pub/bad", Product: "P" + bad},
		&registry.Repository{Name: "R" + bad, Arch: strings.ReplaceAll(bad, "+", ""), Path: "pub/bad/r", Category: "C" + bad, Version: bad},
		&registry.Host{
			Site: bad, Name: "H" + strings.ReplaceAll(bad, "/", ""), Country: "DE", Comment: bad, State: registry.Approved, Activity: on,
			Carries: []registry.Carry{{Category: "C" + bad, URLs: []registry.URL{{URL: "https://bad.example.org/'onclick=alert(1)"}}}},
		},
		&registry.Host{
			Site: bad, Name: "waits" + strings.ReplaceAll(bad, "/", ""), Comment: bad, State: registry.Pending, Activity: on,
		},
	)
	err := p.store.Enqueue(t.Context(), store.Task{Kind: "crawl", Key: bad, Payload: bad, At: start.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	root, alice := p.as("root"), p.as("alice")
	mirrors := root.get("/mirrors").want(t, 200, "&lt;script&gt;").body
	for _, path := range []string{
		"/", "/mirrors?country=" + "%22%3E%3Cscript%3E", "/list/site", "/list/host", "/list/category", "/list/product", "/list/repository",
		"/applications", "/audit", "/jobs?kind=" + "%22%3E%3Cscript%3E", "/account", "/login?next=/%22%3E%3Cscript%3E", "/my?done=%3Cscript%3E",
	} {
		root.get(path).lacks(t, "<script", "onerror=alert(1)>", `<img`)
	}
	alice.get("/my").want(t, 200, "&lt;script&gt;").lacks(t, "<script")
	for _, path := range links(mirrors) { // pages of things with such names can be reached
		if strings.HasPrefix(path, "/mirror/") {
			root.get(path).want(t, 200).lacks(t, "<script")
		}
	}
	for _, path := range append(links(alice.get("/my").body), links(root.get("/applications").body)...) {
		if !strings.HasPrefix(path, "http") && path != "#main" {
			root.get(path).want(t, 200).lacks(t, "<script")
		}
	}
	alice.post("/login", "name", bad, "password", bad).want(t, 401).lacks(t, "<script")
}

// links returns what a page links to.
func links(body string) (out []string) {
	for part := range strings.SplitSeq(body, ` href="`) {
		if to, _, ok := strings.Cut(part, `"`); ok && !strings.HasPrefix(part, "<!DOCTYPE") {
			out = append(out, strings.NewReplacer("&amp;", "&", "&#43;", "+", "&#39;", "'").Replace(to))
		}
	}
	return out
}

// TestBadRequests shows that nothing that is sent is more than an error.
func TestBadRequests(t *testing.T) {
	p := run(t)
	b := p.as("alice")
	for _, tt := range []struct{ path, name, value string }{
		{"/edit/host/uni-x/de1", "revision", "\x00"},
		{"/edit/host/uni-x/de1", "revision", `1", "2`},
		{"/edit/host/uni-x/de1", "revision", "-1"},
		{"/new/host", "name", "a/b"},
		{"/new/host", "name", "../../x"},
		{"/new/host", "name", ""},
		{"/new/site", "name", "."},
		{"/new/site", "name", ".."},
		{"/new/site", "name", "x\x00y"},
		{"/new/site", "name", "\xff\xfe"},
		{"/new/site", "name", "a//b"},
		{"/new/site", "name", "?x=1#y"},
		{"/login", "name", strings.Repeat("x", 10000)},
		{"/account/token", "name", strings.Repeat("x", 3<<20)},
		{"/decide/host/uni-x%2Fde1", "state", "approved"},
		{"/edit/host/%2e%2e/%2e%2e/v1/token/x", "revision", "1"},
		{"/delete/token/..%2f..%2fhost%2funi-x%2fde1", "x", "y"},
	} {
		if got := b.post(tt.path, tt.name, tt.value, "admins", "alice", "site", "uni-x"); got.status >= 500 || got.status < 300 {
			t.Errorf("%s with %s=%.40q: %d: %s", tt.path, tt.name, tt.value, got.status, text(got.body))
		}
	}
	for _, path := range []string{"/mirror/%00", "/mirror/..", "/mirror/%ff", "/host/%2e%2e", "/mirrors?%zz", "/list/host?state=%00", "/log/host/", "/edit//x"} {
		if got := b.get(path); got.status >= 500 {
			t.Errorf("%s: %d: %s", path, got.status, text(got.body))
		}
	}
	b.get("/host/uni-x/de1").want(t, 200)
}
