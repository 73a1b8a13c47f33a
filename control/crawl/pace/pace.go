// Package pace keeps crawls polite: how many hosts are looked at at once, how
// many connections and requests a second all crawls together make, and how
// many each server sees, whichever crawl they are from.
//
//	l := pace.New(pace.Limits{Hosts: 20, Requests: 500}) // shared by all crawls of a process
//	defer l.Enter(ctx)()                         // one host
//	s := l.Server("de1.example.org", pace.Rate{Connections: 4, Requests: 20})
//	release, err := s.Acquire(ctx)               // one request
//
// Everything here is safe for use by several goroutines.
package pace

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A Rate is what one server is asked to bear.
type Rate struct {
	Connections int     // requests under way at once; at least 1
	Requests    float64 // begun in a second; 0: no limit
}

// Limits are those of all crawls of a process together; 0 is no limit.
type Limits struct {
	Hosts       int     // looked at at once
	Connections int     // requests under way at once
	Requests    float64 // begun in a second
}

// A Limiter is shared by all crawls of a process.
type Limiter struct {
	hosts       chan struct{} // nil: no limit
	connections chan struct{} // nil: no limit
	all         *rate.Limiter

	mu      sync.Mutex
	servers map[string]*Server // those in use, and those that were a moment ago
	swept   time.Time          // when the others were forgotten
}

// New returns a limiter.
func New(l Limits) *Limiter {
	return &Limiter{
		hosts: slots(l.Hosts), connections: slots(l.Connections), all: limiter(l.Requests),
		servers: map[string]*Server{},
	}
}

// slots returns a channel that takes n; nil for no limit.
func slots(n int) chan struct{} {
	if n <= 0 {
		return nil
	}
	return make(chan struct{}, n)
}

// limiter returns a token bucket that holds what a second brings.
func limiter(perSecond float64) *rate.Limiter {
	if perSecond <= 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
}

// Enter waits until one host more may be looked at. The caller calls leave
// when it is done.
func (l *Limiter) Enter(ctx context.Context) (leave func(), err error) {
	if l.hosts == nil {
		return func() {}, ctx.Err()
	}
	select {
	case l.hosts <- struct{}{}:
		return func() { <-l.hosts }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// remembered is how long a server is known that nobody uses. A user may come for
// each single request, and what was asked of the server and what it said of its
// load counts for the next one, too.
const remembered = time.Minute

// Server returns the server of that name, which all its users share with the
// rate that the first of them named. The caller closes it.
func (l *Limiter) Server(name string, r Rate) *Server {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(time.Now())
	s := l.servers[name]
	if s == nil {
		s = &Server{limiter: l, slots: make(chan struct{}, max(1, r.Connections)), own: limiter(r.Requests)}
		l.servers[name] = s
	}
	s.users++
	return s
}

// forget forgets servers that nobody has used for a time, once in that time. The
// caller holds l.mu.
func (l *Limiter) forget(now time.Time) {
	if now.Sub(l.swept) < remembered {
		return
	}
	l.swept = now
	for name, s := range l.servers {
		if s.users == 0 && now.Sub(s.left) >= remembered && !s.resting(now) {
			delete(l.servers, name)
		}
	}
}

// A Server is one machine that is asked.
type Server struct {
	limiter *Limiter
	slots   chan struct{}
	own     *rate.Limiter
	users   int       // under limiter.mu
	left    time.Time // under limiter.mu: when the last user closed it

	mu     sync.Mutex
	paused time.Time // no request before then
}

// Close ends one use. It does not wait.
func (s *Server) Close() {
	s.limiter.mu.Lock()
	defer s.limiter.mu.Unlock()
	s.users--
	s.left = time.Now()
}

// resting reports whether the server is left alone now.
func (s *Server) resting(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.paused)
}

// Acquire waits for a free connection, for the end of a pause, and for the
// server's and the process's turn. The caller calls release when the request
// has been answered.
func (s *Server) Acquire(ctx context.Context) (release func(), err error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	release = func() { <-s.slots }
	for _, wait := range []func(context.Context) error{s.rest, s.own.Wait, s.limiter.all.Wait} {
		if err = wait(ctx); err != nil {
			release()
			return nil, err
		}
	}
	all := s.limiter.connections
	if all == nil {
		return release, nil
	}
	select {
	case all <- struct{}{}:
		return func() { <-all; <-s.slots }, nil
	case <-ctx.Done():
		release()
		return nil, ctx.Err()
	}
}

// rest waits for the end of a pause.
func (s *Server) rest(ctx context.Context) error {
	for {
		s.mu.Lock()
		wait := time.Until(s.paused)
		s.mu.Unlock()
		if wait <= 0 {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// Pause lets no request begin for d, and from then on only half as many a
// second: the server said that it is overloaded.
func (s *Server) Pause(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if until := time.Now().Add(d); until.After(s.paused) {
		s.paused = until
	}
	if r := s.own.Limit(); r != rate.Inf && r > 0.2 {
		s.own.SetLimit(r / 2)
	}
}
