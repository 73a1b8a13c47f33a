package web_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/web"
)

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
	a.ask("root", "GET", path+"?span=year", "").want(t, 400)
	a.ask("root", "GET", path+"?from=now", "").want(t, 400)

	var got web.Counts
	a.ask("root", "GET", path+"?dimension=country&span=minute", "").want(t, 200).into(t, &got)
	want := web.Counts{Counts: []web.Count{{At: now.Add(-60e9), Category: "os", Dimension: "country", Name: "DE", Count: 3}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got): %s", diff)
	}
}
