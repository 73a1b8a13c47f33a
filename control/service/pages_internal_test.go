package service

import (
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/registry"
)

// TestPages shows that a control plane has pages beside its API.
func TestPages(t *testing.T) {
	dir := t.TempDir()
	c := Config{DataDir: dir, Listen: netip.MustParseAddrPort("127.0.0.1:0")}
	c.Resolve(filepath.Dir(dir))
	s, err := New(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
	for path, want := range map[string]string{"/": "<h1>Mirrors</h1>", "/login": "Sign in", "/healthz": "ok", "/v1/nothing": `{"error"`} {
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// TestApplicants shows who hears what became of an application.
func TestApplicants(t *testing.T) {
	site := &registry.Site{Name: "uni-x", Admins: []string{"alice", "bob"}, Contacts: []string{"x@example.org", "a@example.org"}, State: registry.Approved}
	host := &registry.Host{
		Name: "de1", Site: "uni-x", Contacts: []string{"h@example.org"}, State: registry.Rejected, Activity: registry.Activity{Reason: "slow"},
	}
	w := registry.NewWorld(func(yield func(registry.Object) bool) {
		_ = yield(site) && yield(&registry.User{Name: "alice", Mail: "a@example.org"}) && yield(&registry.User{Name: "bob"})
	})
	for _, tt := range []struct {
		o      registry.Object
		state  registry.State
		reason string
		to     []string
	}{
		{site, registry.Approved, "", []string{"a@example.org", "x@example.org"}},
		{host, registry.Rejected, "slow", []string{"a@example.org", "h@example.org", "x@example.org"}},
		{&registry.Host{Name: "x", Site: "gone"}, "", "", nil},
	} {
		state, reason, to := applicants(w, tt.o)
		if diff := cmp.Diff(tt.to, to); state != tt.state || reason != tt.reason || diff != "" {
			t.Errorf("%s: %s %q (-want +got): %s", registry.Name(tt.o), state, reason, diff)
		}
	}
}
