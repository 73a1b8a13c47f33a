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
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("the start page\n")) })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "drained", http.StatusServiceUnavailable) })
	server := httptest.NewServer(mux)
	defer server.Close()
	const drained = "not ready: 503 Service Unavailable: drained"
	for url, want := range map[string]string{
		server.URL + "/yes": "ready: version 7\n", server.URL + "/no": "not ready: 503 Service Unavailable: leaving: told to stop",
		server.URL: drained, server.URL + "/": drained, strings.TrimPrefix(server.URL, "http://"): drained,
		"": `want HOST:PORT or a URL, got ""`, "http://[::1": `want HOST:PORT or a URL, got "http://[::1"`,
	} {
		var out strings.Builder
		if err := (&node.ReadyCommand{URL: url}).Run(t.Context(), &out); err != nil {
			out.WriteString(err.Error())
		}
		if out.String() != want {
			t.Errorf("%s: got %q, want %q", url, out.String(), want)
		}
	}
	server.Close()
	if err := (&node.ReadyCommand{URL: server.URL}).Run(t.Context(), &strings.Builder{}); err == nil {
		t.Error("nobody there counts as ready")
	}
}
