package web_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// publish publishes a manifest of some bytes with one section.
func (a api) publish(version uint64, data, section string) (name string) {
	a.t.Helper()
	if err := a.store.PutSections(a.t.Context(), []byte(section)); err != nil {
		a.t.Fatal(err)
	}
	name = fmt.Sprintf("%x", sha256.Sum256([]byte(section)))
	l, ok, err := a.store.Acquire(a.t.Context(), "publish", "test", time.Minute)
	if err != nil || !ok {
		a.t.Fatal(ok, err)
	}
	m := store.Manifest{Version: version, Created: now, Data: []byte(data), Sections: []string{name}}
	if err := errors.Join(a.store.PutManifest(a.t.Context(), l, m), a.store.Release(a.t.Context(), l)); err != nil {
		a.t.Fatal(err)
	}
	return name
}

func TestSnapshots(t *testing.T) {
	a := start(t, world(), nil)
	const manifest = "/v1/snapshot/manifest"
	a.ask("edge", "GET", manifest, "").want(t, 404, "nothing is published yet")
	a.ask("edge", "GET", manifest+"?wait=soon", "").want(t, 400)

	section := a.publish(7, "first", "some content")
	first := a.ask("edge", "GET", manifest, "").want(t, 200, "first")
	tag := first.header.Get("ETag")
	a.ask("edge", "GET", manifest, "", "If-None-Match: "+tag).want(t, 304)
	a.ask("edge", "GET", manifest, "", "If-None-Match: W/"+tag).want(t, 304)
	a.ask("edge", "GET", manifest+"?wait=50ms", "", "If-None-Match: "+tag).want(t, 304)

	news := make(chan answer)
	go func() { news <- a.ask("edge", "GET", manifest+"?wait=30s", "", "If-None-Match: "+tag) }()
	a.publish(8, "second", "more content")
	if got := (<-news).want(t, 200, "second"); got.header.Get("ETag") == tag {
		t.Errorf("the ETag is still %s", tag)
	}

	got := a.ask("edge", "GET", "/v1/snapshot/sections/"+section, "").want(t, 200)
	if got.body != "some content" || !strings.Contains(got.header.Get("Cache-Control"), "immutable") {
		t.Errorf("a section: %+v", got)
	}
	a.ask("edge", "GET", "/v1/snapshot/sections/"+wire.HashOf(nil).String(), "").want(t, http.StatusNotFound)
	a.ask("edge", "GET", "/v1/snapshot/sections/..", "").want(t, http.StatusNotFound)
	a.ask("edge", "GET", "/v1/snapshot/sections/abc", "").want(t, http.StatusBadRequest)

	a.ask("root", "GET", "/v1/snapshots", "").want(t, 200, `[{"version":8,`, `{"version":7,`)
	a.ask("root", "POST", "/v1/actions/rollback", `{"version":7}`).want(t, 202)
	a.ask("root", "GET", "/v1/jobs?kind=rollback", "").want(t, 200, `"state":"queued"`)
	jobs, err := a.store.Jobs(t.Context(), store.JobFilter{})
	if err != nil || len(jobs) != 1 || jobs[0].Payload != `{"version":7}` {
		t.Errorf("jobs: %+v, %v", jobs, err)
	}
}

// TestBrokenOff lets the server end while it answers: nobody may take that for
// success.
func TestBrokenOff(t *testing.T) {
	a := start(t, world(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodPatch, "/v1/host/uni-x/de1", strings.NewReader(`{"bandwidth":1}`))
	r.Header.Set("Authorization", "Bearer root")
	web.New(web.Config{Store: a.store}).ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503: %s", w.Code, w.Body)
	}
}
