package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestSession(t *testing.T) {
	p := run(t)
	b := p.browser()
	b.get("/my?x=1").to(t, "/login?next="+url.QueryEscape("/my?x=1"))
	for _, tt := range [][2]string{{"alice", "wrong"}, {"nobody", "alice"}, {"gone", "gone"}, {"program", ""}, {"", ""}} {
		got := b.post("/login", "name", tt[0], "password", tt[1]).want(t, 401, "do not match")
		if got.header.Get("Set-Cookie") != "" {
			t.Errorf("%v got a cookie", tt)
		}
	}
	got := b.post("/login", "name", "alice", "password", "alice", "next", "/host/uni-x/de1?x=1")
	got.to(t, "/host/uni-x/de1?x=1")
	for _, part := range []string{"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"} {
		if c := got.header.Get("Set-Cookie"); !strings.Contains(c, part) || strings.Contains(c, "Secure") {
			t.Errorf("cookie %q lacks %s, or is for TLS", c, part)
		}
	}
	b.get("/my").want(t, 200, "de1", "invisible-private").lacks(t, "fr1")
	b.get("/login").to(t, "/my")

	stolen := b.client.Jar.Cookies(&url.URL{Scheme: "http", Host: strings.TrimPrefix(p.url, "http://")})
	b.post("/logout").to(t, "/login?done=out")
	b.get("/my").want(t, 303)
	thief := p.browser()
	thief.header.Set("Cookie", stolen[0].String())
	thief.get("/my").want(t, 303)
}

func TestSessionEnds(t *testing.T) {
	p := run(t)
	b, other := p.as("alice"), p.as("alice")
	b.post("/account/password", "old", "wrong", "password", "correct horse", "again", "correct horse").want(t, 422, "old password")
	b.post("/account/password", "old", "alice", "password", "correct horse", "again", "battery").want(t, 422, "differ")
	b.post("/account/password", "old", "alice", "password", "short", "again", "short").want(t, 422, "8 to 1024")
	other.get("/my").want(t, 200)
	b.post("/account/password", "old", "alice", "password", "correct horse", "again", "correct horse").to(t, "/account?done=password")
	b.get("/my").want(t, 200)
	other.get("/my").want(t, 303) // a new password ends all others

	b = p.as("bob")
	p.as("root").post("/edit/user/bob", "revision", "1", "disabled", "on").to(t, "/edit/user/bob?done=saved")
	b.get("/my").want(t, 303)

	b = p.as("carol")
	p.clock.Add(int64(12*time.Hour/time.Second) - 1)
	b.get("/my").want(t, 200)
	p.clock.Add(1)
	b.get("/my").want(t, 303)
}

func TestForgedSessions(t *testing.T) {
	p := run(t)
	b := p.as("alice")
	good := b.client.Jar.Cookies(&url.URL{Scheme: "http", Host: strings.TrimPrefix(p.url, "http://")})[0].Value
	for _, bad := range []string{"", ".", "x", good + "x", "A" + good[1:], good[:len(good)-1], strings.Replace(good, ".", "", 1), strings.Repeat("A", 5000) + "." + good} {
		forger := p.browser()
		forger.header.Set("Cookie", "waypost="+bad)
		if bad != good {
			forger.get("/my").want(t, 303)
		}
	}
}

// TestSecureCookie shows what a browser gets that speaks TLS with a proxy.
func TestSecureCookie(t *testing.T) {
	b := run(t).browser()
	b.header.Set("X-Forwarded-Proto", "https")
	c := b.post("/login", "name", "alice", "password", "alice").want(t, 303).header.Get("Set-Cookie")
	if !strings.HasPrefix(c, "__Host-waypost=") || !strings.Contains(c, "; Secure") {
		t.Errorf("cookie %q", c)
	}
}

func TestThrottle(t *testing.T) {
	for _, name := range []string{"alice", "nobody"} {
		p := run(t)
		b := p.browser()
		for range 10 {
			b.post("/login", "name", name, "password", "wrong").want(t, 401)
		}
		b.post("/login", "name", name, "password", "wrong").want(t, 429, "too many")
		b.post("/login", "name", name, "password", name).want(t, 429)
		b.post("/login", "name", "carol", "password", "carol").want(t, 429) // of the same network
		p.clock.Add(60)
		if name == "alice" {
			b.post("/login", "name", name, "password", name).want(t, 303)
		}
	}
}

// TestNext shows that nobody is led elsewhere after signing in.
func TestNext(t *testing.T) {
	p := run(t)
	for _, next := range []string{
		"https://evil.example.org/", "//evil.example.org", "/\\evil.example.org", "\\\\evil.example.org", "/%2fevil.example.org", "javascript:alert(1)",
		"evil.example.org", "", "/login", "/logout", "/x\r\nSet-Cookie: a=b", "http:/my", "///evil.example.org", "/\tevil",
	} {
		p.clock.Add(600) // for as many attempts
		p.browser().post("/login", "name", "alice", "password", "alice", "next", next).to(t, "/my")
		b := p.as("alice")
		b.get("/login?next="+url.QueryEscape(next)).to(t, "/my")
	}
}

// TestOtherSites shows that forms of other sites do nothing.
func TestOtherSites(t *testing.T) {
	p := run(t)
	b := p.as("alice")
	for _, header := range [][2]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example.org"}, {"Origin", "null"},
	} {
		b.header = http.Header{header[0]: {header[1]}}
		for _, path := range []string{"/login", "/logout", "/edit/host/uni-x/de1", "/delete/host/uni-x/de1", "/do/crawl/uni-x/de1", "/account/token", "/new/site"} {
			b.post(path, "name", "x").want(t, 403)
		}
	}
	b.header = http.Header{}
	b.get("/my").want(t, 200) // still signed in
	for _, path := range []string{"/delete/host/uni-x/de1", "/logout", "/do/crawl/uni-x/de1"} {
		if got := b.get(path).status; path != "/delete/host/uni-x/de1" && got != 404 && got != 405 {
			t.Errorf("GET %s: %d", path, got)
		}
	}
	b.get("/host/uni-x/de1").want(t, 200)
}
