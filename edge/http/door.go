package http

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// A door counts the connections of a server, over all its listeners, and lets in
// as many as there may be.
type door struct {
	most int64

	open    atomic.Int64
	refused atomic.Uint64
	failed  atomic.Uint64 // accepts
	said    atomic.Int64  // when operators were told last, Unix seconds
}

// descriptors is how many file descriptors the process may have (RLIMIT_NOFILE).
func descriptors() int64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return int64(min(limit.Cur, maxConnections*2))
}

// enter reports whether one more connection may be open. It is counted until
// leave.
func (s *Server) enter() bool {
	if s.door.open.Add(1) <= s.door.most {
		return true
	}
	s.door.leave()
	s.door.refused.Add(1)
	s.complain("connections are refused: too many are open", "most", s.door.most)
	return false
}

func (d *door) leave() { d.open.Add(-1) }

// complainEvery is how often operators are told that connections get lost, in seconds.
const complainEvery = 60

func (s *Server) complain(what string, args ...any) {
	now, last := time.Now().Unix(), s.door.said.Load()
	if now-last >= complainEvery && s.door.said.CompareAndSwap(last, now) {
		s.config.Logger.Error(what, args...)
	}
}

// A guarded listener is one that its server does not give up: fasthttp ends
// with the first connection that cannot be accepted, such as when there are no
// descriptors left.
type guarded struct {
	net.Listener

	server *Server
}

// acceptAgain is the pause after a connection that could not be accepted.
const acceptAgain = 10 * time.Millisecond

// Accept implements [net.Listener]. Its errors are [net.ErrClosed].
func (g guarded) Accept() (net.Conn, error) {
	s := g.server
	for {
		c, err := g.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil, err
		case err != nil:
			s.door.failed.Add(1)
			s.complain("a connection could not be accepted; it is tried again", "listener", g.Addr(), "error", err)
			<-time.After(acceptAgain)
		case s.enter():
			return c, nil
		default:
			_ = c.Close()
		}
	}
}
