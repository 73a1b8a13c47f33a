package web_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

// settle keeps a crawl.
func settle(t *testing.T, a api, s store.Settlement) {
	t.Helper()
	s.Keep = 10
	if err := a.store.Settle(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func TestCrawls(t *testing.T) {
	a := start(t, world(), nil)
	details := web.Details{
		Files:    web.FileCounts{Right: 7},
		URLs:     []web.CrawledURL{{URL: "https://de1.example.org/os", Works: true, V6: "not reached"}},
		Problems: []web.CrawlProblem{{Path: "43/a.iso", Text: "is missing"}},
		Leaks:    []string{"44"},
	}
	text, err := json.Marshal(details)
	if err != nil {
		t.Fatal(err)
	}
	at := now.Add(-time.Hour)
	k := store.Crawl{Host: "uni-x/de1", Category: "os", At: at, Mode: "full", Outcome: "ok", Took: time.Second, Holds: 3, Details: string(text)}
	settle(t, a, store.Settlement{Crawl: k})
	down := store.Crawl{Host: "uni-x/de1", Category: "os", At: now, Mode: "canary", Outcome: "failed", Reason: "no URL answers"}
	settle(t, a, store.Settlement{Crawl: down, Standing: store.Standing{
		Crawled: [store.Modes]time.Time{at, {}, {}, now}, Failures: 5, Out: at, Suspended: now, Reason: "5 crawls were not good",
	}})
	var got web.Crawls
	a.ask("alice", "GET", "/v1/crawls?host=uni-x/de1", "").want(t, 200).into(t, &got)
	want := []web.Crawled{
		{Host: "uni-x/de1", Category: "os", At: now, Mode: "canary", Outcome: "failed", Reason: "no URL answers"},
		{Host: "uni-x/de1", Category: "os", At: at, Mode: "full", Outcome: "ok", Seconds: 1, Directories: web.DirectoryCounts{Held: 3}, Details: details},
	}
	if diff := cmp.Diff(want, got.Crawls); diff != "" {
		t.Error(diff)
	}
	for path, status := range map[string]int{
		"/v1/crawls":                403, // all of them are for administrators
		"/v1/crawls?host=other/fr1": 404,
		"/v1/crawls?host=uni-x/de1&category=os&limit=0": 400,
	} {
		a.ask("alice", "GET", path, "").want(t, status)
	}
	a.ask("root", "GET", "/v1/crawls?limit=1", "").want(t, 200, "no URL answers")
	var status web.Status
	a.ask("alice", "GET", "/v1/status", "").want(t, 200).into(t, &status)
	standing := []web.CrawlStanding{{Category: "os", Crawled: now, Failures: 5, Out: at, Suspended: now, Reason: "5 crawls were not good"}}
	if h := status.Hosts[0]; !cmp.Equal(standing, h.Crawls) || h.Reason != "os suspended: 5 crawls were not good" || !h.Active {
		t.Errorf("status %+v", h)
	}
}

// TestPropagation: of six mirrors one has the newest metadata, one that of two
// days before, one something unknown, one is out, and nothing is known of two.
func TestPropagation(t *testing.T) {
	objects := world()
	on := registry.Activity{AdminActive: true, UserActive: true}
	for i := range 5 {
		objects = append(objects, &registry.Host{
			Site: "other", Name: fmt.Sprint("m", i), Country: "FR", State: registry.Approved, Activity: on,
			Carries: []registry.Carry{{Category: "os", URLs: []registry.URL{{URL: fmt.Sprintf("https://m%d.example.org/os", i)}}}},
		})
	}
	a := start(t, objects, nil)
	sum := func(c string) string { return strings.Repeat(c, 64) }
	for i, c := range []string{"a", "b", "c"} { // the third is the newest
		made := now.Add(time.Duration(i-2) * 36 * time.Hour)
		var h registry.Hashes
		for range 32 {
			h[2] = append(h[2], (c[0]-'a'+10)*0x11)
		}
		f := registry.File{Size: 1, Changed: made.Unix(), Hashes: &h}
		if err := a.store.NoteFile(t.Context(), "pub/os/43/repodata/repomd.xml", f, made); err != nil {
			t.Fatal(err)
		}
	}
	for i, version := range []string{sum("c"), sum("a"), "", sum("c")} {
		k := store.Crawl{Host: fmt.Sprint("other/m", i), Category: "os", At: now, Mode: "full", Sightings: fmt.Sprintf(`{"43/repodata/repomd.xml": %q, "gone": ""}`, version)}
		s := store.Settlement{Crawl: k}
		if i == 3 {
			s.Standing.Out = now
		}
		settle(t, a, s)
	}
	var got web.Propagation
	a.ask("bob", "GET", "/v1/propagation?category=os", "").want(t, 200).into(t, &got)
	want := []web.Propagated{{Category: "os", Path: "pub/os/43/repodata/repomd.xml", Newest: now, SameDay: 1, TwoDays: 1, Older: 1, Unknown: 3}}
	if diff := cmp.Diff(want, got.Files); diff != "" {
		t.Error(diff)
	}
	a.ask("bob", "GET", "/v1/propagation?category=staff", "").want(t, 200, `"files":[]`)
}

// TestPropagationAtOnce: many that ask at once wait for one, and get the same.
func TestPropagationAtOnce(t *testing.T) {
	a := start(t, world(), nil)
	f := registry.File{Size: 1, Changed: now.Unix(), Hashes: &registry.Hashes{2: make([]byte, 32)}}
	if err := a.store.NoteFile(t.Context(), "pub/os/43/repodata/repomd.xml", f, now); err != nil {
		t.Fatal(err)
	}
	settle(t, a, store.Settlement{Crawl: store.Crawl{
		Host: "uni-x/de1", Category: "os", At: now, Mode: "full", Sightings: fmt.Sprintf(`{"43/repodata/repomd.xml":"%064d"}`, 0),
	}})
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() { a.ask("bob", "GET", "/v1/propagation", "").want(t, 200, `"same_day":1`) })
	}
	wait.Wait()
}
