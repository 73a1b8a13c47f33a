package node_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/waypost/waypost/edge/node"
)

// TestReady asks a page that says yes, one that says no, and nobody.
func TestReady(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/yes", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ready: version 7\n")) })
	mux.HandleFunc("/no", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "leaving: told to stop", http.StatusServiceUnavailable)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	for path, want := range map[string]string{
		"/yes": "ready: version 7\n", "/no": "not ready: 503 Service Unavailable: leaving: told to stop",
	} {
		var out strings.Builder
		if err := (&node.ReadyCommand{URL: server.URL + path}).Run(t.Context(), &out); err != nil {
			out.WriteString(err.Error())
		}
		if out.String() != want {
			t.Errorf("%s: got %q, want %q", path, out.String(), want)
		}
	}
	server.Close()
	if err := (&node.ReadyCommand{URL: server.URL}).Run(t.Context(), &strings.Builder{}); err == nil {
		t.Error("nobody there counts as ready")
	}
}
