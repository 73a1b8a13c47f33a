package node

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestGuard(t *testing.T) {
	n := &Node{config: &Config{Name: "edge1.example.org"}}
	pages := n.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, x := range []struct {
		name, method, path, host, origin string
		want                             int
	}{
		{"order by address", "POST", "/upgrade", "127.0.0.1:9090", "", 200},
		{"IPv6", "POST", "/upgrade", "[::1]:9090", "", 200},
		{"IPv6 without a port", "GET", "/health", "[::1]", "", 200},
		{"localhost", "POST", "/upgrade", "localhost:9090", "", 200},
		{"service of containers", "GET", "/explain", "edge:9090", "", 200},
		{"the edge's name", "POST", "/cluster/drain", "Edge1.example.org.:9090", "", 200},
		{"order of a web page", "POST", "/upgrade", "127.0.0.1:9090", "https://evil.example", 403},
		{"order of a file", "POST", "/cluster/keys/remove", "127.0.0.1:9090", "null", 403},
		{"rebinding", "POST", "/upgrade", "evil.example:9090", "http://evil.example:9090", 403},
		{"reading by rebinding", "GET", "/explain", "evil.example:9090", "", 403},
		{"Prometheus", "GET", "/metrics", "edge.internal.example.org:9090", "", 200},
		{"load balancer", "GET", "/readyz", "www.example.org", "", 200},
		{"order beside readyz", "POST", "/readyz", "127.0.0.1:9090", "https://evil.example", 403},
		{"no host", "GET", "/health", "", "", 200},
	} {
		t.Run(x.name, func(t *testing.T) {
			r := httptest.NewRequest(x.method, x.path, nil)
			r.Host = x.host
			if x.origin != "" {
				r.Header.Set("Origin", x.origin)
			}
			w := httptest.NewRecorder()
			pages.ServeHTTP(w, r)
			if w.Code != x.want {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, x.want)
			}
		})
	}
}
