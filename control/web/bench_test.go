package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/web"
)

// BenchmarkRequest asks what it costs to answer in a registry of 1,000 hosts
// and as many tokens, with authentication and SQLite.
func BenchmarkRequest(b *testing.B) {
	objects := world()
	for i := range 1000 {
		h := &registry.Host{Site: "uni-x", Name: fmt.Sprint("h", i), State: registry.Approved}
		objects = append(objects, h, token(fmt.Sprint("t", i), "", h.Key(), "", registry.ScopeCheckin))
	}
	a := start(b, objects, nil)
	handler := web.New(web.Config{Store: a.store})
	for _, path := range []string{"/v1/host/uni-x/de1", "/v1/host", "/v1/status"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				w := httptest.NewRecorder()
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil)
				r.Header.Set("Authorization", "Bearer root")
				if handler.ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
