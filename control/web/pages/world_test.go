package pages_test

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
	"github.com/waypost/waypost/control/web/pages"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A plane is a control plane's pages on loopback with a small registry: root is
// an operator, alice runs uni-x, bob runs other, carol nothing.
type plane struct {
	t     testing.TB
	store *store.Store
	url   string
	clock *atomic.Int64 // Unix seconds
	calls *atomic.Int64 // of the API, by pages

	applications *[]string
}

// hash is [registry.HashPassword] with one round, which is fast.
func hash(password string) string {
	salt := make([]byte, 16)
	sum, err := pbkdf2.Key(sha256.New, password, salt, 1, sha256.Size)
	if err != nil {
		panic(err)
	}
	text := base64.RawStdEncoding
	return fmt.Sprintf("pbkdf2-sha256$1$%s$%s", text.EncodeToString(salt), text.EncodeToString(sum))
}

// world is a registry. Passwords are called as the user is.
func world() []registry.Object {
	on := registry.Activity{AdminActive: true, UserActive: true}
	url := func(s string) []registry.URL { return []registry.URL{{URL: s}} }
	return []registry.Object{
		&registry.User{Name: "root", Admin: true, PasswordHash: hash("root")},
		&registry.User{Name: "alice", PasswordHash: hash("alice")}, &registry.User{Name: "bob", PasswordHash: hash("bob")},
		&registry.User{Name: "carol", PasswordHash: hash("carol")},
		&registry.User{Name: "gone", PasswordHash: hash("gone"), Disabled: true}, &registry.User{Name: "program"},
		&registry.Site{Name: "uni-x", URL: "https://uni-x.example.org/", Admins: []string{"alice"}, State: registry.Approved, Activity: on},
		&registry.Site{Name: "other", Admins: []string{"bob"}, State: registry.Approved, Activity: on},
		&registry.Product{Name: "OS", Public: true, Versions: []registry.Version{{Name: "43"}, {Name: "44", Codename: "Hushhush"}}},
		&registry.Category{Name: "os", Path: "pub/os", Product: "OS"},
		&registry.Category{Name: "staff", Path: "pub/staff", AdminOnly: true},
		&registry.Category{Name: "hushhush", Path: "pub/hushhush"},
		&registry.Repository{Name: "os-43", Arch: "x86_64", Path: "pub/os/43/x86_64", Category: "os", Version: "43"},
		&registry.Repository{Name: "os-43", Arch: "aarch64", Path: "pub/os/43/aarch64", Category: "os", Version: "43"},
		&registry.Repository{Name: "hushhush-44", Arch: "x86_64", Path: "pub/os/44/x86_64", Category: "os", Version: "44"},
		&registry.Release{Name: "hushhush release", Paths: []string{"pub/os/44", "pub/hushhush"}, LiftAt: start.Add(24 * time.Hour)},
		&registry.Host{
			Site: "uni-x", Name: "de1", Country: "DE", Bandwidth: 1000, State: registry.Approved, Activity: on,
			Netblocks: []string{"192.0.2.0/24", "2001:db8::/48"}, PullSecret: "",
			Carries: []registry.Carry{
				{Category: "os", URLs: []registry.URL{
					{URL: "rsync://de1.example.org/os"},
					{URL: "https://de1.example.org/os"},
					{URL: "rsync://hidden.de1.example.org/os", Private: true},
				}},
				{Category: "staff", URLs: url("https://de1.example.org/secret-staff")},
				{Category: "hushhush", URLs: url("https://de1.example.org/hushhush")},
			},
		},
		&registry.Host{
			Site: "uni-x", Name: "invisible-private", Country: "DE", Private: true, State: registry.Approved, Activity: on,
			Carries: []registry.Carry{{Category: "os", URLs: url("https://invisible-private.example.org/os")}},
		},
		&registry.Host{
			Site: "uni-x", Name: "invisible-pending", Country: "DE", State: registry.Pending, Activity: on,
			Carries: []registry.Carry{{Category: "os", URLs: url("https://invisible-pending.example.org/os")}},
		},
		&registry.Host{
			Site: "other", Name: "invisible-off", Country: "FR", State: registry.Approved, Activity: registry.Activity{AdminActive: true},
			Carries: []registry.Carry{{Category: "os", URLs: url("https://invisible-off.example.org/os")}},
		},
		&registry.Host{
			Site: "other", Name: "fr1", Country: "FR", State: registry.Approved, Activity: on,
			Carries: []registry.Carry{{Category: "os", URLs: url("http://fr1.example.org/os"), AlwaysUpToDate: true}},
		},
		&registry.Token{Name: "de1 report", Hash: registry.HashToken("x"), Host: "uni-x/de1", Scopes: []registry.Scope{registry.ScopeCheckin}},
	}
}

// counting counts calls.
type counting struct {
	pages.API

	calls *atomic.Int64
}

func (c counting) Do(ctx context.Context, user, method string, where *url.URL, header http.Header, body []byte) web.Reply {
	c.calls.Add(1)
	return c.API.Do(ctx, user, method, where, header, body)
}

func (c counting) Read(ctx context.Context, where *url.URL) web.Reply {
	c.calls.Add(1)
	return c.API.Read(ctx, where)
}

func run(tb testing.TB, objects ...registry.Object) *plane {
	tb.Helper()
	p := &plane{t: tb, clock: &atomic.Int64{}, calls: &atomic.Int64{}, applications: &[]string{}}
	p.clock.Store(start.Unix())
	now := func() time.Time { return time.Unix(p.clock.Load(), 0).UTC() }
	var err error
	p.store, err = store.Open(tb.Context(), store.Config{Database: "sqlite:" + filepath.Join(tb.TempDir(), "control.db"), Now: now})
	if err != nil {
		tb.Fatal(err)
	}
	var changes []store.Change
	for _, o := range append(world(), objects...) {
		changes = append(changes, store.Put(o, store.New))
	}
	if _, err = p.store.Apply(tb.Context(), "test", changes...); err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewServer(web.New(web.Config{
		Store: p.store, Now: now,
		Applications: func(_ context.Context, o registry.Object, who string) {
			*p.applications = append(*p.applications, who+": "+registry.Name(o))
		},
		Pages: func(api web.Inside) http.Handler {
			return pages.New(pages.Config{API: counting{api, p.calls}, Store: p.store, Key: make([]byte, 32), Now: now, Title: "Test mirrors"})
		},
	}))
	tb.Cleanup(func() {
		server.Close()
		if err := p.store.Close(); err != nil {
			tb.Error(err)
		}
	})
	p.url = server.URL
	return p
}

// A browser keeps cookies and does not follow redirects.
type browser struct {
	*plane

	client *http.Client
	header http.Header
}

func (p *plane) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return &browser{p, &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, http.Header{}}
}

// as returns a browser in which somebody has signed in; "" is nobody.
func (p *plane) as(user string) *browser {
	b := p.browser()
	if user != "" {
		b.post("/login", "name", user, "password", user).want(p.t, 303)
	}
	return b
}

// A shown is an answer.
type shown struct {
	status int
	header http.Header
	body   string
}

func (b *browser) get(path string) shown {
	b.t.Helper()
	return b.do(http.MethodGet, path, nil)
}

// post sends a form of NAME, VALUE and so on.
func (b *browser) post(path string, form ...string) shown {
	b.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		values.Add(form[i], form[i+1])
	}
	return b.do(http.MethodPost, path, values)
}

func (b *browser) do(method, path string, form url.Values) shown {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	maps.Copy(r.Header, b.header)
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") && response.StatusCode/100 != 3 {
		wellFormed(b.t, method+" "+path, string(body))
	}
	return shown{response.StatusCode, response.Header, string(body)}
}

// want checks the status and what the page has.
func (s shown) want(tb testing.TB, status int, contains ...string) shown {
	tb.Helper()
	if s.status != status {
		tb.Fatalf("status %d, want %d: %s", s.status, status, text(s.body))
	}
	for _, part := range contains {
		if !strings.Contains(s.body, part) {
			tb.Errorf("the page lacks %q: %s", part, text(s.body))
		}
	}
	return s
}

// lacks checks what a page must not have.
func (s shown) lacks(tb testing.TB, parts ...string) shown {
	tb.Helper()
	for _, part := range parts {
		if strings.Contains(strings.ToLower(s.body), strings.ToLower(part)) {
			tb.Errorf("the page has %q: %s", part, text(s.body))
		}
	}
	return s
}

// to checks where a redirect leads.
func (s shown) to(tb testing.TB, where string) {
	tb.Helper()
	if s.status != http.StatusSeeOther || s.header.Get("Location") != where {
		tb.Errorf("%d to %q, want %q: %s", s.status, s.header.Get("Location"), where, text(s.body))
	}
}

// text returns what of a page stands below its first heading.
func text(body string) string {
	if i := strings.Index(body, "<h1>"); i >= 0 {
		body = body[i:]
	}
	return body[:min(len(body), 2000)]
}

// wellFormed checks that every tag is closed in its order, ids are unique, each
// entry has a label, and that there is nothing that runs.
func wellFormed(tb testing.TB, name, body string) {
	tb.Helper()
	if !strings.HasPrefix(body, "<!DOCTYPE html>") {
		tb.Errorf("%s: no doctype: %.80s", name, body)
	}
	var open []string
	ids, labels, entries := map[string]bool{}, map[string]bool{}, map[string]bool{}
	z := html.NewTokenizer(strings.NewReader(body))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				tb.Errorf("%s: not closed: %v", name, open)
			}
			for id := range entries {
				if !labels[id] {
					tb.Errorf("%s: the entry %s has no label", name, id)
				}
			}
			return
		case html.StartTagToken:
			tag := z.Token()
			at := map[string]string{}
			for _, a := range tag.Attr {
				if _, twice := at[a.Key]; twice || strings.HasPrefix(a.Key, "on") || a.Key == "style" {
					tb.Errorf("%s: attribute %s of %s", name, a.Key, tag)
				}
				at[a.Key] = a.Val
			}
			if id := at["id"]; id != "" {
				if ids[id] || strings.ContainsAny(id, " \t\n") {
					tb.Errorf("%s: the id %q is there twice, or has white space", name, id)
				}
				ids[id] = true
			}
			switch tag.Data {
			case "script", "iframe", "object", "img":
				tb.Errorf("%s: has a %s", name, tag.Data)
			case "label":
				labels[at["for"]] = true
			case "select", "textarea", "input":
				if kind := at["type"]; kind != "hidden" && (kind != "checkbox" || at["id"] != "") {
					entries[at["id"]] = true
				}
			}
			if !strings.Contains(" input meta link br ", " "+tag.Data+" ") {
				open = append(open, tag.Data)
			}
		case html.EndTagToken:
			tag := z.Token()
			if len(open) == 0 || open[len(open)-1] != tag.Data {
				tb.Errorf("%s: </%s> closes %v", name, tag.Data, open)
				return
			}
			open = open[:len(open)-1]
		}
	}
}

// listing says that a host holds directories of os.
func (p *plane) listing(host string, paths ...string) {
	p.t.Helper()
	numbers, err := p.store.Numbers(p.t.Context(), paths)
	if err != nil {
		p.t.Fatal(err)
	}
	l := &registry.Listing{Host: host, Category: "os", Seen: start.Add(-3 * time.Hour)}
	for _, n := range numbers {
		l.Holds.Add(n)
	}
	if err := p.store.PutListing(p.t.Context(), l); err != nil {
		p.t.Fatal(err)
	}
}

// raw asks for a page and does not look at it.
func (b *browser) raw(path string) int {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		b.t.Fatal(err)
	}
	return response.StatusCode
}
