package share

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Limits of what an edge does for others.
const (
	maxStrangers   = 128              // connections that have shown no key yet
	maxConnections = 512              // those that have
	maxOfNetwork   = 128              // of these
	maxSending     = 32               // answers that are sent at a time, each of which is in memory
	maxSendingTo   = 16               // of these, to one address
	handshake      = 5 * time.Second  // from the first byte to the last of a request's head
	idle           = 2 * time.Minute  // between requests
	slowest        = 64 << 10         // bytes a second that an answer must go or come with
	answerWithin   = 5 * time.Second  // beside that, and beside waiting
	longestWait    = 30 * time.Second // that a peer can ask for
)

// slots are a number of places, of which an address may have a part. The others
// queue.
type slots struct {
	all  chan struct{}
	each int

	mu sync.Mutex
	of map[netip.Addr]*part // guarded by mu
}

// A part is what an address has.
type part struct {
	places chan struct{}
	users  int // that have a place or queue
}

func newSlots(all, each int) *slots {
	return &slots{all: make(chan struct{}, all), each: each, of: map[netip.Addr]*part{}}
}

// take takes a place for an address, and returns what gives it back. It returns
// nil if ctx ends before there is one.
func (s *slots) take(ctx context.Context, who netip.Addr) (free func()) {
	p := s.enter(who)
	select {
	case p.places <- struct{}{}:
	case <-ctx.Done():
		s.leave(who)
		return nil
	}
	select {
	case s.all <- struct{}{}:
	case <-ctx.Done():
		<-p.places
		s.leave(who)
		return nil
	}
	return func() {
		<-s.all
		<-p.places
		s.leave(who)
	}
}

func (s *slots) enter(who netip.Addr) *part {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.of[who]
	if p == nil {
		p = &part{places: make(chan struct{}, s.each)}
		s.of[who] = p
	}
	p.users++
	return p
}

func (s *slots) leave(who netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.of[who]; p.users > 1 {
		p.users--
	} else {
		delete(s.of, who)
	}
}

// addressOf returns the address a request came from.
func addressOf(r *http.Request) netip.Addr {
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return a.Addr().Unmap()
}
