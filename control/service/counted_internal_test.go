package service

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waypost/waypost/control/publish"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

// counted returns what a vector has counted, without zeros, by its labels.
func counted(t *testing.T, vec prometheus.Collector) map[string]float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(vec)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			if n := m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount()); n > 0 {
				counts[strings.Join(labels, " ")] = n
			}
		}
	}
	return counts
}

// TestCountedCrawls: by their outcome; one that is not believed is none of those.
func TestCountedCrawls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.look(t, "full")
	w.set(func() { w.gone = map[string]bool{"/a/f": true, "/b/f": true, "/c/f": true} })
	w.look(t, "full")
	w.set(func() { w.up = false })
	w.look(t, "quick")
	order := encode(crawlOrder{Crawl: web.Crawl{Host: "s/nobody", Category: "os"}})
	if _, err := w.do(t.Context(), store.Job{Task: store.Task{Kind: web.JobCrawl, Payload: order}}); err == nil {
		t.Error("a host that is not there was crawled")
	}
	want := map[string]float64{"ok": 1, notBelieved: 1, "failed": 1, "error": 1}
	if diff := cmp.Diff(want, counted(t, w.metrics.crawls)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCountedPublications: only those that were made have taken a time.
func TestCountedPublications(t *testing.T) {
	m := newMetrics()
	for _, err := range []error{nil, publish.ErrBusy, publish.ErrHeld, errors.New("no"), nil} {
		if _, got := m.snapshot(func() (uint64, error) { return 1, err }); !errors.Is(got, err) {
			t.Errorf("%v, want %v", got, err)
		}
	}
	want := map[string]float64{"done": 2, "busy": 1, "held": 1, "failed": 1}
	if diff := cmp.Diff(want, counted(t, m.published)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]float64{"": 2}, counted(t, m.publish)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWorkers: scans have a worker of their own, and so has what people wait for.
func TestWorkers(t *testing.T) {
	s := &Service{config: Config{Workers: 3}, worker: "host-1"}
	takers, names := map[string]int{}, map[string]bool{}
	for _, w := range s.workers() {
		names[w.Name] = true
		for _, kind := range w.Kinds {
			takers[kind]++
		}
		if slices.Contains(w.Kinds, web.JobScan) && len(w.Kinds) > 1 {
			t.Errorf("%s takes %s", w.Name, w.Kinds)
		}
	}
	want := map[string]int{web.JobScan: 1, web.JobCrawl: 3, web.JobPublish: 4, web.JobRollback: 4, web.JobAnnounce: 4, jobAge: 4}
	if diff := cmp.Diff(want, takers); diff != "" || len(names) != 5 {
		t.Errorf("workers %v (-want +got):\n%s", names, diff)
	}
}
