package service

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waypost/waypost/control/checkin"
	"github.com/waypost/waypost/control/crawl"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

// A log is what a service logs.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// told counts messages of an event.
func (l *log) told(event string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), "msg=told event="+event)
}

// A world is a service that does nothing by itself, with one mirror that holds
// what is in sizes and answers as long as it is up.
type world struct {
	*Service
	log *log

	mu    sync.Mutex
	up    bool
	gone  map[string]bool // files that it has lost
	asked func()          // called at each request; may be nil
}

func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	up, asked, gone := w.up, w.asked, w.gone[r.URL.Path]
	w.mu.Unlock()
	if asked != nil {
		asked()
	}
	switch {
	case !up:
		panic(http.ErrAbortHandler)
	case r.URL.Path == "/": // no index page
	case strings.HasSuffix(r.URL.Path, "/f") && !gone:
		http.ServeContent(out, r, "f", time.Unix(1e9, 0), strings.NewReader("text"))
	default:
		http.NotFound(out, r)
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{log: &log{}, up: true, gone: map[string]bool{}}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	var err error
	w.Service, err = New(t.Context(), Config{
		DataDir: t.TempDir(), Listen: netip.MustParseAddrPort("127.0.0.1:0"), CrawlPrivate: true,
		Database: "sqlite:" + filepath.Join(t.TempDir(), "control.db"), SigningKeyFile: filepath.Join(t.TempDir(), "snapshot.key"),
		Crawl: CrawlConfig{DisableAfter: 3, Keep: 5},
	}, slog.New(slog.NewTextHandler(w.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	on := registry.Activity{AdminActive: true, UserActive: true}
	for _, o := range []registry.Object{
		&registry.User{Name: "alice", Mail: "alice@example.org"},
		&registry.Site{Name: "s", Admins: []string{"alice"}, Contacts: []string{"site@example.org"}, State: registry.Approved, Activity: on},
		&registry.Category{Name: "os", Path: "pub/os"},
		&registry.Host{
			Site: "s", Name: "m", Country: "DE", State: registry.Approved, Activity: on, Contacts: []string{"host@example.org"},
			Carries: []registry.Carry{{Category: "os", URLs: []registry.URL{{URL: server.URL}}}},
		},
	} {
		if _, err = w.store.Apply(t.Context(), "test", store.Put(o, store.New)); err != nil {
			t.Fatal(err)
		}
	}
	w.master(t, "secret", "secret/empty")
	return w
}

// master makes the master hold directories a to d, and some that nobody may see.
func (w *world) master(t *testing.T, hidden ...string) {
	t.Helper()
	tree := &registry.Tree{Category: "os", Scanned: time.Now(), Directories: []registry.Directory{{Readable: true}}}
	files := []registry.File{{Name: "f", Size: 4, Changed: 1e9}}
	for _, name := range []string{"a", "b", "c", "d"} {
		tree.Directories = append(tree.Directories, registry.Directory{Path: name, Readable: true, Files: files})
	}
	for _, name := range hidden {
		d := registry.Directory{Path: name}
		if !strings.Contains(name, "/") {
			d.Files = files
		}
		tree.Directories = append(tree.Directories, d)
	}
	if err := w.store.PutTree(t.Context(), tree); err != nil {
		t.Fatal(err)
	}
}

// number returns the number of a directory.
func (w *world) number(t *testing.T, dir string) uint32 {
	t.Helper()
	n, err := w.store.Numbers(t.Context(), []string{"pub/os/" + dir})
	if err != nil {
		t.Fatal(err)
	}
	return n[0]
}

func (w *world) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// look crawls, and returns how the host stands.
func (w *world) look(t *testing.T, mode string) store.Standing {
	t.Helper()
	if _, err := w.crawl(t.Context(), crawlOrder{Crawl: web.Crawl{Host: "s/m", Category: "os", Mode: mode}}); err != nil {
		t.Fatal(err)
	}
	standing, err := w.store.Standing(t.Context(), "s/m", "os")
	if err != nil {
		t.Fatal(err)
	}
	return standing
}

// listed reports whether the host is in lists with a directory.
func (w *world) listed(t *testing.T, dir string) (listed bool) {
	t.Helper()
	n := w.number(t, dir)
	err := w.store.Listings(t.Context(), time.Time{}, func(l *registry.Listing) error {
		listed = l.Holds.Has(n)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return listed
}

// report checks in with what is under embargo.
func (w *world) report(ctx context.Context, dirs ...string) error {
	desk := &Desk{Store: w.store, Publish: func() {}, Now: time.Now}
	return desk.Keep(ctx, checkin.Receipt{Host: "s/m", At: time.Now(), Outcomes: []checkin.Outcome{{Category: "os", Embargoed: dirs}}})
}

// TestLife takes a mirror through its life: good, down, suspended, back.
func TestLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := w.look(t, "full"); !got.Out.IsZero() || !w.listed(t, "a") {
		t.Fatalf("a good crawl: %+v", got)
	}
	if err := w.report(t.Context(), "secret", "secret/empty"); err != nil {
		t.Fatal(err)
	}
	w.set(func() { w.up = false })
	for failures := 1; failures <= 4; failures++ {
		got := w.look(t, "quick")
		if got.Failures != failures || got.Out.IsZero() || got.Suspended.IsZero() != (failures < 3) || w.listed(t, "a") {
			t.Errorf("after %d failures: %+v", failures, got)
		}
	}
	if got := w.log.told("host-disabled"); got != 1 {
		t.Errorf("told %d times that it is suspended", got)
	}
	w.set(func() { w.up = true })
	if got := w.look(t, "canary"); got.Suspended.IsZero() || w.listed(t, "a") {
		t.Errorf("that it answers brings it back: %+v", got)
	}
	if got := w.look(t, "full"); got.Failures != 0 || !got.Suspended.IsZero() || !got.Out.IsZero() || got.Reason != "" || !w.listed(t, "a") {
		t.Errorf("a good crawl does not bring it back: %+v", got)
	}
	if got := w.log.told("host-enabled"); got != 1 {
		t.Errorf("told %d times that it is back", got)
	}
	for _, dir := range []string{"secret", "secret/empty"} {
		if !w.listed(t, dir) {
			t.Errorf("what it said of %s is forgotten", dir)
		}
	}
	crawls, err := w.store.Crawls(t.Context(), "s/m", "os", 100)
	if err != nil || len(crawls) != 5 || !strings.Contains(crawls[0].Details, `"works":true`) {
		t.Errorf("%d crawls are kept, %v: %+v", len(crawls), err, crawls)
	}
}

// TestAfterTheLift: those that did not report are not listed until they are seen.
func TestAfterTheLift(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(func() { w.gone["/secret/f"] = true })
	w.look(t, "full")
	w.master(t) // lifted, and not there yet
	w.look(t, "metadata")
	if w.listed(t, "secret") {
		t.Error("listed before it was seen")
	}
}

// TestCheckInDuringCrawl: a check-in while a crawl runs is not lost, also of
// directories that the crawl knew nothing of.
func TestCheckInDuringCrawl(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var once sync.Once
	w.set(func() {
		w.asked = func() {
			once.Do(func() {
				w.master(t, "newer", "secret")
				if err := w.report(t.Context(), "newer", "secret"); err != nil {
					t.Error(err)
				}
			})
		}
	})
	w.look(t, "full")
	for _, dir := range []string{"a", "newer", "secret"} {
		if !w.listed(t, dir) {
			t.Errorf("%s is lost", dir)
		}
	}
}

// TestHeld: a host that lost much stays as it was until a person believes it, or
// it has it again; the operators are told once.
func TestHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.look(t, "full")
	w.set(func() { w.gone = map[string]bool{"/a/f": true, "/b/f": true, "/c/f": true} })
	for range 2 {
		if got := w.look(t, "full"); got.Held.IsZero() || !got.Out.IsZero() || !w.listed(t, "a") {
			t.Errorf("a loss is believed: %+v", got)
		}
	}
	if got := w.log.told("host-held"); got != 1 {
		t.Errorf("told %d times", got)
	}
	order := crawlOrder{Crawl: web.Crawl{Host: "s/m", Category: "os", AcceptLoss: true}}
	if text, err := w.crawl(t.Context(), order); err != nil || w.listed(t, "a") || !w.listed(t, "d") {
		t.Errorf("the loss is not accepted: %s, %v", text, err)
	}
	if got, err := w.store.Standing(t.Context(), "s/m", "os"); err != nil || !got.Held.IsZero() {
		t.Errorf("still held: %+v, %v", got, err)
	}
	if got := w.log.told("host-leak"); got != 1 { // the mirror has what is under embargo in the open
		t.Errorf("told %d times of a leak", got)
	}
}

// TestNoLossIsBelieved: with max_loss 0 the least loss waits for a person, and a
// host that has lost nothing does not.
func TestNoLossIsBelieved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.config.Crawl.MaxLoss = new(0.0)
	for range 2 {
		if got := w.look(t, "full"); !got.Held.IsZero() {
			t.Fatalf("nothing is lost: %+v", got)
		}
	}
	w.set(func() { w.gone["/a/f"] = true })
	if got := w.look(t, "full"); got.Held.IsZero() || !w.listed(t, "a") {
		t.Errorf("a loss is believed: %+v", got)
	}
}

// TestPartOfTheTree: the canary looks for what the host held, not for what it
// never had.
func TestPartOfTheTree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(func() { w.gone = map[string]bool{"/a/f": true, "/b/f": true, "/c/f": true} })
	if got := w.look(t, "full"); !got.Out.IsZero() || w.listed(t, "a") || !w.listed(t, "d") {
		t.Fatalf("a part of the tree: %+v", got)
	}
	for range 5 {
		if got := w.look(t, "canary"); !got.Out.IsZero() {
			t.Fatalf("out: %+v", got)
		}
	}
	w.set(func() { w.gone["/d/f"] = true })
	if got := w.look(t, "canary"); got.Out.IsZero() {
		t.Error("in lists, though what it held is gone")
	}
}

// TestEndingCertificates looks at what is worth a message.
func TestEndingCertificates(t *testing.T) {
	now := time.Unix(1e9, 0)
	r := &crawl.Report{URLs: []crawl.URLFacts{
		{URL: "https://good", Expires: now.Add(30 * 24 * time.Hour)},
		{URL: "http://plain"},
		{URL: "https://soon", Expires: now.Add(13 * 24 * time.Hour)},
		{URL: "https://bad", Certificate: "for another name"},
	}}
	want := []string{"  https://soon: it ends at 2001-09-22T01:46:40Z", "  https://bad: for another name"}
	if got := endingCertificates(r, now); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestContacts: a host's, its site's and its administrators' addresses, once.
func TestContacts(t *testing.T) {
	site := &registry.Site{Name: "s", Admins: []string{"alice", "bob", "gone"}, Contacts: []string{"site@example.org"}}
	host := &registry.Host{Site: "s", Name: "m", Contacts: []string{"site@example.org", "host@example.org"}}
	w := registry.NewWorld(slices.Values([]registry.Object{
		site, host, &registry.User{Name: "alice", Mail: "alice@example.org"}, &registry.User{Name: "bob"},
		&registry.User{Name: "gone", Mail: "gone@example.org", Disabled: true},
	}))
	if got, want := contacts(w, site, host), []string{"alice@example.org", "host@example.org", "site@example.org"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestStanding follows crawls that need no network.
func TestStanding(t *testing.T) {
	type step struct {
		mode    crawl.Mode
		outcome crawl.Outcome
		held    string
		want    string
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"a canary finds it away and back", []step{
			{crawl.Full, crawl.OK, "", ""}, {crawl.Canary, crawl.Failed, "", "out"}, {crawl.Canary, crawl.OK, "", ""},
		}},
		{"that it answers does not mend its content", []step{
			{crawl.Full, crawl.Failed, "", "out"}, {crawl.Canary, crawl.OK, "", "out"}, {crawl.Metadata, crawl.OK, "", ""},
		}},
		{"what we broke off says nothing", []step{
			{crawl.Full, crawl.Failed, "", "out"},
			{crawl.Full, crawl.Interrupted, "", "out"},
			{crawl.Full, crawl.OK, "", ""},
			{crawl.Full, crawl.Interrupted, "", ""},
		}},
		{"it does not want to be crawled", []step{
			{crawl.Full, crawl.OptedOut, "", "out"},
			{crawl.Full, crawl.OptedOut, "", "out"},
			{crawl.Full, crawl.OptedOut, "", "out"},
			{crawl.Full, crawl.OK, "", ""},
		}},
		{"it is empty again and again", []step{
			{crawl.Full, crawl.OK, "", ""},
			{crawl.Full, crawl.Empty, "gone", "held"},
			{crawl.Full, crawl.Empty, "gone", "held"},
			{crawl.Full, crawl.Empty, "gone", "suspended"},
			{crawl.Canary, crawl.OK, "", "suspended"},
			{crawl.Full, crawl.OK, "much is gone", "suspended"},
			{crawl.Quick, crawl.OK, "", ""},
		}},
		{"its content is not what it seems", []step{
			{crawl.Full, crawl.OK, "", ""},
			{crawl.Full, crawl.OK, "fake", "out"},
			{crawl.Metadata, crawl.OK, "", "out"},
			{crawl.Quick, crawl.OK, "", ""},
		}},
		{"time runs out", []step{
			{crawl.Full, crawl.TimedOut, "", "out"}, {crawl.Quick, crawl.TimedOut, "", "out"}, {crawl.Quick, crawl.Failed, "", "suspended"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k, now := &crawling{}, time.Unix(1e9, 0)
			for i, s := range tt.steps {
				now, k.job.Mode = now.Add(time.Hour), s.mode
				r := &crawl.Report{Mode: s.mode, Outcome: s.outcome, Held: s.held, Fake: s.held == "fake", Started: now, Reason: "why"}
				d := crawl.Decide(k.counted(r), 3, !k.before.Suspended.IsZero())
				k.before = k.standing(r, d, now)
				record, err := k.record(r)
				if err != nil {
					t.Fatal(err)
				}
				k.past = append([]store.Crawl{record}, k.past...)
				got := ""
				switch {
				case !k.before.Suspended.IsZero():
					got = "suspended"
				case !k.before.Out.IsZero():
					got = "out"
				case !k.before.Held.IsZero():
					got = "held"
				}
				if got != s.want {
					t.Errorf("step %d: it is %q, want %q: %+v", i, got, s.want, k.before)
				}
			}
		})
	}
}
