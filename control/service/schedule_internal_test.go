package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/control/crawl"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan"
	"github.com/waypost/waypost/control/store"
)

func TestDueMode(t *testing.T) {
	c := Config{CrawlEvery: 6 * time.Hour, Crawl: CrawlConfig{MetadataEvery: 2 * time.Hour, CanaryEvery: 30 * time.Minute, Jitter: new(0.1)}.withDefaults()}
	now := time.Unix(1e9, 0)
	ago := func(full, metadata, canary float64) (at [store.Modes]time.Time) {
		for m, hours := range map[crawl.Mode]float64{crawl.Full: full, crawl.Metadata: metadata, crawl.Canary: canary} {
			if hours != 0 {
				at[m] = now.Add(-time.Duration(hours * float64(time.Hour)))
			}
		}
		return at
	}
	for _, tt := range []struct {
		name     string
		standing store.Standing
		want     string
	}{
		{"never crawled", store.Standing{}, "full"},
		{"the whole is due", store.Standing{Crawled: ago(7, 1, 0.1)}, "full"},
		{"metadata is due", store.Standing{Crawled: ago(3, 0, 0.1)}, "metadata"},
		{"a canary is due", store.Standing{Crawled: ago(3, 1, 0)}, "canary"},
		{"a full one was a canary, too", store.Standing{Crawled: ago(0.1, 1, 1)}, ""},
		{"crawled by a clock that was wrong", store.Standing{Crawled: ago(-9000, 1, 1)}, "full"},
		{"failed by a clock that was wrong", store.Standing{Crawled: ago(-9000, 0, 0), Failures: 2}, "quick"},
		{"crawled by a clock that is a minute ahead", store.Standing{Crawled: ago(-0.01, 1, 1)}, ""},
		{"one failed", store.Standing{Crawled: ago(1.2, 0, 0), Failures: 1}, "quick"},
		{"one failed just now", store.Standing{Crawled: ago(0.5, 0, 0), Failures: 1}, ""},
		{"three failed", store.Standing{Crawled: ago(3, 0, 0), Failures: 3}, ""},
		{"three failed, some time ago", store.Standing{Crawled: ago(5, 0, 0), Failures: 3}, "quick"},
		{"ever so many failed", store.Standing{Crawled: ago(54, 0, 0), Failures: 30, Suspended: now}, "quick"},
		{"it does not want to be crawled", store.Standing{Crawled: ago(5, 0, 0), Out: now}, ""},
	} {
		got := ""
		if m, due := c.dueMode(store.Place{Host: "s/a", Category: "os"}, tt.standing, now); due {
			got = m.String()
		}
		if got != tt.want {
			t.Errorf("%s: %q is due, want %q", tt.name, got, tt.want)
		}
	}
	c.Crawl.CanaryEvery, c.Crawl.MetadataEvery = -1, -1
	if m, due := c.dueMode(store.Place{}, store.Standing{Crawled: ago(5, 5, 5)}, now); due {
		t.Errorf("%s is due, which is off", m)
	}
}

// TestDraw: draws are spread evenly, so that hosts are not crawled together.
func TestDraw(t *testing.T) {
	var counts [10]int
	const n = 10_000
	for i := range n {
		counts[int(10*draw(store.Place{Host: fmt.Sprint("s/", i), Category: "os"}, "full", time.Unix(1e9, 0)))]++
	}
	for i, got := range counts {
		if got < n/10*8/10 || got > n/10*12/10 {
			t.Errorf("%d of %d draws in the tenth %d", got, n, i)
		}
	}
}

// TestNoStampede: of many that are due at once, as after a pause, as many begin
// now as there are workers, and the others one by one within half their time;
// what is queued or under way is not queued again.
func TestNoStampede(t *testing.T) {
	const hosts = 6000
	now := time.Unix(1e9, 0)
	on := registry.Activity{AdminActive: true, UserActive: true}
	objects := []registry.Object{&registry.Site{Name: "s", State: registry.Approved, Activity: on}}
	for i := range hosts {
		objects = append(objects, &registry.Host{
			Site: "s", Name: fmt.Sprint(i), State: registry.Approved, Activity: on, Carries: []registry.Carry{{Category: "os"}, {Category: "unscanned"}},
		})
	}
	resting := &registry.Host{Site: "s", Name: "resting", State: registry.Approved, Activity: on, Carries: []registry.Carry{{Category: "os"}}}
	resting.Maintenance = []registry.Window{{From: now.Add(-time.Hour), To: now.Add(time.Hour)}}
	private := *resting
	private.Name, private.Maintenance, private.Private = "private", nil, true
	world := registry.NewWorld(slices.Values(append(objects, resting, &private)))
	s := &Service{config: Config{CrawlEvery: 6 * time.Hour, Workers: 8}.withDefaults()}
	tasks, err := s.dueCrawls(world, map[string]time.Time{"os": now}, nil, map[string]bool{"crawl s/7 os": true}, now)
	if err != nil {
		t.Fatal(err)
	}
	soon, last := 0, now
	for _, task := range tasks {
		switch {
		case task.At.IsZero():
			soon++
		case task.At.After(last):
			last = task.At
		}
		if task.Key == "s/7 os" {
			t.Error("what is under way is queued again")
		}
	}
	if len(tasks) != hosts-1 || soon != 8 || last.Sub(now) < 2*time.Hour || last.Sub(now) > 3*time.Hour {
		t.Errorf("%d tasks, %d of them at once, the last after %s", len(tasks), soon, last.Sub(now))
	}
}

// TestQueue: what was queued is not queued again, nor is a scan that failed
// lately.
func TestQueue(t *testing.T) {
	w := newWorld(t)
	w.config.Masters = []scan.Config{{Category: "os"}}
	now := time.Now()
	keys := func() (keys []string) {
		if err := w.queue(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		jobs, err := w.store.Jobs(t.Context(), store.JobFilter{State: store.Queued})
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range jobs {
			keys = append(keys, j.Kind+" "+j.Key)
		}
		slices.Sort(keys)
		return keys
	}
	if got := keys(); !slices.Equal(got, []string{"crawl s/m os"}) {
		t.Fatalf("queued %q", got)
	}
	now = now.Add(time.Hour) // the master was scanned an hour ago
	if got := keys(); !slices.Equal(got, []string{"crawl s/m os", "scan os"}) {
		t.Fatalf("queued %q", got)
	}
	for range 2 {
		j, ok, err := w.store.Take(t.Context(), "w", []string{"scan", "crawl"}, time.Hour)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if j.Kind == "scan" {
			if err = w.store.Fail(t.Context(), j, errors.New("no master")); err != nil {
				t.Fatal(err)
			}
		}
	}
	now = time.Now().Add(time.Minute)
	w.config.ScanEvery = time.Second
	if got := keys(); !slices.Equal(got, []string{"scan os"}) { // the crawl runs
		t.Errorf("queued %q", got)
	}
	w.config.ScanEvery = time.Hour
}

func TestBoard(t *testing.T) {
	var b board
	if got := b.line(79); got != "" {
		t.Errorf("nothing is under way, and it says %q", got)
	}
	update, end := b.begin("s/a os")
	_, endScan := b.begin("scan os")
	update(30, 60)
	if got, want := b.line(79), "2 under way: s/a os 50%, scan os"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := b.line(20); len([]rune(got)) != 20 {
		t.Errorf("%d columns: %q", len([]rune(got)), got)
	}
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	ticks := make(chan time.Time)
	done := make(chan struct{})
	go func() { b.show(ctx, &out, ticks); close(done) }()
	ticks <- time.Time{}
	ticks <- time.Time{}
	end()
	endScan()
	ticks <- time.Time{}
	ticks <- time.Time{}
	cancel()
	<-done
	if got := out.String(); strings.Contains(got, "\n") || !strings.Contains(got, "\x1b[2K2 under way") || !strings.HasSuffix(got, "\x1b[2K\r") {
		t.Errorf("it writes %q", got)
	}
}
