package probe

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waypost/waypost/edge/index"
)

// serveFile serves a file of so many bytes.
func serveFile(w http.ResponseWriter, r *http.Request, size int) {
	http.ServeContent(w, r, "f", time.Time{}, strings.NewReader(strings.Repeat("x", size)))
}

// errorPage sends a page as programs make it, without a length.
func errorPage(w http.ResponseWriter, size int) {
	w.Header().Set("Content-Type", "text/html")
	_ = http.NewResponseController(w).Flush()
	_, _ = io.WriteString(w, strings.Repeat("<", size))
}

// TestAnswers has servers whose answers are not what they seem: by HEAD as by
// GET, they come to the same verdict.
func TestAnswers(t *testing.T) {
	const size = 5000
	tests := []struct {
		name  string
		serve http.HandlerFunc
		want  Verdict
	}{
		{"page of an error", func(w http.ResponseWriter, _ *http.Request) { errorPage(w, 3000) }, Soft404},
		{"long page of an error", func(w http.ResponseWriter, _ *http.Request) { errorPage(w, 200_000) }, Soft404},
		{"page as long as the file", func(w http.ResponseWriter, _ *http.Request) { errorPage(w, size) }, OK},
		{"length by GET only", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				serveFile(w, r, size)
			}
		}, OK},
		{"HEAD is forbidden", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			serveFile(w, r, size)
		}, OK},
		{"HEAD is not allowed, GET fails", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(map[string]int{http.MethodHead: http.StatusMethodNotAllowed, http.MethodGet: http.StatusInternalServerError}[r.Method])
		}, BadStatus},
		{"to a page of an error", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/404.html" {
				serveFile(w, r, 100)
				return
			}
			http.Redirect(w, r, "/404.html", http.StatusFound)
		}, WrongSize},
		{"to another path", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/pub/f" {
				serveFile(w, r, size)
				return
			}
			http.Redirect(w, r, "/pub/f", http.StatusFound)
		}, OK},
		{"to itself", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusMovedPermanently)
		}, BadStatus},
	}
	for _, x := range tests {
		t.Run(x.name, func(t *testing.T) {
			server := httptest.NewServer(x.serve)
			defer server.Close()
			p := planOf(t, server.URL+"/f", size)
			for _, p.thorough = range []bool{false, true} {
				if got := testChecker(nil).probe(t.Context(), p, index.V4); got.Verdict != x.want {
					t.Errorf("ranged %v: %v (%s), want %v", p.thorough, got.Verdict, got.Detail, x.want)
				}
			}
		})
	}
}

// TestToExpired: a host sends all to https, where its certificate has expired.
func TestToExpired(t *testing.T) {
	now := time.Now()
	cert, roots := certificate(t, now.Add(-48*time.Hour), now.Add(-time.Hour))
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	secure.StartTLS()
	defer secure.Close()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, secure.URL+r.URL.Path, http.StatusMovedPermanently)
	}))
	defer plain.Close()
	got := testChecker(roots).probe(t.Context(), planOf(t, plain.URL+"/f", 5), index.V4)
	if got.Verdict != Expired {
		t.Errorf("got %v (%s)", got.Verdict, got.Detail)
	}
}

// TestOther: a host is only bad if neither file is as it should be.
func TestOther(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/good":
			serveFile(w, r, 5)
		case "/long":
			serveFile(w, r, 6)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	tests := []struct {
		first, other string
		want         Verdict
		detail       string
	}{
		{"/good", "/gone", OK, ""},
		{"/gone", "/good", OK, ""},
		{"/long", "/good", OK, ""},
		{"/gone", "/away", Missing, "status 404; /away: status 404"},
		{"/long", "/gone", WrongSize, "size 6, want 5; /gone: status 404"},
		{"/gone", "/broken", Missing, "status 404; /broken: status 500"},
		{"/broken", "/good", BadStatus, "status 500"},
	}
	for _, x := range tests {
		t.Run(x.first+" or "+x.other, func(t *testing.T) {
			p := planOf(t, server.URL+x.first, 5)
			p.other = planOf(t, server.URL+x.other, 5).file
			for _, p.thorough = range []bool{false, true} {
				got := testChecker(nil).probe(t.Context(), p, index.V4)
				if got.Verdict != x.want || got.Detail != x.detail {
					t.Errorf("ranged %v: %v (%s), want %v (%s)", p.thorough, got.Verdict, got.Detail, x.want, x.detail)
				}
			}
		})
	}
}

// TestFirstTrip: the round-trip time is that of the first connection, and later
// questions begin with the address that took it. Each file has the whole timeout.
func TestFirstTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testChecker(nil)
		var dialed []string
		other := "" // what the second file's answer is; "": none
		c.dial = func(ctx context.Context, _, address string) (net.Conn, error) {
			dialed = append(dialed, address)
			switch {
			case len(dialed) == 1:
				time.Sleep(time.Second)
				return nil, syscall.ECONNREFUSED
			case len(dialed) == 2:
				time.Sleep(20 * time.Millisecond)
				return pipe("HTTP/1.1 404 Not Found\r\n\r\n", make(chan struct{})), nil
			case other != "":
				time.Sleep(c.timeout - time.Millisecond)
				return pipe(other, make(chan struct{})), nil
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		p := planOf(t, "http://mirror.test/old", 5)
		p.other = file{url: p.url.JoinPath("new"), size: 6}
		p.addrs = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
		for text, want := range map[string]Result{
			"": {Verdict: Missing, Latency: 1020*time.Millisecond + c.timeout},
			"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n": {Verdict: OK, Latency: 1019*time.Millisecond + c.timeout},
		} {
			other, dialed = text, nil
			got := c.probe(t.Context(), p, index.V4)
			if got.RoundTrip != 20*time.Millisecond || got.Latency != want.Latency || got.Verdict != want.Verdict {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if got := strings.Join(dialed, " "); got != "192.0.2.1:80 192.0.2.2:80 192.0.2.2:80" {
				t.Errorf("dialed %s", got)
			}
		}
	})
}
