package http

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// serve starts s on a loopback port and returns its address and a function
// that stops it and waits.
func serve(t *testing.T, s *Server) (addr string, stop func()) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	return ln.Addr().String(), func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// dialog sends text over one connection and returns what comes back until the
// other side closes.
func dialog(t *testing.T, addr, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	out, _ := io.ReadAll(conn) // a reset is an end, too
	return string(out)
}

func TestServe(t *testing.T) {
	addr, stop := serve(t, newFixture())
	defer stop()
	const last = "Connection: close\r\n\r\n"
	tests := []struct{ name, in, want string }{
		{"get", "GET /pub/os/f.iso HTTP/1.1\r\nHost: a\r\n" + last, "HTTP/1.1 302 Found\r\nServer: waypost\r\n"},
		{"head", "HEAD /pub/os/f.iso.meta4 HTTP/1.1\r\nHost: a\r\n" + last, "Content-Type: application/metalink4+xml\r\n"},
		{"old", "GET /pub/os/f.iso HTTP/1.0\r\n\r\n", "302 Found"},
		{"pipelined", "GET /none HTTP/1.1\r\nHost: a\r\n\r\nGET /pub/os/f.iso HTTP/1.1\r\nHost: a\r\n" + last, "HTTP/1.1 302 Found"},
		{"post", "POST /pub/os HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n" + last + "a=b", "405 Method Not Allowed"},
		{"options", "OPTIONS * HTTP/1.1\r\nHost: a\r\n" + last, "HTTP/1.1 204 No Content"},
		{"long body", "POST /pub/os HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n" + last, "HTTP/1.1 4"},
		{"long header", "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 2*maxHeader) + "\r\n" + last, "431 "},
		{"garbage", "\x16\x03\x01\x02\x00\x01\r\n\r\n", "400 "},
		{"header injection", "GET /pub/os/a%0d%0ab HTTP/1.1\r\nHost: a\r\n" + last, "400 "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := dialog(t, addr, test.in)
			if !strings.Contains(got, test.want) {
				t.Errorf("got %q, want it to have %q", got, test.want)
			}
			if test.name == "head" && !strings.HasSuffix(got, "\r\n\r\n") {
				t.Errorf("HEAD has a body: %q", got)
			}
		})
	}
}

// Behind a proxy that counts the bytes of a body otherwise, the second request
// would be answered to somebody else.
func TestServeNothingAfterABody(t *testing.T) {
	addr, stop := serve(t, newFixture())
	defer stop()
	const second = "GET /pub/os/second HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, head := range []string{
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 50\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
	} {
		got := dialog(t, addr, head+second)
		if strings.Count(got, "HTTP/1.1 ") != 1 || !strings.Contains(got, "Connection: close\r\n") {
			t.Errorf("to %q: %q", head, got)
		}
	}
}

// Connections of ordinary requests are kept, or proxies would pay for it.
func TestServeKeepsConnections(t *testing.T) {
	addr, stop := serve(t, newFixture())
	defer stop()
	const get = "GET /pub/os/f.iso HTTP/1.1\r\nHost: a\r\n\r\n"
	got := dialog(t, addr, get+"HEAD"+get[len("GET"):]+"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if strings.Count(got, "HTTP/1.1 302") != 2 || !strings.Contains(got, "HTTP/1.1 200") {
		t.Errorf("got %q", got)
	}
}

func TestServeStops(t *testing.T) {
	s := newFixture()
	addr, stop := serve(t, s)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprint(conn, "GET /pub/os/f.iso HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	var res fasthttp.Response
	if err := res.Read(bufio.NewReader(conn)); err != nil || res.StatusCode() != fasthttp.StatusFound {
		t.Fatalf("%v: %s", err, &res)
	}
	stop() // although the connection is kept alive
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("the listener is still open")
	}
}

// A server that is told to stop before it begins must not begin.
func TestServeStopsBeforeItBegins(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := newFixture().Serve(ctx, ln); err != nil {
			t.Fatal(err)
		}
	}
}
