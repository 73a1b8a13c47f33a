package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

// An api is a control plane's API on loopback, with a small registry:
// root is an administrator, alice runs uni-x, bob nothing yet.
type api struct {
	t     testing.TB
	store *store.Store
	url   string
}

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Tokens are called as the user is; the secret is the name.
func token(name, user, host, edge string, scopes ...registry.Scope) *registry.Token {
	return &registry.Token{Name: name, Hash: registry.HashToken(name), User: user, Host: host, Edge: edge, Scopes: scopes}
}

func world() []registry.Object {
	on := registry.Activity{AdminActive: true, UserActive: true}
	user := []registry.Scope{registry.ScopeRead, registry.ScopeWrite, registry.ScopeCrawl, registry.ScopePublish}
	expired := token("expired", "root", "", "", user...)
	expired.Expires = now
	return []registry.Object{
		&registry.User{Name: "root", Admin: true}, &registry.User{Name: "alice"}, &registry.User{Name: "bob"},
		&registry.User{Name: "gone", Admin: true, Disabled: true},
		&registry.Site{Name: "uni-x", Admins: []string{"alice"}, State: registry.Approved, Activity: on},
		&registry.Site{Name: "other", State: registry.Approved, Activity: on},
		&registry.Category{Name: "os", Path: "pub/os"}, &registry.Category{Name: "staff", Path: "pub/staff", AdminOnly: true},
		&registry.Host{
			Site: "uni-x", Name: "de1", Country: "DE", State: registry.Approved, Activity: on,
			Carries: []registry.Carry{{Category: "os", URLs: []registry.URL{{URL: "https://de1.example.org/os"}}}},
		},
		&registry.Host{Site: "other", Name: "fr1", Country: "FR", State: registry.Approved, Activity: on},
		token("root", "root", "", "", user...), token("alice", "alice", "", "", user...), token("bob", "bob", "", "", user...),
		token("gone", "gone", "", "", user...), token("reader", "root", "", "", registry.ScopeRead), expired,
		token("edge", "", "", "edge1", registry.ScopeEdge), token("host", "", "uni-x/de1", "", registry.ScopeCheckin),
	}
}

func start(tb testing.TB, objects []registry.Object, edit func(*web.Config)) api {
	tb.Helper()
	clock := func() time.Time { return now }
	s, err := store.Open(tb.Context(), store.Config{Database: "sqlite:" + filepath.Join(tb.TempDir(), "control.db"), Now: clock})
	if err != nil {
		tb.Fatal(err)
	}
	var changes []store.Change
	for _, o := range objects {
		changes = append(changes, store.Put(o, store.New))
	}
	if objects != nil {
		if _, err := s.Apply(tb.Context(), "test", changes...); err != nil {
			tb.Fatal(err)
		}
	}
	c := web.Config{Store: s, Now: clock, Poll: 10 * time.Millisecond}
	if edit != nil {
		edit(&c)
	}
	server := httptest.NewServer(web.New(c))
	tb.Cleanup(func() {
		server.Close()
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return api{tb, s, server.URL}
}

// An answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request; headers are NAME: VALUE.
func (a api) ask(token, method, path, body string, headers ...string) answer {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	b, err := io.ReadAll(response.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(b)}
}

// into decodes the answer.
func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
}

// want checks the status and what the body has.
func (a answer) want(t *testing.T, status int, contains ...string) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	for _, text := range contains {
		if !strings.Contains(a.body, text) {
			t.Errorf("body lacks %q: %s", text, a.body)
		}
	}
	return a
}

func TestObjects(t *testing.T) {
	published := 0
	a := start(t, world(), func(c *web.Config) { c.Publish = func() { published++ } })
	path := "/v1/host/uni-x/de2"
	a.ask("root", "GET", path, "").want(t, 404, `there is no host uni-x/de2`)

	doc := `{"site":"uni-x","name":"de2","country":"DE","state":"approved","admin_active":true,"user_active":true}`
	made := a.ask("root", "PUT", path, doc, "If-None-Match: *").want(t, 201, `"country":"DE"`)
	tag := made.header.Get("ETag")
	a.ask("root", "PUT", path, doc, "If-None-Match: *").want(t, 412, "exists already")
	a.ask("root", "GET", path, "", "If-None-Match: "+tag).want(t, 304)

	changed := a.ask("root", "PATCH", path, `{"bandwidth":1000,"country":null,"location":{"lat":1.5}}`, "If-Match: "+tag).
		want(t, 200, `"bandwidth":1000`, `"location":{"lat":1.5,"lon":0}`)
	if strings.Contains(changed.body, "country") || changed.header.Get("ETag") == tag {
		t.Errorf("after the patch: %s %s", changed.header.Get("ETag"), changed.body)
	}
	a.ask("root", "PUT", path, doc, "If-Match: "+tag).want(t, 412, "somebody else")
	a.ask("root", "DELETE", path, "", "If-Match: "+tag).want(t, 412)
	a.ask("root", "DELETE", path, "").want(t, 204)
	a.ask("root", "DELETE", path, "").want(t, 404)
	if published != 3 {
		t.Errorf("the publisher was told %d times, want 3", published)
	}

	var got struct{ Objects []struct{ Key string } }
	a.ask("root", "GET", "/v1/host?site=other", "").want(t, 200).into(t, &got)
	if len(got.Objects) != 1 || got.Objects[0].Key != "other/fr1" {
		t.Errorf("hosts of other: %+v", got)
	}
}

func TestProblems(t *testing.T) {
	a := start(t, world(), nil)
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		want                     []web.Problem
	}{
		{"unknown keys", "PUT", "/v1/category/os", `{"name":"os","Path":"pub/os","policy":{"ordre":"nearest"}}`, 422, []web.Problem{
			{Key: "Path", Text: "unknown key; known here are admin_only, name, origin, path, policy, product"},
			{Key: "policy.ordre", Text: "unknown key; known here are bands, minimum, order, scheme, sticky"},
		}},
		{"of the wrong kind", "PATCH", "/v1/host/uni-x/de1", `{"bandwidth":-1}`, 422, []web.Problem{
			{Key: "bandwidth", Text: "want a whole number from 0 to 4294967295, got -1"},
		}},
		{"of one object", "PATCH", "/v1/host/uni-x/de1", `{"country":"de","tier":-1}`, 422, []web.Problem{
			{Key: "country", Text: `want it spelled "DE", got "de"`},
			{Key: "tier", Text: "want 0 for a master, 1 for those that pull from it, and so on, got -1"},
		}},
		{"between objects", "PATCH", "/v1/host/uni-x/de1", `{"carries":[{"category":"oz"}]}`, 422, []web.Problem{
			{Key: "carries[0].category", Text: `no category has the name "oz"`},
		}},
		{"another number", "PATCH", "/v1/host/uni-x/de1", `{"number":77}`, 422, []web.Problem{
			{Key: "number", Text: "want 1 as before or none, got 77"},
		}},
		{"another key", "PUT", "/v1/category/os", `{"name":"oz","path":"pub/os","policy":{}}`, 422, []web.Problem{
			{Text: "want the document of os, got that of oz: names do not change"},
		}},
		{"a host without its site", "PATCH", "/v1/host/de1", `{"country":"DE"}`, 422, []web.Problem{
			{Text: `want a name such as uni-x/de1, SITE/NAME, got "de1"`},
		}},
		{"a repository without its architecture", "PATCH", "/v1/repository/old", `{"redirect_to":"os-43"}`, 422, []web.Problem{
			{Text: `want a name such as os-43+x86_64, or os-43+ for a redirect of all architectures, got "old"`},
		}},
		{"malformed", "PUT", "/v1/category/os", `{"name":`, 400, nil},
		{"two documents", "PUT", "/v1/category/os", `{} {}`, 400, nil},
		{"no object", "PUT", "/v1/category/os", `[]`, 400, nil},
		{"null", "PUT", "/v1/category/os", `null`, 400, nil},
		{"too large", "PUT", "/v1/category/os", `{"name":"` + strings.Repeat("x", 1<<20) + `"}`, 413, nil},
		{"a bad time", "PUT", "/v1/release/r", `{"name":"r","paths":["pub/os"],"lift_at":"soon"}`, 422, []web.Problem{
			{Key: "lift_at", Text: `want a time such as 2026-04-21T14:00:00Z, got "soon"`},
		}},
		{"a bad address", "PATCH", "/v1/host/uni-x/de1", `{"addresses":["192.0.2.1","300.1.1.1"]}`, 422, []web.Problem{
			{Key: "addresses[1]", Text: `want an address such as 192.0.2.7 or 2001:db8::7, got "300.1.1.1"`},
		}},
		{"an unknown parameter", "GET", "/v1/category?size=1", "", 400, nil},
		{"a parameter twice", "GET", "/v1/host?site=a&site=b", "", 400, nil},
		{"an unknown kind", "GET", "/v1/hots/x", "", 404, nil},
		{"an unknown method", "POST", "/v1/host", "", 405, nil},
		{"a token that is not there", "PATCH", "/v1/token/new", `{"user":"root"}`, 422, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := a.ask("root", tt.method, tt.path, tt.body).want(t, tt.status)
			var f web.Failure
			got.into(t, &f)
			if diff := cmp.Diff(tt.want, f.Problems); diff != "" || f.Error == "" {
				t.Errorf("problems (-want +got): %s in %s", diff, got.body)
			}
		})
	}
}

func TestSecretsStay(t *testing.T) {
	a := start(t, world(), func(c *web.Config) {
		c.Seal = func(secret, context string) (string, error) { return registry.SecretKey{1}.Seal(secret, context) }
	})
	a.ask("alice", "POST", "/v1/actions/password", `{"kind":"site","key":"uni-x","password":"correct horse"}`).want(t, 200)
	a.ask("alice", "POST", "/v1/actions/pull-secret", `{"host":"uni-x/de1","secret":"rsync-secret"}`).want(t, 200)
	a.ask("alice", "POST", "/v1/actions/password", `{"kind":"site","key":"uni-x","password":"short"}`).want(t, 422)
	for _, path := range []string{"/v1/site/uni-x", "/v1/host/uni-x/de1"} {
		shown := a.ask("alice", "GET", path, "").want(t, 200, "(secret)")
		a.ask("alice", "PUT", path, shown.body).want(t, 200)
		a.ask("alice", "PATCH", path, `{"reason":"moved"}`).want(t, 200)
	}
	site, err := a.store.Get(t.Context(), registry.KindSite, "uni-x")
	if err != nil || !registry.IsPassword(site.Object.(*registry.Site).PasswordHash, "correct horse") {
		t.Errorf("the password is lost: %+v, %v", site, err)
	}
	host, err := a.store.Get(t.Context(), registry.KindHost, "uni-x/de1")
	if secret, err1 := (registry.SecretKey{1}).Open(host.Object.(*registry.Host).PullSecret, "uni-x/de1"); err != nil || secret != "rsync-secret" {
		t.Errorf("the secret is %q, %v, %v", secret, err, err1)
	}
	for _, path := range []string{"/v1/site", "/v1/token", "/v1/user", "/v1/audit"} {
		body := a.ask("root", "GET", path, "").want(t, 200).body
		if strings.Contains(body, "pbkdf2") || strings.Contains(body, registry.HashToken("root")) {
			t.Errorf("%s shows a secret: %s", path, body)
		}
	}
}

func TestNothingToSee(t *testing.T) {
	a := start(t, world(), nil)
	keys := func(who, kind string) (keys []string) {
		var got struct{ Objects []struct{ Key string } }
		a.ask(who, "GET", "/v1/"+kind, "").want(t, 200).into(t, &got)
		for _, o := range got.Objects {
			keys = append(keys, o.Key)
		}
		return keys
	}
	for _, tt := range []struct {
		who, kind string
		want      []string
	}{
		{"root", "host", []string{"other/fr1", "uni-x/de1"}},
		{"alice", "host", []string{"uni-x/de1"}},
		{"alice", "site", []string{"uni-x"}},
		{"alice", "user", []string{"alice"}},
		{"alice", "token", []string{"alice", "host"}},
		{"alice", "category", []string{"os"}},
		{"bob", "host", nil},
		{"bob", "token", []string{"bob"}},
	} {
		if diff := cmp.Diff(tt.want, keys(tt.who, tt.kind)); diff != "" {
			t.Errorf("%s's %ss (-want +got): %s", tt.who, tt.kind, diff)
		}
	}
	a.ask("root", "PATCH", "/v1/release/r", `{"paths":["pub/os/44"],"lift_at":"2026-06-01T00:00:00Z"}`).want(t, 201)
	a.ask("alice", "GET", "/v1/release/r", "").want(t, 200)
	a.ask("bob", "GET", "/v1/release/r", "").want(t, 404)
	a.ask("bob", "PATCH", "/v1/site/bobs", `{}`).want(t, 201)
	a.ask("bob", "GET", "/v1/release/r", "").want(t, 404) // anybody may ask for a site
	a.ask("alice", "GET", "/v1/host/other/fr1", "").want(t, 404)
	a.ask("alice", "GET", "/v1/audit", "").want(t, 403)
	a.ask("alice", "GET", "/v1/audit?kind=host&key=other/fr1", "").want(t, 404)
	a.ask("alice", "GET", "/v1/audit?kind=host&key=uni-x/de1", "").want(t, 200, `"who":"test"`)
	a.ask("alice", "GET", "/v1/jobs", "").want(t, 403)
	a.ask("alice", "GET", "/v1/jobs?kind=crawl&key=other/fr1+os", "").want(t, 403)
	a.ask("alice", "GET", "/v1/jobs?kind=crawl&key=uni-x/de1+os", "").want(t, 200)
	var status web.Status
	a.ask("alice", "GET", "/v1/status", "").want(t, 200).into(t, &status)
	if len(status.Hosts) != 1 || status.Counts[registry.KindUser] != 1 {
		t.Errorf("alice's status: %+v", status)
	}
}

// TestJobsOfHost asks for the crawls of a host, also of a category with a blank
// in its name.
func TestJobsOfHost(t *testing.T) {
	a := start(t, append(world(), &registry.Category{Name: "OS Linux", Path: "pub/linux"}), nil)
	a.ask("root", "PATCH", "/v1/host/uni-x/de1", `{"carries":[{"category":"os"},{"category":"OS Linux"}]}`).want(t, 200)
	a.ask("alice", "POST", "/v1/actions/crawl", `{"host":"uni-x/de1"}`).want(t, 202)
	a.ask("root", "POST", "/v1/actions/scan", `{"category":"os"}`).want(t, 202)
	for _, tt := range []struct{ who, query, want string }{
		{"alice", "host=uni-x/de1", "[uni-x/de1 OS Linux uni-x/de1 os]"},
		{"alice", "host=uni-x/de1&state=failed", "[]"},
		{"alice", "kind=crawl&key=uni-x/de1+OS+Linux", "[uni-x/de1 OS Linux]"},
		{"root", "host=uni-x/de1", "[uni-x/de1 OS Linux uni-x/de1 os]"},
		{"root", "host=other/fr1", "[]"}, // it carries nothing
	} {
		var got web.Jobs
		a.ask(tt.who, "GET", "/v1/jobs?"+tt.query, "").want(t, 200).into(t, &got)
		keys := []string{}
		for _, j := range got.Jobs {
			keys = append(keys, j.Key)
		}
		slices.Sort(keys)
		if fmt.Sprint(keys) != tt.want {
			t.Errorf("%s?%s: got %v, want %s", tt.who, tt.query, keys, tt.want)
		}
	}
	a.ask("alice", "GET", "/v1/jobs?host=other/fr1", "").want(t, 404)
	a.ask("root", "GET", "/v1/jobs?host=other/fr9", "").want(t, 404)
	a.ask("root", "GET", "/v1/status", "").want(t, 200, `"jobs":{"done":0,"failed":0,"queued":3,"running":0}`)
	if answer := a.ask("alice", "GET", "/v1/status", "").want(t, 200); strings.Contains(answer.body, `"jobs"`) {
		t.Errorf("alice's status tells of jobs: %s", answer.body)
	}
}

func TestBootstrap(t *testing.T) {
	a := start(t, nil, nil)
	ctx := context.WithoutCancel(t.Context())
	secret, made, err := web.EnsureAdmin(ctx, a.store)
	if err != nil || !made {
		t.Fatalf("made %v, %v", made, err)
	}
	a.ask(secret, "PATCH", "/v1/site/uni-x", `{}`).want(t, 201, `"state":"approved"`)
	if _, made, err = web.EnsureAdmin(ctx, a.store); err != nil || made {
		t.Errorf("a second time: made %v, %v", made, err)
	}
	a.ask(secret, "DELETE", "/v1/token/admin", "").want(t, 204)
	again, made, err := web.EnsureAdmin(ctx, a.store)
	if err != nil || !made || again == secret {
		t.Fatalf("after the token is lost: made %v, %v", made, err)
	}
	a.ask(secret, "GET", "/v1/site", "").want(t, 401)
	a.ask(again, "GET", "/v1/site/uni-x", "").want(t, 200)
}

func TestOpen(t *testing.T) {
	a := start(t, world(), nil)
	a.ask("", "GET", "/healthz", "").want(t, 200, "ok")
	a.ask("", "GET", "/readyz", "").want(t, 200, "ready")
	a.ask("", "POST", "/v1/tokens", "{}", "Origin: https://evil.example.org", "Sec-Fetch-Site: cross-site").want(t, 403)
	if got := a.ask("", "POST", "/healthz", "").want(t, 405).header.Get("Allow"); !slices.Contains(strings.Split(got, ", "), "GET") {
		t.Errorf("Allow: %s", got)
	}
}
