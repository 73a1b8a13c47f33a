package pages_test

import (
	"maps"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/waypost/waypost/control/registry"
)

// filled returns what a browser sends of a page's form with an action, as it is.
func filled(t *testing.T, body, action string) url.Values {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var form *html.Node
	for n := range doc.Descendants() {
		if n.Data == "form" && attribute(n, "action") == action {
			form = n
		}
	}
	if form == nil {
		t.Fatalf("no form goes to %s", action)
	}
	out := url.Values{}
	for n := range form.Descendants() {
		name := attribute(n, "name")
		switch {
		case name == "":
		case n.Data == "input" && attribute(n, "type") == "checkbox":
			if has(n, "checked") {
				out.Add(name, attribute(n, "value"))
			}
		case n.Data == "input":
			out.Add(name, attribute(n, "value"))
		case n.Data == "textarea" && n.FirstChild != nil:
			out.Add(name, n.FirstChild.Data)
		case n.Data == "textarea":
			out.Add(name, "")
		case n.Data == "select":
			for o := range n.Descendants() {
				if o.Data == "option" && has(o, "selected") {
					out.Add(name, attribute(o, "value"))
				}
			}
		}
	}
	return out
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

// TestRoundTrips sends each form as it was shown: nothing changes.
func TestRoundTrips(t *testing.T) {
	full := &registry.Host{
		Site: "uni-x", Name: "full host", Country: "DE", Location: &registry.Location{Lat: 52.5, Lon: -13.25}, Bandwidth: 4294967295, MaxConnections: 3,
		ASNs: []uint32{680, 64496}, PeerASNs: []uint32{553}, Netblocks: []string{"198.51.100.0-198.51.100.9", "2001:db8:1::/48", "x.example.org"},
		Allowed: []string{"DE", "FR"}, Excluded: []string{"US"}, Tier: 2, Upstream: "uni-x/de1", PullAddresses: []string{"2001:db8:2::1"},
		Contacts: []string{"a@example.org"}, AutoCarry: true, NoCrawl: true, Comment: ` "quoted" <b>`, State: registry.Approved,
		Maintenance: []registry.Window{{From: start, To: start.Add(time.Hour)}, {From: start.Add(48 * time.Hour), To: start.Add(49 * time.Hour)}},
		Activity:    registry.Activity{AdminActive: true, UserActive: false, Reason: "moving"},
		Carries: []registry.Carry{
			{Category: "os", AlwaysUpToDate: true, URLs: []registry.URL{{URL: "https://full.example.org/os"}, {URL: "rsync://full.example.org/os", Private: true}}},
		},
	}
	full.Comment = strings.TrimSpace(full.Comment)
	for _, tt := range []struct {
		who  string
		kind registry.Kind
		key  string
	}{
		{"root", registry.KindHost, "uni-x/full host"},
		{"alice", registry.KindHost, "uni-x/full host"},
		{"root", registry.KindHost, "uni-x/de1"},
		{"alice", registry.KindHost, "uni-x/de1"},
		{"root", registry.KindSite, "uni-x"},
		{"alice", registry.KindSite, "uni-x"},
		{"root", registry.KindProduct, "OS"},
		{"root", registry.KindCategory, "os"},
		{"root", registry.KindRepository, "os-43+x86_64"},
		{"root", registry.KindRelease, "hushhush release"},
		{"root", registry.KindUser, "alice"},
		{"alice", registry.KindUser, "alice"},
		{"root", registry.KindOverride, "override"},
	} {
		p := run(t, full, &registry.Override{Name: "override", Country: "DE", Continent: "EU"})
		before, err := p.store.Get(t.Context(), tt.kind, tt.key)
		if err != nil {
			t.Fatal(err)
		}
		path := "/edit/" + string(tt.kind) + "/" + (&url.URL{Path: tt.key}).EscapedPath()
		b := p.as(tt.who)
		form := filled(t, b.get(path).want(t, 200).body, path)
		b.do("POST", path, form).want(t, 303)
		after, err := p.store.Get(t.Context(), tt.kind, tt.key)
		if diff := cmp.Diff(before.Object, after.Object); err != nil || diff != "" {
			t.Errorf("%s, %s (-before +after): %s %v", tt.who, path, diff, err)
		}
	}
}

func TestRegister(t *testing.T) {
	p := run(t)
	b := p.as("carol")
	form := filled(t, b.get("/new/site").want(t, 200).lacks(t, "operator").body, "/new/site")
	form.Set("name", "carols")
	form.Set("url", "https://carols.example.org/")
	form.Set("contacts", "carol@example.org\r\n")
	b.do("POST", "/new/site", form).to(t, "/site/carols?done=applied")
	b.get("/site/carols?done=applied").want(t, 200, "Thank you", "pending")

	form = filled(t, b.get("/new/host?site=carols").want(t, 200).body, "/new/host")
	form.Set("name", "mirror")
	form.Set("country", "se")
	form.Set("bandwidth", "1000")
	form.Set("asns", "AS64496, 64497")
	form.Set("netblocks", "192.0.2.128/25\n2001:db8:9::/48\n")
	form.Set("urls:os", "https://carols.example.org/os/\nrsync://carols.example.org/os")
	form.Set("private:os", "rsync://pull.carols.example.org/os")
	form.Set("maintenance.1.from", "2026-04-01T00:00")
	form.Set("maintenance.1.to", "2026-04-01T02:00")
	form.Set("location.lat", "59.3")
	form.Set("location.lon", "18")
	b.do("POST", "/new/host", form).to(t, "/host/carols/mirror?done=applied")
	entry, err := p.store.Get(t.Context(), registry.KindHost, "carols/mirror")
	if err != nil {
		t.Fatal(err)
	}
	got, _ := entry.Object.(*registry.Host)
	want := &registry.Host{
		Site: "carols", Name: "mirror", Number: got.Number, Country: "SE", Bandwidth: 1000, ASNs: []uint32{64496, 64497}, Tier: 1,
		Netblocks: []string{"192.0.2.128/25", "2001:db8:9::/48"}, Location: &registry.Location{Lat: 59.3, Lon: 18},
		Carries: []registry.Carry{{Category: "os", URLs: []registry.URL{
			{URL: "https://carols.example.org/os"}, {URL: "rsync://carols.example.org/os"}, {URL: "rsync://pull.carols.example.org/os", Private: true},
		}}},
		Maintenance: []registry.Window{{From: start.AddDate(0, 1, 0).Add(-12 * time.Hour), To: start.AddDate(0, 1, 0).Add(-10 * time.Hour)}},
		State:       registry.Pending, Activity: registry.Activity{AdminActive: true, UserActive: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got): %s", diff)
	}
	p.browser().get("/mirrors").want(t, 200).lacks(t, "carols")

	root := p.as("root")
	queue := root.get("/applications").want(t, 200, "carols/mirror", "192.0.2.128/25", "invisible-pending").body
	form = filled(t, queue, "/decide/site/carols")
	form.Set("state", "rejected")
	root.do("POST", "/decide/site/carols", form).want(t, 422, "Say why")
	form.Set("reason", "no <b>web site</b>")
	root.do("POST", "/decide/site/carols", form).to(t, "/applications?done=decided")
	root.do("POST", "/decide/site/carols", form).want(t, 409, "omebody else")
	b.get("/my").want(t, 200, "rejected", "no &lt;b&gt;web site")
	for _, path := range []string{"/decide/site/carols", "/decide/host/carols/mirror"} {
		entry, _ := p.store.Get(t.Context(), registry.Kind(strings.Split(path, "/")[2]), strings.SplitN(path, "/", 4)[3])
		root.post(path, "state", "approved", "revision", strconv.FormatInt(entry.Revision, 10)).to(t, "/applications?done=decided")
	}
	p.browser().get("/mirrors").want(t, 200, "Sweden", "https://carols.example.org/os", "not checked yet").lacks(t, "pull.carols")
	// a decision that is taken back is nobody's application
	if diff := cmp.Diff([]string{"carol: site carols", "carol: host carols/mirror", "root: site carols", "root: host carols/mirror"}, *p.applications); diff != "" {
		t.Errorf("applications (-want +got): %s", diff)
	}
}

// TestMistakes shows that a mistake is told at its field, with what was typed.
func TestMistakes(t *testing.T) {
	p := run(t)
	b := p.as("alice")
	const path = "/edit/host/uni-x/de1"
	form := filled(t, b.get(path).want(t, 200).body, path)
	for _, tt := range []struct{ name, typed, want string }{
		{"bandwidth", "fast <b>", `Want a number, got &#34;fast &lt;b&gt;&#34;.`},
		{"bandwidth", "-1", "Want a whole number"},
		{"bandwidth", "1e999", "Want a"},
		{"country", "Germany", `Want`},
		{"netblocks", "192.0.2.0/24\n10.0.0.1/8", "without bits beyond its length"},
		{"netblocks", "10.0.0.0/8", "only an administrator may: give the netblock"},
		{"asns", "AS-NONE", "number of an AS"},
		{"location.lat", "91", "Want degrees"},
		{"contacts", "nobody", "mail address"},
		{"urls:os", "https://de1.example.org/os\njavascript:alert(1)", "Want an http, https, ftp or rsync URL"},
		{"urls:os", "http://fr1.example.org/os", "is that of host other/fr1 already"},
		{"private:os", "gopher://x.example.org", "Want an http"},
		{"maintenance.0.from", "soon", "Want a time in UTC"},
		{"maintenance.0.to", "2026-04-01T02:00", "This is needed"},
		{"upstream", "nobody/none", "No host has the name"},
		{"comment", strings.Repeat("x", 10) + "</textarea><script>alert(1)</script>", ""},
	} {
		t.Run(tt.name+" "+tt.typed, func(t *testing.T) {
			changed := maps.Clone(form)
			changed.Set(tt.name, tt.typed)
			got := b.do("POST", path, changed)
			if tt.want == "" {
				got.want(t, 303)
				b.get("/host/uni-x/de1").want(t, 200)
				return
			}
			if got.status != 422 && got.status != 403 {
				t.Fatalf("status %d: %s", got.status, text(got.body))
			}
			got.want(t, got.status, "It was not saved", tt.want)
			if again := filled(t, got.body, path); again.Get(tt.name) != tt.typed {
				t.Errorf("typed %q, shown %q", tt.typed, again.Get(tt.name))
			}
			if got.status == 422 && !strings.Contains(got.body, `aria-invalid="true"`) && tt.name != "upstream" {
				t.Errorf("no field is marked: %s", text(got.body))
			}
		})
	}
}

// TestAllMistakes shows that all mistakes are told at once.
func TestAllMistakes(t *testing.T) {
	b := run(t).as("alice")
	b.post("/edit/host/uni-x/de1", "revision", "1", "bandwidth", "fast", "country", "Germany", "urls:os", "javascript:alert(1)", "tier", "-1").
		want(t, 422, "Want a number, got", "GERMANY", "Want an http, https", "Want 0 for a master")
	b.post("/new/host", "bandwidth", "fast", "contacts", "nobody").want(t, 422, "This is needed.", "Want a number", "mail address")
}

// TestConflict shows that nobody writes over what somebody else wrote.
func TestConflict(t *testing.T) {
	p := run(t)
	one, two := p.as("alice"), p.as("root")
	const path = "/edit/site/uni-x"
	form := filled(t, one.get(path).body, path)
	other := filled(t, two.get(path).body, path)
	other.Set("reason", "first")
	two.do("POST", path, other).want(t, 303)
	form.Set("reason", "second")
	one.do("POST", path, form).want(t, 412, "somebody else", "second")
	form.Del("revision")
	one.do("POST", path, form).want(t, 400)
	one.post("/new/site", "name", "uni-x", "admins", "alice").want(t, 412, "exists already")
}

// TestHiddenCategories shows that who does not see a category does not end it.
func TestHiddenCategories(t *testing.T) {
	p := run(t)
	const path = "/edit/host/uni-x/de1"
	b := p.as("alice")
	form := filled(t, b.get(path).want(t, 200).body, path)
	form.Del("carry:os")
	form.Set("urls:os", "")
	form.Set("private:os", "")
	b.do("POST", path, form).want(t, 303)
	entry, err := p.store.Get(t.Context(), registry.KindHost, "uni-x/de1")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range entry.Object.(*registry.Host).Carries {
		got = append(got, c.Category)
	}
	if diff := cmp.Diff([]string{"staff", "hushhush"}, got); diff != "" {
		t.Errorf("carries (-want +got): %s", diff)
	}
}
