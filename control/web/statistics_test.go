package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
	"github.com/waypost/waypost/edge/statistics"
	"github.com/waypost/waypost/edge/statistics/outbox"
)

// TestWire keeps what edges send and what is read here the same. It is the only
// place that sees both.
func TestWire(t *testing.T) {
	sent := outbox.Batch{Batch: 7, Counts: []outbox.Count{{At: now, Category: "os", Dimension: "host", Name: "uni-x/de1", Count: 3}}}
	text, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var got web.Batch
	if err = d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := web.Batch{Batch: 7, Counts: []web.Count{{At: now, Category: "os", Dimension: "host", Name: "uni-x/de1", Count: 3}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what was read (-want +got): %s", diff)
	}
	if again, err := json.Marshal(got); err != nil || string(again) != string(text) {
		t.Errorf("an edge sends %s, and here it is %s, %v", text, again, err)
	}
}

// TestOutbox sends what an edge counts to the API: names that need care arrive,
// a great many counts are not too many, and what the registry does not have
// makes no rows of its own.
func TestOutbox(t *testing.T) {
	a := start(t, world(), nil)
	box, err := outbox.Open(outbox.Config{
		Dir: t.TempDir(), URL: a.url, Token: func() (string, error) { return "edge", nil }, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	var counts []statistics.Count
	for i := range 8000 {
		name := fmt.Sprintf("%d%s", i, strings.Repeat("\"ü\x01\xff<", 40))
		counts = append(counts, statistics.Count{Category: "os", Dimension: statistics.ByHost, Name: name, Count: 1})
	}
	if err = box.Put(now, counts); err == nil {
		err = box.Send(t.Context())
	}
	if c := box.Counters(); err != nil || c.Sent < 2 || c.Refused > 0 {
		t.Fatalf("%v, %+v", err, c)
	}
	list, err := a.store.Counts(t.Context(), store.CountFilter{Dimension: "host", From: now.Add(-time.Minute), To: now.Add(time.Minute)})
	if err != nil || len(list) != 1 || list[0].Name != "other" || list[0].Count != 8000 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestCounted: an edge that makes up names and numbers does no harm.
func TestCounted(t *testing.T) {
	a := start(t, world(), nil)
	send := func(batch int, category, dimension, name string, count int64) answer {
		return a.ask("edge", "POST", "/v1/statistics", fmt.Sprintf(
			`{"batch":%d,"counts":[{"at":"2026-03-01T11:59:30Z","category":%q,"dimension":%q,"name":%q,"count":%d}]}`, batch, category, dimension, name, count))
	}
	for i, tt := range []struct{ category, dimension, name, want string }{
		{"os", "host", "uni-x/de1", "os uni-x/de1"},
		{"os", "host", "uni-x/none", "os other"},
		{"none", "host", "uni-x/de1", "other uni-x/de1"},
		{"os", "country", "DE", "os DE"},
		{"os", "country", "", "os "},
		{"os", "country", "de", "os other"},
		{"os", "country", "<b>", "os other"},
		{"os", "kind", "metalink3", "os metalink3"},
		{"os", "kind", "anything", "os other"},
		{"os", "arch", "anything", "os other"},
		{"os", "repository", "anything", "os other"},
		{"os", "client", "198.51.100.7", ""},
	} {
		a := start(t, world(), nil)
		body := fmt.Sprintf(`{"batch":%d,"counts":[{"at":"2026-03-01T11:59:30Z","category":%q,"dimension":%q,"name":%q,"count":1}]}`, i+1, tt.category, tt.dimension, tt.name)
		a.ask("edge", "POST", "/v1/statistics", body).want(t, 204)
		list, err := a.store.Counts(t.Context(), store.CountFilter{Dimension: tt.dimension, From: now.Add(-time.Hour), To: now.Add(time.Hour)})
		got := ""
		for _, n := range list {
			got += n.Category + " " + n.Name
		}
		if err != nil || got != tt.want {
			t.Errorf("%+v is counted as %q, %v", tt, got, err)
		}
	}
	send(1, "os", "country", "DE", 1<<62).want(t, 422, "count")
	send(1, "os", "country", "DE", 1_000_000_000).want(t, 204)
}

func TestStatistics(t *testing.T) {
	a := start(t, world(), nil)
	const path = "/v1/statistics"
	batch := `{"batch":1,"counts":[{"at":"2026-03-01T11:59:30Z","category":"os","dimension":"country","name":"DE","count":3}]}`
	a.ask("edge", "POST", path, batch).want(t, 204)
	a.ask("edge", "POST", path, batch).want(t, 204) // sent again
	a.ask("edge", "POST", path, `{"batch":0,"counts":[{"at":"2025-01-01T00:00:00Z","category":"a\u0000","dimension":"","name":"","count":0}]}`).
		want(t, 422, `"batch"`, `"counts[0].at"`, `"counts[0].count"`, `"counts[0]"`, `"counts[0].dimension"`)
	a.ask("root", "POST", path, batch).want(t, 403)
	a.ask("alice", "GET", path+"?dimension=country", "").want(t, 403)
	a.ask("root", "GET", path+"?dimension=country&span=year", "").want(t, 400)
	a.ask("root", "GET", path+"?dimension=country&from=now", "").want(t, 400)
	a.ask("root", "GET", path+"?dimension=country&limit=0", "").want(t, 400)
	a.ask("root", "GET", path, "").want(t, 400, "dimension")
	a.ask("root", "GET", path+"?dimension=country&span=total&category=none", "").want(t, 200, `"counts":[]`)
	a.ask("root", "GET", path+"?dimension=country&span=total&category=os&limit=1", "").
		want(t, 200, `{"counts":[{"category":"os","dimension":"country","name":"DE","count":3}]}`)

	var got web.Counts
	a.ask("root", "GET", path+"?dimension=country&span=minute", "").want(t, 200).into(t, &got)
	want := web.Counts{Counts: []web.Count{{At: now.Add(-60e9), Category: "os", Dimension: "country", Name: "DE", Count: 3}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got): %s", diff)
	}
}
