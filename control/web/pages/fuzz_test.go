package pages

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/control/registry"
)

// FuzzForm sends forms: whatever is typed becomes a document that JSON can have
// or problems at fields that there are, and laying it out again shows what was
// typed.
func FuzzForm(f *testing.F) {
	f.Add("bandwidth=1&country=de&netblocks=192.0.2.0/24%0a2001:db8::/32&asns=AS1&maintenance.0.from=2026-01-02T03:04&maintenance.0.to=")
	f.Add("urls:os=https://x.example.org/&private:os=rsync://x&carry:os=on&location.lat=1e5&tier=0x10&comment=%00")
	f.Add("maintenance.0.from=x&maintenance.1.from=&maintenance.1.to=2026-01-02T03:04:05")
	f.Fuzz(func(t *testing.T, query string) {
		form, _ := url.ParseQuery(query)
		fields := hostFields()
		patch, wrong := read(fields, form)
		patch["carries"] = readCarries([]string{"os"}, []registry.Carry{{Category: "hidden"}}, form, true)
		if _, err := json.Marshal(patch); err != nil {
			t.Fatalf("%q: %v", query, err)
		}
		names := map[string]bool{}
		for _, s := range lay(fields, form, wrong, []string{"os"}, true) {
			names[s.Name] = true
			for _, row := range s.Rows {
				for _, c := range row {
					names[c.Name] = true
				}
			}
			if s.Value != form.Get(s.Name) {
				t.Fatalf("%s: %q is shown as %q", s.Name, form.Get(s.Name), s.Value)
			}
		}
		for name := range wrong {
			if !names[name] {
				t.Fatalf("%q: a problem at %s, which is nowhere", query, name)
			}
		}
	})
}

// FuzzSession shows that no cookie but ours opens a session.
func FuzzSession(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	user := &registry.User{Name: "alice", PasswordHash: "x"}
	world := registry.NewWorld(func(yield func(registry.Object) bool) { yield(user) })
	s := newSessions([]byte(strings.Repeat("k", 32)))
	good := s.begin(user, now)
	if s.open(good, world, now) != user || s.open(good, world, now.Add(lasts)) != nil {
		f.Fatal("a session does not open, or never ends")
	}
	f.Add(good[:len(good)-2])
	f.Add(newSessions([]byte("other")).begin(user, now))
	f.Add("AAAA.AAAA")
	f.Fuzz(func(t *testing.T, value string) {
		if value != good && s.open(value, world, now) != nil {
			t.Fatalf("%q opens a session", value)
		}
		s.finish(value, now)
	})
}

// FuzzNext shows that nobody is led to another site.
func FuzzNext(f *testing.F) {
	for _, s := range []string{"/x?y=z#a", "//x", "/\\x", "https://x", "/%2f/x", "/a/../..//x"} {
		f.Add(s)
	}
	base, err := url.Parse("https://ours.example.org/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := local(next)
		to, err := base.Parse(strings.ReplaceAll(got, "\\", "/")) // as browsers do
		if err != nil || to.Host != base.Host || to.Scheme != base.Scheme || strings.ContainsAny(got, "\r\n\t") {
			t.Fatalf("%q leads to %q", next, got)
		}
	})
}
