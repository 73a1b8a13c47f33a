package handover

import (
	"errors"
	"net"
	"testing"
	"time"
)

// waiting returns a listener of a passage, and clients that the kernel has let in.
func waiting(t *testing.T, g *Passage, clients int) (l net.Listener, addresses map[string]bool) {
	t.Helper()
	inner, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = inner.Close() })
	addresses = map[string]bool{}
	for range clients {
		c, err := net.Dial("tcp4", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		addresses[c.LocalAddr().String()] = true
	}
	return g.Listener(inner), addresses
}

// Clients that nobody has accepted yet are accepted after Close, too, and those
// that come after them are refused.
func TestListenerTakesTheLast(t *testing.T) {
	l, clients := waiting(t, (&Process{}).Passage("lines"), 20)
	enough := time.Now().Add(time.Hour)
	l.(*passageListener).until.Store(&enough)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for len(clients) > 0 {
		c, err := l.Accept()
		if err != nil {
			t.Fatalf("%v, while %d clients wait", err, len(clients))
		}
		delete(clients, c.RemoteAddr().String())
		_ = c.Close()
	}
	for range 2 {
		if c, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v, %v, want %v", c, err, net.ErrClosed)
		}
	}
	if c, err := net.Dial("tcp4", l.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("it is still open")
	}
}

// Close ends an Accept that waits, and clients that come without end do not keep
// the listener open.
func TestListenerEnds(t *testing.T) {
	g := (&Process{}).Passage("lines")
	l, _ := waiting(t, g, 0)
	ended := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		ended <- err
	}()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want %v", err, net.ErrClosed)
	}
	l, _ = waiting(t, g, 1)
	over := time.Now()
	l.(*passageListener).until.Store(&over)
	if c, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v, %v, want %v", c, err, net.ErrClosed)
	}
}

// Clients that nobody has accepted yet stay for the next process.
func TestListenerLeavesTheLast(t *testing.T) {
	old, fresh := pair(t, func(*Process) {})
	l, _ := waiting(t, old.Passage("lines"), 1)
	fresh.Ready()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v, %v, want %v", c, err, net.ErrClosed)
	}
}
