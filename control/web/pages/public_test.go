package pages_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

// secrets are what no public page may have.
func secrets() []string {
	return []string{"invisible", "hushhush", "staff", "hidden.de1", ">44<", "192.0.2", "2001:db8", "alice"}
}

func TestPublicPages(t *testing.T) {
	p := run(t)
	p.listing("uni-x/de1", "pub/os/43/x86_64", "pub/os/44/x86_64")
	p.listing("uni-x/invisible-private", "pub/os/43/x86_64", "pub/os/43/aarch64")
	for _, tt := range []struct {
		path     string
		contains []string
		lacks    []string
	}{
		{"/", []string{"Test mirrors", "/mirrors?product=OS&amp;version=43", "x86_64"}, nil},
		{"/mirrors", []string{
			"Germany", "France", "1000 Mbit/s", `href="https://de1.example.org/os"`, `href="rsync://de1.example.org/os"`,
			"1 of 2 repositories", "3 hours ago", "up to date", "2 mirrors in 2 countries",
		}, nil},
		{"/mirrors?country=de", []string{"1 mirror in 1 country", "de1"}, []string{"fr1.example"}},
		{"/mirrors?version=43&arch=aarch64", []string{"fr1"}, []string{"de1.example.org"}},
		{"/mirrors?version=44", []string{"no such mirrors"}, []string{"de1.example.org"}},
		{"/mirrors?scheme=rsync", []string{"rsync://de1"}, []string{"https://de1", "fr1.example"}},
		{"/mirrors?category=hushhushes", []string{"no such mirrors"}, nil},
		{"/mirror/uni-x/de1", []string{"uni-x.example.org", "pub/os/43/aarch64", ">no<"}, []string{"pub/os/44"}},
		{"/login", []string{"Sign in"}, nil},
	} {
		got := p.browser().get(tt.path).want(t, 200, tt.contains...).lacks(t, append(tt.lacks, secrets()...)...)
		if csp := got.header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("%s: policy %q", tt.path, csp)
		}
	}
	for _, path := range []string{
		"/mirror/uni-x/invisible-private", "/mirror/uni-x/invisible-pending", "/mirror/other/invisible-off", "/mirror/nothing", "/nothing", "/mirror/",
	} {
		p.browser().get(path).want(t, 404)
	}
	for _, path := range []string{"/host/", "/site/", "/release/"} { // none is named
		p.as("root").get(path).want(t, 404)
	}
}

// TestOutOfOrder shows that nobody is sent to a mirror that crawls have taken
// out, or that is in a country under embargo.
func TestOutOfOrder(t *testing.T) {
	p := run(t, &registry.Override{Name: "embargo", Country: "FR", Embargoed: true})
	p.listing("uni-x/de1", "pub/os/43/x86_64", "pub/os/43/aarch64")
	facts, err := json.Marshal(web.Details{URLs: []web.CrawledURL{
		{URL: "https://de1.example.org/os", Error: "connection from 10.9.8.7 refused", Certificate: "the certificate has expired"},
		{URL: "rsync://hidden.de1.example.org/os", Private: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	p.browser().get("/mirrors").want(t, 200, "up to date", "de1.example.org").lacks(t, "fr1")
	err = p.store.Settle(t.Context(), store.Settlement{
		Crawl:    store.Crawl{Host: "uni-x/de1", Category: "os", At: start, Mode: "full", Outcome: "failed", Reason: "no way in", Details: string(facts)},
		Standing: store.Standing{Host: "uni-x/de1", Category: "os", Out: start, Held: start, Failures: 5, Reason: "5 crawls were not good"},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.clock.Add(61) // a view is a minute old at most
	p.browser().get("/mirror/uni-x/de1").want(t, 200, "out of order", "the certificate has expired").lacks(t, append(secrets(), "10.9.8.7")...)
	p.as("alice").get("/host/uni-x/de1").want(t, 200, "in no list", "5 crawls were not good", "no way in", "10.9.8.7", "hidden.de1").
		lacks(t, "believe what")
	p.as("root").get("/host/uni-x/de1").want(t, 200, "believe what it has lost")
	p.as("root").post("/do/crawl/uni-x/de1", "category", "os", "accept", "on").to(t, "/host/uni-x/de1?done=crawl")
	p.as("alice").post("/do/crawl/uni-x/de1", "category", "os", "accept", "on").want(t, 422, "administrator")
}

// TestURLFacts shows what is known of each category's URLs, however often others
// were crawled since.
func TestURLFacts(t *testing.T) {
	p := run(t, &registry.Category{Name: "extra", Path: "pub/extra"}, &registry.Host{
		Site: "uni-x", Name: "de2", State: registry.Approved, Activity: registry.Activity{AdminActive: true, UserActive: true},
		Carries: []registry.Carry{
			{Category: "os", URLs: []registry.URL{{URL: "https://de2.example.org/os"}}},
			{Category: "extra", URLs: []registry.URL{{URL: "https://de2.example.org/extra"}}},
		},
	})
	crawled := func(category string, at time.Time, certificate string) {
		t.Helper()
		details, err := json.Marshal(web.Details{URLs: []web.CrawledURL{{URL: "https://de2.example.org/" + category, Certificate: certificate}}})
		if err != nil {
			t.Fatal(err)
		}
		err = p.store.Settle(t.Context(), store.Settlement{Keep: 20, Crawl: store.Crawl{
			Host: "uni-x/de2", Category: category, At: at, Mode: "full", Outcome: "failed", Details: string(details),
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	crawled("extra", start, "what extra has")
	for i := range 12 {
		crawled("os", start.Add(time.Duration(i)*time.Minute), fmt.Sprintf("what os had %d minutes later", i))
	}
	p.browser().get("/mirror/uni-x/de2").want(t, 200, "what extra has", "what os had 11 minutes later").lacks(t, "what os had 10")
}

// TestLift shows that what was under embargo is seen from the moment it ends.
func TestLift(t *testing.T) {
	p := run(t)
	p.browser().get("/mirror/uni-x/de1").want(t, 200).lacks(t, "hushhush", "pub/os/44")
	p.clock.Store(start.Add(24*time.Hour - time.Second).Unix())
	p.browser().get("/mirror/uni-x/de1").want(t, 200).lacks(t, "hushhush", "pub/os/44")
	p.clock.Store(start.Add(24 * time.Hour).Unix())
	p.browser().get("/mirror/uni-x/de1").want(t, 200, "https://de1.example.org/hushhush", "pub/os/44")
}

// TestCaches shows that nobody's page comes to another, and that one that is
// kept goes when something changes.
func TestCaches(t *testing.T) {
	p := run(t)
	p.as("alice").get("/mirrors?country=DE").want(t, 200, ">alice<")
	p.browser().get("/mirrors?country=DE&done=saved").want(t, 200, "Saved.")
	for range 2 {
		p.browser().get("/mirrors?country=DE").want(t, 200, "de1", "Sign in").lacks(t, "alice", "Saved.")
	}
	p.as("alice").get("/mirrors?country=DE").want(t, 200, ">alice<")
	p.as("root").post("/edit/site/uni-x", "revision", "1", "admins", "alice", "private", "on", "state", "approved", "user_active", "on", "admin_active", "on").want(t, 303)
	p.browser().get("/mirrors?country=DE").want(t, 200).lacks(t, "de1.example")
	if got := p.browser().get("/mirrors").header; got.Get("Cache-Control") != "public, max-age=60" || got.Get("Vary") != "Cookie" {
		t.Errorf("nobody: %v", got)
	}
	if got := p.as("alice").get("/mirrors").want(t, 200, "alice").header.Get("Cache-Control"); got != "private, no-store" {
		t.Errorf("alice: %s", got)
	}
	p.browser().get("/style.css").want(t, 200, "color-scheme")
}
