package service

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestBehindProxies(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	tests := []struct {
		name, peer string
		forwarded  []string
		want       string // the client; the proto that it is said to speak
		proto      string
	}{
		{"no proxy", "192.0.2.1:5", nil, "192.0.2.1:5", ""},
		{"nobody to trust", "192.0.2.1:5", []string{"203.0.113.9"}, "192.0.2.1:5", ""},
		{"a proxy", "10.0.0.1:5", []string{"203.0.113.9"}, "203.0.113.9:0", "https"},
		{"mapped", "[::ffff:10.0.0.1]:5", []string{"::ffff:203.0.113.9"}, "203.0.113.9:0", "https"},
		{"what the client made up", "10.0.0.1:5", []string{"6.6.6.6, 203.0.113.9 ,, 10.0.0.2"}, "203.0.113.9:0", "https"},
		{"lines", "10.0.0.1:5", []string{"6.6.6.6", "203.0.113.9", "2001:db8::7"}, "203.0.113.9:0", "https"},
		{"port", "10.0.0.1:5", []string{"203.0.113.9:4711"}, "203.0.113.9:0", "https"},
		{"v6", "[2001:db8::1]:5", []string{"2a00::1%eth0"}, "[2a00::1]:0", "https"},
		{"junk", "10.0.0.1:5", []string{"203.0.113.9, unknown, 10.0.0.2"}, "10.0.0.2:0", "https"},
		{"the proxy itself", "10.0.0.1:5", nil, "10.0.0.1:0", "https"},
		{"no address", "@", []string{"203.0.113.9"}, "@", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
			r.RemoteAddr = tt.peer
			r.Header["X-Forwarded-For"] = tt.forwarded
			r.Header.Set("X-Forwarded-Proto", "https")
			behind(trusted, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.RemoteAddr != tt.want || r.Header.Get("X-Forwarded-Proto") != tt.proto {
					t.Errorf("client %s by %q, want %s by %q", r.RemoteAddr, r.Header.Get("X-Forwarded-Proto"), tt.want, tt.proto)
				}
			})).ServeHTTP(httptest.NewRecorder(), r)
		})
	}
}
