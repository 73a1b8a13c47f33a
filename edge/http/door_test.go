package http

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// A scarce listener has no descriptors left at first.
type scarce struct {
	net.Listener

	fails int
}

func (s *scarce) Accept() (net.Conn, error) {
	if s.fails > 0 {
		s.fails--
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
	}
	return s.Listener.Accept()
}

// A connection that cannot be accepted is no reason to end.
func TestServeWithoutDescriptors(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newFixture()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, &scarce{ln, 3}) }()
	if got := dialog(t, ln.Addr().String(), "GET / HTTP/1.0\r\n\r\n"); got == "" {
		t.Error("no answer")
	}
	cancel()
	if err := <-done; err != nil || s.Counters().Failed != 3 {
		t.Errorf("%v, %+v", err, s.Counters())
	}
}

// Of too many connections the last ones are refused, until others end.
func TestServeTooMany(t *testing.T) {
	s := newFixture()
	s.door.most = 2
	addr, stop := serve(t, s)
	defer stop()
	works := func() (net.Conn, error) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if err = c.SetDeadline(time.Now().Add(time.Minute)); err == nil {
			_, err = fmt.Fprint(c, "GET /pub/os/f.iso HTTP/1.1\r\nHost: a\r\n\r\n")
		}
		var res fasthttp.Response
		return c, errors.Join(err, res.Read(bufio.NewReader(c)))
	}
	first, err := works()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = works(); err != nil {
		t.Fatal(err)
	}
	if _, err = works(); err == nil {
		t.Error("a third connection is served")
	}
	if c := s.Counters(); c.Open != 2 || c.Refused != 1 {
		t.Errorf("%+v", c)
	}
	_ = first.Close()
	for s.Counters().Open == 2 {
		<-time.After(time.Millisecond)
	}
	if _, err = works(); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
}

func TestDescriptors(t *testing.T) {
	if n := descriptors(); n < 1 || n > 2*maxConnections || New(Config{}).door.most != n/2 {
		t.Errorf("%d descriptors, and %d connections", n, New(Config{}).door.most)
	}
}
