package ctl

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/waypost/waypost/control/registry"
)

// TestEditAgain changes a host that somebody else changes at the same time:
// what both wanted is there in the end.
func TestEditAgain(t *testing.T) {
	reads, written := 0, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			reads++
			w.Header().Set("ETag", strings.Repeat("x", reads))
			_, _ = io.WriteString(w, `{"netblocks":["192.0.2.`+strings.Repeat("1", reads)+`"]}`)
			return
		}
		if reads < 3 {
			w.WriteHeader([]int{http.StatusPreconditionFailed, http.StatusConflict}[reads-1])
			_, _ = io.WriteString(w, `{"error":"somebody else has changed it"}`)
			return
		}
		body, _ := io.ReadAll(r.Body)
		written = r.Header.Get("If-Match") + string(body)
		_, _ = io.WriteString(w, `{}`)
	}))
	defer server.Close()
	var out bytes.Buffer
	err := edit(t.Context(), &client{base: server.URL, http: server.Client()}, &printer{out: &out}, "uni-x/de1", func(h *registry.Host) error {
		h.Netblocks = append(h.Netblocks, "2001:db8::1")
		return nil
	})
	if want := `xxx{"carries":null,"netblocks":["192.0.2.111","2001:db8::1"]}`; err != nil || written != want || reads != 3 {
		t.Errorf("after %d reads %s was written, want %s: %v", reads, written, want, err)
	}
}

// TestNoControlPlane asks something else.
func TestNoControlPlane(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("https://elsewhere.example.org/", http.StatusFound))
	defer server.Close()
	c := &client{base: server.URL, token: "secret", http: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	_, err := c.ask(t.Context(), http.MethodGet, "/v1/site", nil)
	if err == nil || !strings.Contains(err.Error(), "answered 302 Found") || !strings.Contains(err.Error(), "is it a control plane?") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}
