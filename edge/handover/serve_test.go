package handover

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener without a network.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

// Connections that nobody asked anything by do not delay the end; a request does,
// but no longer than it may.
func TestServeEnds(t *testing.T) {
	for name, test := range map[string]struct{ answer, took time.Duration }{
		"nobody asks": {0, 0}, "an answer is waited for": {2 * time.Second, 2 * time.Second}, "but not for ever": {time.Hour, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &pipes{make(chan net.Conn), make(chan struct{})}
				ctx, stop := context.WithCancel(t.Context())
				server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					select {
					case <-time.After(test.answer):
					case <-r.Context().Done():
					}
				})}
				ended := make(chan error)
				go func() { ended <- Serve(ctx, server, l, 5*time.Second) }()
				unused, from := net.Pipe()
				l.conns <- from
				asked, from := net.Pipe()
				l.conns <- from
				status := make(chan string, 1)
				go func() {
					if test.answer > 0 {
						_, _ = io.WriteString(asked, "GET / HTTP/1.1\r\nHost: waypost\r\n\r\n")
					}
					line, _ := bufio.NewReader(asked).ReadString('\n')
					status <- line
				}()
				synctest.Wait()
				start := time.Now()
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				if took := time.Since(start).Truncate(time.Second); took != test.took {
					t.Errorf("it took %v, want %v", took, test.took)
				}
				if line := <-status; (line != "") != (test.answer == 2*time.Second) {
					t.Errorf("an answer of %v: %q", test.answer, line)
				}
				if _, err := unused.Read(make([]byte, 1)); err == nil {
					t.Error("the unused connection is open")
				}
			})
		})
	}
}

// What stops a server is said.
func TestServeFails(t *testing.T) {
	l := &pipes{make(chan net.Conn), make(chan struct{})}
	_ = l.Close()
	if err := Serve(t.Context(), &http.Server{ReadHeaderTimeout: time.Second}, l, time.Second); err == nil {
		t.Error("no error")
	}
}

// A request that has come is answered, though the server was told to stop in the
// same moment.
func TestServeAnswersWhatCame(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			l := &pipes{make(chan net.Conn), make(chan struct{})}
			ctx, stop := context.WithCancel(t.Context())
			server := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
			ended := make(chan error)
			go func() { ended <- Serve(ctx, server, l, time.Second) }()
			asked, from := net.Pipe()
			l.conns <- from
			go func() {
				_, _ = io.WriteString(asked, "GET / HTTP/1.1\r\nHost: waypost\r\n\r\n")
				stop()
			}()
			if line, err := bufio.NewReader(asked).ReadString('\n'); err != nil {
				t.Errorf("%q, %v", line, err)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
