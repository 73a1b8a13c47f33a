package node_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/node"
)

// TestUpgradeCommand: it says what it waits for before it waits, and in the end
// what came of it, and when.
func TestUpgradeCommand(t *testing.T) {
	const waits = `^waiting until a new process of the edge at \S+ answers, for 30s at most; Ctrl-C ends the waiting, not the upgrade\n$`
	done := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"old":{"pid":7,"version":"v1"},"new":{"pid":8,"version":"v2"}}`))
	}
	tests := []struct {
		name   string
		serve  func(interrupt func()) http.HandlerFunc
		out    string
		failed string // "": it does not
	}{
		{"upgraded", func(func()) http.HandlerFunc { return done }, `^process 8 \(v2\) has taken the place of 7 \(v1\), after [0-9.]+m?s\n$`, ""},
		{"refused", func(func()) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusConflict) }
		}, "^$", `^the old process goes on, after [0-9.]+m?s: no$`},
		{"Ctrl-C", func(interrupt func()) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) {
				interrupt()
				<-r.Context().Done()
			}
		}, "^$", `^not waiting any more, after [0-9.]+m?s: an upgrade that has begun goes on, and the edge's log says how it ends$`},
	}
	for _, x := range tests {
		t.Run(x.name, func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			var notes, out bytes.Buffer
			serve := x.serve(interrupt)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !regexp.MustCompile(waits).Match(notes.Bytes()) || r.FormValue("within") != "30s" {
					t.Errorf("before it is asked for %v, it says %q", r.Form, &notes)
				}
				serve(w, r)
			}))
			defer server.Close()
			c := node.UpgradeCommand{Within: 30 * time.Second, Notes: &notes}
			c.Admin = strings.TrimPrefix(server.URL, "http://")
			err := c.Run(ctx, &out)
			if (err == nil) != (x.failed == "") || err != nil && !regexp.MustCompile(x.failed).MatchString(err.Error()) {
				t.Errorf("failed with %v, want %s", err, x.failed)
			}
			if !regexp.MustCompile(x.out).Match(out.Bytes()) {
				t.Errorf("said %q, want %s", &out, x.out)
			}
		})
	}
}
