package http

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// A server that leaves answers each client once more, and says that this was the
// last answer.
func TestLeave(t *testing.T) {
	s := newFixture()
	addr, stop := serve(t, s)
	defer stop()
	s.Leave()
	for name, request := range map[string]string{
		"HTTP/1.1":             "GET /pub/os/f.iso HTTP/1.1\r\nHost: a\r\n\r\n",
		"HTTP/1.0":             "GET /pub/os/f.iso HTTP/1.0\r\n\r\n",
		"HTTP/1.0, kept":       "GET /pub/os/f.iso HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"HEAD":                 "HEAD /pub/os/f.iso HTTP/1.1\r\nHost: a\r\n\r\n",
		"nothing of that name": "GET /none HTTP/1.1\r\nHost: a\r\n\r\n",
		"pipelined":            strings.Repeat("GET /pub/os/f.iso HTTP/1.1\r\nHost: a\r\n\r\n", 3), // RFC 9112, section 9.6: the others are not looked at
	} {
		got := dialog(t, addr, request)
		if strings.Count(got, "HTTP/1.1 ") != 1 || !strings.Contains(got, "\r\nConnection: close\r\n") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestStopLosesNothing stops a server under load. Requests that are on their way
// over connections that were kept get an answer.
func TestStopLosesNothing(t *testing.T) {
	addr, stop := serve(t, newFixture())
	var clients, asking sync.WaitGroup
	for range 8 {
		asking.Add(1)
		clients.Go(func() { askOn(t, addr, sync.OnceFunc(asking.Done)) })
	}
	asking.Wait()
	stop()
	clients.Wait()
}

// askOn asks until nobody listens at an address any more.
func askOn(t *testing.T, addr string, answered func()) {
	t.Helper()
	defer answered()
	for {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		last := time.Now()
		for n := 0; ; n++ {
			var answer fasthttp.Response
			_, err = io.WriteString(conn, "GET /pub/os/f.iso HTTP/1.1\r\nHost: a\r\n\r\n")
			slow := time.Since(last) > time.Second/2 // the server waits for a second
			last = time.Now()
			if err == nil {
				err = answer.Read(bufio.NewReader(conn))
			}
			if err != nil {
				if n > 0 && !slow {
					t.Errorf("after %d answers: %v", n, err)
				}
				break
			}
			if answered(); answer.ConnectionClose() {
				break
			}
		}
		_ = conn.Close()
	}
}
