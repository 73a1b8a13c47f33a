package web_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

// TestInside shows that pages see and do what the user may whom they speak for,
// and by themselves only read.
func TestInside(t *testing.T) {
	var inside web.Inside
	a := start(t, world(), func(c *web.Config) {
		c.Pages = func(i web.Inside) http.Handler {
			inside = i
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("page of " + r.URL.Path)) })
		}
	})
	do := func(user, method, path, body string) web.Reply {
		return inside.Do(t.Context(), user, method, &url.URL{Path: path}, nil, []byte(body))
	}
	for _, tt := range []struct {
		user, method, path, body string
		want                     int
	}{
		{"alice", "GET", "/v1/host/uni-x/de1", "", 200},
		{"alice", "GET", "/v1/host/other/fr1", "", 404},
		{"alice", "PATCH", "/v1/host/uni-x/de1", `{"bandwidth":7}`, 200},
		{"alice", "PATCH", "/v1/host/uni-x/de1", `{"state":"pending"}`, 403},
		{"alice", "POST", "/v1/actions/publish", `{}`, 403},
		{"alice", "GET", "/v1/snapshot/manifest", "", 403},
		{"root", "GET", "/v1/audit", "", 200},
		{"gone", "GET", "/v1/site", "", 401},
		{"nobody", "GET", "/v1/site", "", 401},
		{"", "GET", "/v1/site", "", 401},
		{"alice", "GET", "/v1/host/../user/root", "", 307},
	} {
		if got := do(tt.user, tt.method, tt.path, tt.body); got.Status != tt.want {
			t.Errorf("%s: %s %s %s: %d %s, want %d", tt.user, tt.method, tt.path, tt.body, got.Status, got.Body, tt.want)
		}
	}
	if f := do("alice", "PATCH", "/v1/host/uni-x/de1", `{"tier":-1}`).Failure(); len(f.Problems) != 1 || f.Problems[0].Key != "tier" {
		t.Errorf("failure %+v", f)
	}
	if got := inside.Read(t.Context(), &url.URL{Path: "/v1/audit"}); got.Status != 200 {
		t.Errorf("the pages themselves: %d", got.Status)
	}
	events, err := a.store.Audit(t.Context(), store.EventFilter{Kind: registry.KindHost, Key: "uni-x/de1", Limit: 1})
	if err != nil || events[0].Who != "alice" {
		t.Errorf("the audit log: %+v, %v", events, err)
	}

	a.ask("", "GET", "/my", "").want(t, 200, "page of /my")
	a.ask("", "GET", "/v1/my", "").want(t, 404, "error")
	a.ask("", "POST", "/healthz", "").want(t, 405)
	a.ask("", "GET", "/v1/site", "", "Cookie: waypost=x").want(t, 401) // a cookie opens no API
	a.ask("", "POST", "/my", "", "Sec-Fetch-Site: cross-site").want(t, 403)
}

// TestApplications shows who is told of what waits for approval.
func TestApplications(t *testing.T) {
	var got []string
	a := start(t, world(), func(c *web.Config) {
		c.Applications = func(_ context.Context, o registry.Object, who string) { got = append(got, who+" "+registry.Name(o)) }
	})
	a.ask("bob", "PATCH", "/v1/site/bobs", `{}`).want(t, 201)
	a.ask("bob", "PATCH", "/v1/site/bobs", `{"url":"https://bob.example.org/"}`).want(t, 200)
	a.ask("alice", "PATCH", "/v1/host/uni-x/new", `{}`).want(t, 201)
	a.ask("root", "PATCH", "/v1/site/bobs", `{"state":"approved"}`).want(t, 200)
	a.ask("root", "PATCH", "/v1/host/uni-x/other", `{}`).want(t, 201)
	a.ask("root", "DELETE", "/v1/host/uni-x/new", "").want(t, 204)
	if diff := cmp.Diff([]string{"bob site bobs", "alice host uni-x/new", "root site bobs"}, got); diff != "" {
		t.Errorf("(-want +got): %s", diff)
	}
}
