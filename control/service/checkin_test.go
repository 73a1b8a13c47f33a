package service_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/waypost/waypost/control/checkin"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/service"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

func newDesk(t *testing.T) (d *service.Desk, published *int) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Database: "sqlite:" + filepath.Join(t.TempDir(), "control.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	published = new(int)
	d = &service.Desk{Store: s, Publish: func() { *published++ }, Now: time.Now}
	for _, o := range []registry.Object{
		&registry.Site{Name: "site", State: registry.Approved},
		&registry.Category{Name: "os", Path: "pub/os"},
		host("a", "http://a.example.org"),
		&registry.Token{Name: "a's", Host: "site/a", Hash: registry.HashToken("secret"), Scopes: []registry.Scope{registry.ScopeCheckin}},
	} {
		if _, err := s.Apply(t.Context(), "test", store.Put(o, 0)); err != nil {
			t.Fatal(err)
		}
	}
	tree := &registry.Tree{Category: "os", Scanned: time.Now(), Directories: []registry.Directory{
		{Path: "", Readable: true}, {Path: "43", Readable: true}, {Path: "44"},
	}}
	if err := s.PutTree(t.Context(), tree); err != nil {
		t.Fatal(err)
	}
	return d, published
}

func TestDeskKnows(t *testing.T) {
	d, _ := newDesk(t)
	if h, err := d.Host(t.Context(), "site/a"); err != nil || h.Name != "a" {
		t.Errorf("host %+v, %v", h, err)
	}
	if key, err := d.HostOfToken(t.Context(), "secret"); err != nil || key != "site/a" {
		t.Errorf("the token is of %q, %v", key, err)
	}
	m, err := d.Master(t.Context(), "os")
	if err != nil || len(m.Numbers) != 3 {
		t.Errorf("%d numbers, %v", len(m.Numbers), err)
	}
	for name, err := range map[string]error{
		"site":    second(d.Site(t.Context(), "x")),
		"token":   second(d.HostOfToken(t.Context(), "x")),
		"master":  second(d.Master(t.Context(), "x")),
		"listing": second(d.Listing(t.Context(), "site/a", "os")),
	} {
		if !errors.Is(err, checkin.ErrUnknown) {
			t.Errorf("%s: %v, want ErrUnknown", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestDeskKeeps(t *testing.T) {
	d, published := newDesk(t)
	m, err := d.Master(t.Context(), "os")
	if err != nil {
		t.Fatal(err)
	}
	off := false
	receipt := checkin.Receipt{Host: "site/a", At: time.Now(), UserActive: &off, Outcomes: []checkin.Outcome{
		{Category: "os", Crawl: []string{"43"}, Embargoed: []string{"44"}},
	}}
	for range 2 { // a host that got no answer sends it again
		if err = d.Keep(t.Context(), receipt); err != nil {
			t.Fatal(err)
		}
	}
	l, err := d.Listing(t.Context(), "site/a", "os")
	if err != nil || !l.Holds.Has(m.Numbers[2]) || l.Holds.Has(m.Numbers[1]) {
		t.Errorf("%+v, %v: want what is under embargo, and nothing by its word alone", l, err)
	}
	jobs, err := d.Store.Jobs(t.Context(), store.JobFilter{})
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]string, 0, len(jobs))
	for _, j := range jobs {
		keys = append(keys, j.Kind+" "+j.Key+" "+j.Payload)
	}
	if want := []string{`crawl site/a os {"host":"site/a","category":"os","only":["43"]}`}; !slices.Equal(keys, want) {
		t.Errorf("jobs %q, want %q", keys, want)
	}
	if h, err := d.Host(t.Context(), "site/a"); err != nil || h.UserActive {
		t.Errorf("active is %t, %v", h.UserActive, err)
	}
	if *published != 2 {
		t.Errorf("published %d times", *published)
	}
}

// TestDeskUnites: a check-in takes nothing from what is queued already.
func TestDeskUnites(t *testing.T) {
	const host = `{"host":"site/a","category":"os"`
	for _, tt := range []struct {
		name, queued string
		claims       [][]string
		want         string
	}{
		{"two check-ins", "", [][]string{{"44", "43"}, {"43", "45"}}, host + `,"only":["43","44","45"]}`},
		{"a full crawl", host + `,"mode":"full","accept_loss":true}`, [][]string{{"43"}}, host + `,"mode":"full","accept_loss":true}`},
		{"a full crawl without a mode", host + `}`, [][]string{{"43"}}, host + `}`},
		{"a quick crawl", host + `,"mode":"quick"}`, [][]string{{"43"}}, host + `,"mode":"quick"}`},
		{"a crawl of metadata", host + `,"mode":"metadata"}`, [][]string{{"43"}}, host + `,"only":["43"]}`},
		{"a canary", host + `,"mode":"canary"}`, [][]string{{"43"}}, host + `,"only":["43"]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, _ := newDesk(t)
			if tt.queued != "" {
				if err := d.Store.Enqueue(t.Context(), store.Task{Kind: web.JobCrawl, Key: "site/a os", Payload: tt.queued}); err != nil {
					t.Fatal(err)
				}
			}
			for _, claim := range tt.claims {
				r := checkin.Receipt{Host: "site/a", At: time.Now(), Outcomes: []checkin.Outcome{{Category: "os", Crawl: claim}}}
				if err := d.Keep(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			jobs, err := d.Store.Jobs(t.Context(), store.JobFilter{})
			if err != nil || len(jobs) != 1 || jobs[0].Payload != tt.want {
				t.Errorf("jobs %+v, %v, want %s", jobs, err, tt.want)
			}
		})
	}
}

// TestDeskEmbargo: a crawl could not tell what is under embargo; a check-in can.
func TestDeskEmbargo(t *testing.T) {
	d, _ := newDesk(t)
	m, err := d.Master(t.Context(), "os")
	if err != nil {
		t.Fatal(err)
	}
	l := &registry.Listing{Host: "site/a", Category: "os", Seen: time.Now()}
	l.Holds.Add(m.Numbers[1])
	l.Unknown.Add(m.Numbers[2])
	if err = d.Store.PutListing(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	err = d.Keep(t.Context(), checkin.Receipt{Host: "site/a", At: time.Now(), Outcomes: []checkin.Outcome{
		{Category: "os", Embargoed: []string{"44"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	now, err := d.Listing(t.Context(), "site/a", "os")
	if err != nil {
		t.Fatal(err)
	}
	if !now.Holds.Has(m.Numbers[1]) || !now.Holds.Has(m.Numbers[2]) || now.Unknown.Has(m.Numbers[2]) {
		t.Errorf("holds %b, unknown %b", now.Holds, now.Unknown)
	}
}
