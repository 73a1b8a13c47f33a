package service_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/service"
	"github.com/waypost/waypost/control/store"
)

// TestMetrics runs a control plane with admin pages and looks at its metrics,
// and at what became of old statistics.
func TestMetrics(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := service.New(ctx, service.Config{
		DataDir: t.TempDir(), Listen: netip.MustParseAddrPort("127.0.0.1:0"),
		Database: "sqlite:" + filepath.Join(t.TempDir(), "control.db"), SigningKeyFile: filepath.Join(t.TempDir(), "snapshot.key"),
		Admin: &service.AdminConfig{Listen: netip.MustParseAddrPort("127.0.0.1:0")}, Workers: 1,
	}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	db := s.Store()
	for _, o := range []registry.Object{
		&registry.Site{Name: "site", State: registry.Approved, Activity: registry.Activity{AdminActive: true, UserActive: true}},
		&registry.Category{Name: "os", Path: "pub/os"}, host("good", "http://127.0.0.1:1"),
	} {
		if _, err = db.Apply(ctx, "test", store.Put(o, 0)); err != nil {
			t.Fatal(err)
		}
	}
	old := store.Count{At: time.Now().Add(-5 * store.Day), Category: "os", Dimension: "country", Name: "DE", Count: 7}
	if err = db.AddCounts(ctx, "edge1", 1, []store.Count{old}); err != nil {
		t.Fatal(err)
	}
	if err = s.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	api, admin := "http://"+s.Addr().String(), "http://"+s.AdminAddr().String()
	post(t, api+"/xmlrpc", "text/xml", "<methodCall/>")
	post(t, api+"/v1/checkin", "application/json", "{}")
	_ = read(t, api+"/v1/status") // without a token
	if code, _ := ask(t, api+"/metrics"); code != http.StatusNotFound {
		t.Errorf("/metrics on the public address answers %d", code)
	}
	await(t, "old statistics to be aged", func() bool {
		return strings.Contains(read(t, admin+"/metrics"), `waypost_control_jobs_total{kind="age",result="done"} 1`)
	})
	await(t, "a snapshot", func() bool {
		return strings.Contains(read(t, admin+"/metrics"), "\nwaypost_control_snapshot_version 1")
	})
	text := read(t, admin+"/metrics")
	for _, want := range []string{
		`waypost_control_http_requests_total{code="401",route="GET /v1/status"} 1`,
		`waypost_control_checkins_total{protocol="xmlrpc",result="refused"} 1`, `waypost_control_checkins_total{protocol="api",result="refused"} 1`,
		`waypost_control_hosts{active="true",state="approved"} 1`, `waypost_control_jobs{kind="age",state="done"} 1`,
		`waypost_control_job_seconds_count{kind="age"} 1`, `waypost_control_publications_total{result="done"}`, "waypost_control_publish_seconds_count",
		"waypost_control_snapshot_age_seconds", "waypost_control_snapshot_bytes", "waypost_control_database_errors_total 0", "waypost_control_database_up 1",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, name := range regexp.MustCompile(`(?m)^# TYPE (waypost_control_\w+)`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(text, "# HELP "+name[1]+" ") {
			t.Errorf("%s has no help", name[1])
		}
	}
	f := store.CountFilter{Dimension: "country", From: old.At.Add(-2 * store.Day), To: time.Now(), Span: store.Minute}
	if counts, bad := db.Counts(ctx, f); bad != nil || len(counts) != 0 {
		t.Errorf("minutes that are left: %v, %v", counts, bad)
	}
	f.Span = 0
	if counts, bad := db.Counts(ctx, f); bad != nil || len(counts) != 1 || counts[0].Count != 7 {
		t.Errorf("after aging: %v, %v", counts, bad)
	}
	cancel()
	if err = <-done; err != nil {
		t.Error(err)
	}
}

func ask(t *testing.T, url string) (code int, body string) {
	t.Helper()
	response, err := http.Get(url) //nolint:noctx // the test ends it
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func read(t *testing.T, url string) string {
	t.Helper()
	_, body := ask(t, url)
	return body
}

func post(t *testing.T, url, kind, body string) {
	t.Helper()
	response, err := http.Post(url, kind, strings.NewReader(body)) //nolint:noctx // the test ends it
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}
