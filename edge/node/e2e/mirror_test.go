//go:build e2e

package e2e

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// A mirror serves a folder over HTTP, and counts.
type mirror struct {
	url  string
	gets atomic.Int64 // GET requests of clients; those of probes, after a failure, do not count
	dead atomic.Bool  // connections end without an answer
}

func startMirror(t *testing.T, dir string) *mirror {
	t.Helper()
	m := &mirror{}
	files := http.FileServer(http.Dir(dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && !strings.HasPrefix(r.UserAgent(), "waypost") {
			m.gets.Add(1)
		}
		if m.dead.Load() {
			panic(http.ErrAbortHandler)
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	m.url = server.URL
	return m
}

// deadURL returns a URL at which nobody listens.
func deadURL(t *testing.T) string {
	t.Helper()
	return "http://" + freeAddr(t)
}
