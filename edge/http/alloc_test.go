//go:build !race

package http

import (
	"net"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestAllocs(t *testing.T) {
	s := newFixture()
	tests := []struct {
		name   string
		peer   string
		uri    string
		header []string
	}{
		{"known file", german, "/pub/os/f.iso", nil},
		{"unlisted file", german, "/pub/os/x/y%20z.iso", nil},
		{"directory", german, "/pub/os", nil},
		{"v6", german6, "/pub/os/f.iso", nil},
		{"private", insider, "/pub/os/f.iso", nil},
		{"forwarded", proxy, "/pub/os/f.iso", []string{"X-Forwarded-For", "6.6.6.6, 203.0.113.7, 10.0.0.2", "X-Forwarded-Proto", "https"}},
		{"parameters", proxy, "/pub/os/f.iso?country=us,de&avoid_country=fr&protocol=https&ip=192.0.2.1", nil},
		{"zypper", german, "/pub/os/f.iso", []string{"Accept", "*/*, application/metalink+xml, application/metalink4+xml"}},
		{"curl", german, "/pub/os/f.iso", []string{"Accept", "*/*"}},
		{"not modified", german, "/pub/os/f.iso", []string{"If-None-Match", `"694c2a20-a00000"`}},
		{"hash", german, "/pub/os/f.iso.sha256", nil},
		{"unknown", german, "/none", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			handle := reused(s, test.peer, test.uri, test.header...)
			if n := testing.AllocsPerRun(100, func() { handle() }); n > 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

// reused returns a function that handles one request again and again in the
// same memory, as fasthttp's server does.
func reused(s *Server, peer, uri string, header ...string) func() *fasthttp.RequestCtx {
	var req fasthttp.Request
	req.Header.SetRequestURI(uri)
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP(peer), Port: 4711}, nil)
	return func() *fasthttp.RequestCtx {
		ctx.Response.Reset()
		s.Handle(ctx)
		return ctx
	}
}

func BenchmarkHandle(b *testing.B) {
	s := newFixture()
	for _, test := range []struct{ name, uri string }{
		{"redirect/known file", "/pub/os/f.iso"},
		{"redirect/unlisted file", "/pub/os/x/y.iso"},
		{"meta4", "/pub/os/f.iso.meta4"},
		{"metalink", "/pub/os/f.iso.metalink"},
		{"page", "/pub/os/f.iso?mirrorlist"},
	} {
		b.Run(test.name, func(b *testing.B) {
			handle := reused(s, german, test.uri)
			b.ReportAllocs()
			for b.Loop() {
				handle()
			}
		})
	}
}
