package service

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/notify"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

// A hooks server keeps what webhooks are told.
type hooks struct {
	*httptest.Server

	mu   sync.Mutex
	told []notify.Message // guarded by mu
}

func newHooks(t *testing.T) *hooks {
	t.Helper()
	h := &hooks{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m notify.Message
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &m)
		}
		if err != nil {
			t.Error(err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.told = append(h.told, m)
	}))
	t.Cleanup(h.Close)
	return h
}

// teller returns a service that does nothing by itself, with a database.
func teller(t *testing.T, c *notify.Config) *Service {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{Database: "sqlite:" + filepath.Join(t.TempDir(), "control.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s := &Service{config: Config{Notify: c, CrawlPrivate: true}, log: slog.New(slog.NewTextHandler(t.Output(), nil)), store: db, metrics: newMetrics()}
	if s.sender, err = openNotify(s.config); err != nil {
		t.Fatal(err)
	}
	return s
}

// work does all jobs of some kinds that are ready, and returns their results.
func work(t *testing.T, s *Service, kinds ...string) (results []string) {
	t.Helper()
	for {
		j, ok, err := s.store.Take(t.Context(), "test", kinds, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			slices.Sort(results)
			return results
		}
		result, err := s.jobs()[j.Kind](t.Context(), j)
		if err != nil {
			result = "failed: " + err.Error()
			err = s.store.Fail(t.Context(), j, err)
		} else {
			err = s.store.Finish(t.Context(), j, result)
		}
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, result)
	}
}

// waiting returns the subjects of the mails that wait for an address.
func waiting(t *testing.T, s *Service, to string) (subjects []string) {
	t.Helper()
	letters, err := s.store.Letters(t.Context(), to, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range letters {
		var m notify.Message
		if err := json.Unmarshal([]byte(l.Data), &m); err != nil {
			t.Fatal(err)
		}
		if len(m.To)+len(m.Webhooks) > 0 {
			t.Errorf("a letter to %s names others: %q %q", to, m.To, m.Webhooks)
		}
		subjects = append(subjects, m.Subject)
	}
	return subjects
}

func apply(t *testing.T, s *Service, changes ...store.Change) {
	t.Helper()
	if _, err := s.store.Apply(t.Context(), "test", changes...); err != nil {
		t.Fatal(err)
	}
}

// mirrored registers two sites that carry a release, one that does not, and one
// without a contact.
func mirrored(t *testing.T, s *Service, hook string) {
	t.Helper()
	on := registry.Activity{AdminActive: true, UserActive: true}
	site := func(name string, contacts ...string) {
		apply(t, s,
			store.Put(&registry.Site{Name: name, State: registry.Approved, Activity: on, Contacts: contacts}, 0),
			store.Put(&registry.Host{
				Site: name, Name: "m", State: registry.Approved, Activity: on, Bandwidth: 100, AutoCarry: name == "a",
				Contacts: []string{"noc@a.example.org"}, Carries: []registry.Carry{{Category: "os"}},
			}, 0))
	}
	apply(t, s, store.Put(&registry.Category{Name: "os", Path: "pub/os"}, 0), store.Put(&registry.Category{Name: "other", Path: "pub/other"}, 0))
	site("a", "admin@a.example.org", "noc@a.example.org")
	apply(t, s,
		store.Put(&registry.Site{Name: "b", State: registry.Approved, Activity: on, Webhooks: []string{hook}}, 0),
		store.Put(&registry.Host{Site: "b", Name: "m", State: registry.Approved, Activity: on, Carries: []registry.Carry{{Category: "os"}}}, 0),
		store.Put(&registry.Site{Name: "c", State: registry.Approved, Activity: on, Contacts: []string{"admin@c.example.org"}}, 0),
		store.Put(&registry.Host{Site: "c", Name: "m", State: registry.Approved, Activity: on, Carries: []registry.Carry{{Category: "other"}}}, 0),
		store.Put(&registry.Site{Name: "d", State: registry.Approved, Activity: on}, 0),
		store.Put(&registry.Host{Site: "d", Name: "m", State: registry.Approved, Activity: on, Carries: []registry.Carry{{Category: "os"}}}, 0))
}

// TestReleaseNews follows a release: announced, put off, lifted; and one that is
// called off. Each is told once.
func TestReleaseNews(t *testing.T) {
	operators, sites := newHooks(t), newHooks(t)
	s := teller(t, &notify.Config{
		Mail: &notify.Mail{Server: "127.0.0.1:1", From: "m@example.org"}, Operators: []string{"ops@example.org"},
		Webhooks: []notify.Webhook{{URL: operators.URL}},
	})
	mirrored(t, s, sites.URL)
	now := time.Now()
	lift := now.Add(time.Hour).UTC().Truncate(time.Second)
	apply(t, s, store.Put(&registry.Release{Name: "os-45", Paths: []string{"pub/os/45"}, LiftAt: lift}, 0),
		store.Put(&registry.Release{Name: "quiet", Paths: []string{"pub/os/46"}, LiftAt: lift, Quiet: true}, 0))
	news := func(want ...string) {
		t.Helper()
		for range 2 { // the second time there is nothing
			if err := s.queueNews(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, work(t, s, web.JobAnnounce)); diff != "" {
				t.Error(diff)
			}
			want = nil
		}
	}
	news("2 sites told, 1 without a contact")
	edit := func(change func(*registry.Release)) {
		t.Helper()
		e, err := s.store.Get(t.Context(), registry.KindRelease, "os-45")
		if err != nil {
			t.Fatal(err)
		}
		old, ok := e.Object.(*registry.Release)
		if !ok {
			t.Fatalf("%T", e.Object)
		}
		r := *old
		change(&r)
		apply(t, s, store.Put(&r, e.Revision))
	}
	edit(func(r *registry.Release) { r.LiftAt = lift.Add(time.Hour) })
	news("2 sites told, 1 without a contact")
	edit(func(r *registry.Release) { r.LiftAt = now.Add(-time.Second) })
	news("lifted; 0 of 3 hosts are ready")
	edit(func(r *registry.Release) { r.LiftAt = lift })
	news("2 sites told, 1 without a contact") // put off though it was public
	apply(t, s, store.Delete(registry.KindRelease, "os-45", store.Any))
	news("2 sites told, 1 without a contact")
	apply(t, s, store.Delete(registry.KindRelease, "quiet", store.Any))
	news()

	at, later := moment(lift), moment(lift.Add(time.Hour))
	wantMirrors := []string{
		"os-45 is public from " + at + "; please mirror it before", "Changed: os-45 is public from " + later,
		"Changed: os-45 is public from " + at, "Called off: os-45",
	}
	for _, address := range []string{"admin@a.example.org", "noc@a.example.org"} {
		if diff := cmp.Diff(wantMirrors, waiting(t, s, address)); diff != "" {
			t.Errorf("%s: %s", address, diff)
		}
	}
	wantOperators := slices.Insert(slices.Clone(wantMirrors), 2, "os-45 is public; 0 of 3 mirrors have it")
	if diff := cmp.Diff(wantOperators, waiting(t, s, "ops@example.org")); diff != "" {
		t.Error(diff)
	}
	if got := waiting(t, s, "admin@c.example.org"); got != nil {
		t.Errorf("who does not carry it is told %q", got)
	}
	work(t, s, jobWebhook)
	events := func(h *hooks) (list []string) {
		for _, m := range h.told {
			list = append(list, string(m.Event))
		}
		slices.Sort(list)
		return list
	}
	// of one event, a newer message takes the place of one that still waits
	if diff := cmp.Diff([]string{"release-announced", "release-cancelled", "release-changed"}, events(sites)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"release-announced", "release-cancelled", "release-changed", "release-lifted"}, events(operators)); diff != "" {
		t.Error(diff)
	}
}

// TestAnnouncedAgain: an operator may have it told once more, and a quiet one at all.
func TestAnnouncedAgain(t *testing.T) {
	s := teller(t, nil)
	mirrored(t, s, "https://b.example.org")
	apply(t, s, store.Put(&registry.Release{Name: "quiet", Paths: []string{"pub/os/46"}, LiftAt: time.Now().Add(time.Hour), Quiet: true}, 0))
	for range 2 {
		result, err := s.announce(t.Context(), newsOrder{Announce: web.Announce{Release: "quiet"}})
		if err != nil || result != "2 sites told, 1 without a contact" {
			t.Errorf("%q, %v", result, err)
		}
	}
	e, err := s.store.Get(t.Context(), registry.KindRelease, "quiet")
	if r, ok := e.Object.(*registry.Release); err != nil || !ok || r.Announced.IsZero() || r.Told == nil {
		t.Errorf("%+v, %v", e.Object, err)
	}
	if result, err := s.announce(t.Context(), newsOrder{Announce: web.Announce{Release: "gone"}}); err != nil || result != "it is gone" {
		t.Errorf("%q, %v", result, err)
	}
}

// TestToldOnce: what is queued by itself is told once, and tried again in its own
// time if it failed.
func TestToldOnce(t *testing.T) {
	s := teller(t, nil)
	mirrored(t, s, "https://b.example.org")
	apply(t, s, store.Put(&registry.Release{Name: "os-45", Paths: []string{"pub/os/45"}, LiftAt: time.Now().Add(time.Hour)}, 0))
	queued := func() store.Job {
		t.Helper()
		if err := s.queueNews(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		jobs, err := s.store.Jobs(t.Context(), store.JobFilter{Kind: web.JobAnnounce})
		if err != nil || len(jobs) != 1 {
			t.Fatalf("%+v, %v: want one job", jobs, err)
		}
		return jobs[0]
	}
	order := queued()
	j, _, err := s.store.Take(t.Context(), "test", []string{web.JobAnnounce}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	queued() // which it is not again while it runs
	if err = s.store.Fail(t.Context(), j, errors.New("no")); err != nil {
		t.Fatal(err)
	}
	if again := queued(); time.Until(again.At) < 10*time.Second || again.Attempt != 1 {
		t.Errorf("what has failed just now: %+v", again)
	}
	for _, want := range []string{"2 sites told, 1 without a contact", "it is told already"} {
		if result, err := s.jobs()[web.JobAnnounce](t.Context(), order); err != nil || result != want {
			t.Errorf("%q, %v, want %q", result, err, want)
		}
	}
}

// TestAnnouncementText: what a mirror needs to know is in the mail.
func TestAnnouncementText(t *testing.T) {
	r := &registry.Release{Name: "os-45", Paths: []string{"pub/os/45"}, LiftAt: time.Date(2026, 4, 1, 14, 0, 0, 0, time.FixedZone("", 7200))}
	a := recipients{site: &registry.Site{Name: "a"}, hosts: []*registry.Host{{Site: "a", Name: "m", AutoCarry: true}, {Site: "a", Name: "n"}}}
	m := newsMessage(r, registry.IsNew, web.ReleaseStatus{Files: 3, Bytes: 5 << 30, Directories: 2}, a)
	for _, want := range []string{
		"Wed, 1 Apr 2026 12:00 UTC", "    pub/os/45\n", "3 files of 5.0 GiB in 2 directories", "a/m (takes new releases by itself)",
		"a/n (takes new releases only when you let it)", "waypost report", "nobody may read it before",
	} {
		if !strings.Contains(m.Subject+m.Text, want) {
			t.Errorf("want %q in %s", want, m.Text)
		}
	}
}

// TestDigestOfMany: 500 hosts that fail at once make one mail, which a mail
// server that is away does not lose and a refused one does not repeat.
func TestDigestOfMany(t *testing.T) {
	s := teller(t, &notify.Config{
		Mail: &notify.Mail{Server: "127.0.0.1:1", From: "m@example.org", TLS: "none"}, Operators: []string{"ops@example.org"}, DigestEvery: time.Nanosecond,
	})
	for i := range 500 {
		err := s.tell(t.Context(), notify.Message{Event: notify.HostDisabled, About: "site/" + string(rune('a'+i)), Subject: "a host is off", At: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := len(work(t, s, jobMail)); got != 1 {
		t.Errorf("%d mails, want 1", got)
	}
	letters, err := s.store.Letters(t.Context(), "ops@example.org", 1000)
	if err != nil || len(letters) != 500 {
		t.Errorf("%d letters wait for the server, %v; want 500", len(letters), err)
	}
	messages, id := openLetters(letters, time.Now())
	if _, again := openLetters(letters, time.Now()); again != id || len(messages) != 500 {
		t.Errorf("%d messages, %s and %s", len(messages), id, again)
	}
	if old, _ := openLetters(letters, time.Now().Add(maxWait+time.Minute)); old != nil {
		t.Errorf("%d messages after days", len(old))
	}
}

// TestNobodyIsTold: without a configuration messages are logged, and no job waits.
func TestNobodyIsTold(t *testing.T) {
	s := teller(t, nil)
	if err := s.tell(t.Context(), notify.Message{Event: notify.ScanHeld, About: "os", To: []string{"a@example.org"}}); err != nil {
		t.Fatal(err)
	}
	jobs, err := s.store.Jobs(t.Context(), store.JobFilter{})
	if err != nil || len(jobs) != 0 || slices.Contains(s.kinds(), jobMail) {
		t.Errorf("%+v, %v", jobs, err)
	}
	if _, err := s.store.Letters(context.WithoutCancel(t.Context()), "a@example.org", 1); err != nil {
		t.Error(err)
	}
}
