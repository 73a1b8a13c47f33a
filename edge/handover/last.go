package handover

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A passageListener accepts connections of a passage. When it is closed, what the
// kernel has accepted for it goes to the next process. If there is none, those
// clients have sent requests that nobody would answer: whoever accepts takes them
// first, and closes the listener in the moment in which none is left.
type passageListener struct {
	net.Listener

	passage *Passage
	until   atomic.Pointer[time.Time] // for how long it takes what is left; nil: it is open
}

// Listener returns a listener whose connections are of the passage, each a
// [Conn]. Without a next process it is closed after Close by Accept, within a
// second.
func (g *Passage) Listener(l net.Listener) net.Listener {
	return &passageListener{Listener: l, passage: g}
}

// A queue is a listener that has accepted connections in the kernel, such as one
// for TCP.
type queue interface {
	syscall.Conn
	SetDeadline(t time.Time) error
}

// Accept implements [net.Listener].
func (l *passageListener) Accept() (net.Conn, error) {
	for {
		if l.until.Load() != nil && !l.more() {
			_ = l.Listener.Close() // another time it is closed already
			return nil, net.ErrClosed
		}
		c, err := l.passage.take(l.Listener.Accept)
		switch {
		case err == nil:
			return c, nil
		case l.until.Load() == nil || !errors.Is(err, os.ErrDeadlineExceeded):
			return nil, err
		}
	}
}

// Close implements [net.Listener].
func (l *passageListener) Close() error {
	of, ok := l.Listener.(queue)
	if !ok || l.passage.process.takenOver() {
		return l.Listener.Close()
	}
	until := time.Now().Add(lastRequest)
	l.until.CompareAndSwap(nil, &until)
	return of.SetDeadline(time.Unix(1, 0)) // wakes Accept
}

// more reports whether a connection waits, and is to be accepted yet.
func (l *passageListener) more() bool {
	until := *l.until.Load()
	if time.Now().After(until) {
		return false
	}
	of, _ := l.Listener.(queue)
	_ = of.SetDeadline(until)
	some := 0
	err := control(of, func(fd int) (err error) {
		for {
			some, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
			if !errors.Is(err, unix.EINTR) {
				return err
			}
		}
	})
	return err == nil && some > 0
}
