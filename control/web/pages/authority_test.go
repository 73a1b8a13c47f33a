package pages_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waypost/waypost/control/registry"
)

// TestAuthority tries who gets which page: 303 leads to the page to sign in.
func TestAuthority(t *testing.T) {
	p := run(t)
	who := []string{"", "carol", "bob", "alice", "root"}
	browsers := make([]*browser, len(who))
	for i, name := range who {
		browsers[i] = p.as(name)
	}
	for _, tt := range []struct {
		path string
		want string // of nobody, carol, bob, alice, root
	}{
		{"/", "200 200 200 200 200"},
		{"/mirrors", "200 200 200 200 200"},
		{"/mirror/uni-x/de1", "200 200 200 200 200"},
		{"/propagation", "200 200 200 200 200"},
		{"/mirror/uni-x/invisible-private", "404 404 404 404 404"},
		{"/nothing", "404 404 404 404 404"},
		{"/my", "303 200 200 200 200"},
		{"/account", "303 200 200 200 200"},
		{"/new/site", "303 200 200 200 200"},
		{"/new/host", "303 200 200 200 200"},
		{"/new/user", "303 404 404 404 200"},
		{"/new/token", "303 404 404 404 404"},
		{"/new/nothing", "303 404 404 404 404"},
		{"/new/category", "303 404 404 404 200"},
		{"/site/uni-x", "303 404 404 200 200"},
		{"/edit/site/uni-x", "303 404 404 200 200"},
		{"/delete/site/uni-x", "303 404 404 200 200"},
		{"/log/site/uni-x", "303 404 404 200 200"},
		{"/host/uni-x/de1", "303 404 404 200 200"},
		{"/host/uni-x/invisible-private", "303 404 404 200 200"},
		{"/edit/host/uni-x/de1", "303 404 404 200 200"},
		{"/delete/host/uni-x/de1", "303 404 404 200 200"},
		{"/log/host/uni-x/de1", "303 404 404 200 200"},
		{"/host/other/fr1", "303 404 200 404 200"},
		{"/host/nothing", "303 404 404 404 404"},
		{"/edit/user/alice", "303 404 404 200 200"},
		{"/edit/category/os", "303 404 404 404 200"},
		{"/edit/release/hushhush%20release", "303 404 404 404 200"},
		{"/release/hushhush%20release", "303 404 404 404 200"},
		{"/release/nothing", "303 404 404 404 404"},
		{"/edit/repository/os-43+x86_64", "303 404 404 404 200"},
		{"/edit/product/OS", "303 404 404 404 200"},
		{"/delete/token/de1%20report", "303 404 404 200 200"},
		{"/log/token/de1%20report", "303 404 404 200 200"},
		{"/applications", "303 404 404 404 200"},
		{"/list/host", "303 404 404 404 200"},
		{"/list/host?state=private&country=de&category=os", "303 404 404 404 200"},
		{"/list/site", "303 404 404 404 200"},
		{"/list/category", "303 404 404 404 200"},
		{"/list/product", "303 404 404 404 200"},
		{"/list/repository", "303 404 404 404 200"},
		{"/list/release", "303 404 404 404 200"},
		{"/list/override", "303 404 404 404 200"},
		{"/list/user", "303 404 404 404 200"},
		{"/list/token", "303 404 404 404 200"},
		{"/list/nothing", "303 404 404 404 404"},
		{"/jobs", "303 404 404 404 200"},
		{"/snapshots", "303 404 404 404 200"},
		{"/audit", "303 404 404 404 200"},
	} {
		var got []string
		for _, b := range browsers {
			got = append(got, fmt.Sprint(b.get(tt.path).status))
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: %s, want %s", tt.path, s, tt.want)
		}
	}
}

// TestAuthorityOfForms tries who may send which form; each has a registry of its
// own. An operator's form without a state is not whole: 422.
func TestAuthorityOfForms(t *testing.T) {
	for _, tt := range []struct {
		path string
		form string // NAME=VALUE, separated by blanks
		want string // of nobody, carol, bob, alice, root
	}{
		{"/edit/host/uni-x/de1", "revision=1 user_active=on bandwidth=1", "401 404 404 303 422"},
		{"/edit/site/uni-x", "revision=1 admins=alice", "401 404 404 303 422"},
		{"/edit/site/uni-x", "revision=1 admins=alice state=rejected admin_active=", "401 404 404 303 303"}, // a site's admin has no such field
		{"/edit/user/alice", "revision=1 mail=a@example.org admin=on", "401 404 404 303 303"},               // nor has a user
		{"/edit/category/os", "revision=1 path=pub/os product=OS", "401 404 404 404 303"},
		{"/new/host", "site=uni-x name=new country=DE", "401 403 403 303 422"},
		{"/new/site", "name=new admins=alice", "401 403 403 303 422"}, // of another's name
		{"/new/user", "name=new admin=on", "401 404 404 404 303"},
		{"/delete/host/uni-x/de1", "", "401 404 404 422 422"}, // it has a token
		{"/delete/host/uni-x/invisible-pending", "", "401 404 404 303 303"},
		{"/delete/user/bob", "", "401 404 403 404 422"},
		{"/delete/token/de1%20report", "", "401 404 404 303 303"},
		{"/do/password/uni-x", "password=correct-horse again=correct-horse", "401 404 404 303 303"},
		{"/do/token/uni-x/de1", "name=new", "401 404 404 200 200"},
		{"/do/crawl/uni-x/de1", "", "401 404 404 303 303"},
		{"/do/scan", "category=os", "401 404 404 404 303"},
		{"/do/publish", "", "401 404 404 404 303"},
		{"/do/announce", "release=hushhush+release", "401 404 404 404 422"}, // no release has the name
		{"/do/rollback", "version=1", "401 404 404 404 422"},                // there is none
		{"/do/user-password/alice", "password=correct-horse again=correct-horse", "401 404 404 404 303"},
		{"/decide/host/uni-x/invisible-pending", "state=approved revision=1", "401 404 404 404 303"},
		{"/decide/user/alice", "state=approved revision=1", "401 404 404 404 404"},
		{"/account/token", "name=new scope=read", "401 200 200 200 200"},
		{"/account/token", "name=new scope=edge", "401 422 422 422 422"},
		{"/nothing", "", "404 404 404 404 404"},
	} {
		var got []string
		for _, name := range []string{"", "carol", "bob", "alice", "root"} {
			p := run(t)
			var form []string
			for pair := range strings.FieldsSeq(tt.form) {
				key, value, _ := strings.Cut(pair, "=")
				form = append(form, key, value)
			}
			got = append(got, fmt.Sprint(p.as(name).post(tt.path, form...).status))
			if name == "alice" {
				p.unchanged()
			}
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.path, tt.form, s, tt.want)
		}
	}
}

// unchanged checks what only operators may change.
func (p *plane) unchanged() {
	p.t.Helper()
	w, _, err := p.store.World(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	if s, _ := registry.Find[*registry.Site](w, "uni-x"); s.State != registry.Approved || !s.AdminActive {
		p.t.Errorf("the site is %+v", s)
	}
	if u, _ := registry.Find[*registry.User](w, "alice"); u.Admin {
		p.t.Error("alice is an operator")
	}
}

// TestTokens shows that secrets are told once, and that revoked tokens are gone.
func TestTokens(t *testing.T) {
	p := run(t)
	b := p.as("alice")
	made := b.post("/do/token/uni-x/de1", "name", "new").want(t, 200, "shown only now", "waypost_")
	if made.header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("%v", made.header)
	}
	b.get("/host/uni-x/de1").want(t, 200, "de1 report", ">new<").lacks(t, "waypost_")
	b.post("/do/token/uni-x/de1", "name", "new").want(t, 422, "nother token has the name")
	b.post("/delete/token/new").to(t, "/account?done=revoked")
	b.get("/host/uni-x/de1").want(t, 200).lacks(t, ">new<")
	b.get("/account").want(t, 200).lacks(t, "de1 report")
}

// TestCalls shows that no page asks more often where there is more.
func TestCalls(t *testing.T) {
	var many []registry.Object
	for i := range 300 {
		many = append(many, &registry.Host{
			Site: "uni-x", Name: fmt.Sprint("many", i), Country: "DE", State: registry.Approved,
			Activity: registry.Activity{AdminActive: true, UserActive: true},
			Carries:  []registry.Carry{{Category: "os", URLs: []registry.URL{{URL: fmt.Sprintf("https://many%d.example.org/os", i)}}}},
		})
	}
	p := run(t, many...)
	nobody, root, alice := p.browser(), p.as("root"), p.as("alice")
	for _, tt := range []struct {
		who  *browser
		path string
		most int64
	}{
		{nobody, "/", 0},
		{nobody, "/mirrors", 0},
		{nobody, "/mirror/uni-x/de1", 1},
		{nobody, "/propagation", 1},
		{alice, "/my", 4},
		{alice, "/site/uni-x", 3},
		{alice, "/host/uni-x/de1", 6},
		{alice, "/edit/host/uni-x/de1", 3},
		{alice, "/account", 1},
		{root, "/list/host", 1},
		{root, "/list/site", 1},
		{root, "/applications", 2},
		{root, "/audit", 1},
		{root, "/jobs", 2},
		{root, "/snapshots", 1},
	} {
		p.calls.Store(0)
		tt.who.get(tt.path).want(t, 200)
		if n := p.calls.Load(); n > tt.most {
			t.Errorf("%s asks %d times, want at most %d", tt.path, n, tt.most)
		}
	}
}
