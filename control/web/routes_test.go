package web

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/control/registry"
)

// TestEveryRouteIsDescribed looks for each line of the table in the OpenAPI
// document, and what each line must have.
func TestEveryRouteIsDescribed(t *testing.T) {
	routes := (&server{}).routes()
	var doc struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal(describe(routes), &doc); err != nil {
		t.Fatal(err)
	}
	open := map[string]bool{"/healthz": true, "/readyz": true, "/openapi.json": true, "/v1/exports/{format}": true}
	described := 0
	for _, r := range routes {
		path := strings.ReplaceAll(r.path, "...}", "}")
		if doc.Paths[path][strings.ToLower(r.method)] == nil || r.text == "" {
			t.Errorf("%s %s is not described", r.method, r.path)
		}
		if (r.scope == "") != open[r.path] || r.do == nil {
			t.Errorf("%s %s: want a scope and something to do", r.method, r.path)
		}
		if r.scope == registry.ScopeRead && r.method != "GET" || r.method == "GET" && r.scope == registry.ScopeWrite {
			t.Errorf("%s %s: the scope is %s", r.method, r.path, r.scope)
		}
	}
	for _, operations := range doc.Paths {
		described += len(operations)
	}
	if described != len(routes) {
		t.Errorf("%d operations are described, want %d", described, len(routes))
	}
}

// A timed connection keeps the deadline that it was given.
type timed struct {
	http.ResponseWriter

	read time.Time
}

func (t *timed) SetReadDeadline(at time.Time) error { t.read = at; return nil }

// TestNoDeadlineWithoutBody looks for read deadlines: net/http takes one that
// passes while nothing is to be read for the end of the client, and would break
// off a long poll.
func TestNoDeadlineWithoutBody(t *testing.T) {
	for method, body := range map[string]string{http.MethodGet: "", http.MethodPut: "{}"} {
		w := &timed{ResponseWriter: httptest.NewRecorder()}
		deadlines(w, httptest.NewRequestWithContext(t.Context(), method, "/", strings.NewReader(body)), time.Minute)
		if w.read.IsZero() != (body == "") {
			t.Errorf("%s with the body %q may be read until %s", method, body, w.read)
		}
	}
}
