package http

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/edge/handover"
)

// The limits of a listener. Requests are short and have no body that counts.
const (
	maxHeader       = 16 << 10 // bytes of a request line and its header
	maxBody         = 64 << 10
	readTimeout     = 10 * time.Second // for a whole request
	writeTimeout    = 30 * time.Second
	idleTimeout     = 75 * time.Second // between requests of a connection
	maxConnections  = 256 << 10        // of all listeners, if there are descriptors for twice as many
	shutdownTimeout = 5 * time.Second  // for what is being answered when ctx ends
)

// Serve answers the connections of ln until ctx ends, and then closes ln,
// answers what has come or is on its way, within five seconds, and returns nil: a
// connection is closed after its next answer, which says so, or once it has been
// still for a second. If the next process has taken over by then, connections move
// there between two requests, and one that has begun to come may take as long as
// any. It also keeps the server's clock. It may be called for several listeners at
// once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	server := &fasthttp.Server{
		Handler: s.Handle, Name: "waypost", Logger: logger{s.config.Logger},
		ReadBufferSize: maxHeader, MaxRequestBodySize: maxBody, Concurrency: math.MaxInt32, // the door counts
		ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		CloseOnShutdown: true, DisablePreParseMultipartForm: true,
	}
	group, ctx := errgroup.WithContext(ctx)
	server.ConnState, ln = s.noteState, guarded{s.config.Passage.Listener(ln), s}
	group.Go(func() error { s.adopt(ctx, server); return nil })
	group.Go(func() error {
		if err := server.Serve(ln); err != nil {
			return fmt.Errorf("serving HTTP on %s: %w", ln.Addr(), err)
		}
		s.finish(ctx, server) // of all connections: none is accepted any more
		return nil
	})
	group.Go(func() error {
		s.keepTime(ctx)
		if !handover.TakenOver(ctx) {
			s.Leave()
		}
		_ = ln.Close()
		return nil
	})
	return group.Wait() //nolint:wrapcheck // it names itself
}

// Leave has each answer from now on say that its connection is closed after it
// (RFC 9112, section 9.6): clients and proxies that keep connections look for
// another edge before this one ends. Serve calls it at its end.
func (s *Server) Leave() { s.leaving.Store(true) }

// adopt serves the connections of the process before, until ctx ends.
func (s *Server) adopt(ctx context.Context, server *fasthttp.Server) {
	for {
		c, ok := s.config.Passage.Next(ctx)
		if !ok {
			return
		}
		if !s.enter() {
			_ = c.Close()
			continue
		}
		go func() { _ = server.ServeConn(c) }() // shutdown waits for it, and its errors are those of clients
	}
}

// noteState tells a connection when it is between two requests, and the door
// when it has ended.
func (s *Server) noteState(c net.Conn, state fasthttp.ConnState) {
	moves, ok := c.(*handover.Conn)
	switch {
	case state == fasthttp.StateClosed:
		s.door.leave()
	case !ok:
	case state == fasthttp.StateIdle:
		moves.Between()
	case state == fasthttp.StateActive:
		moves.Busy()
	}
}

// keepTime sets the clock each second until ctx ends.
func (s *Server) keepTime(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			s.tick(now)
		}
	}
}

// finish has connections leave, and then stops the server, which would close those
// between two requests at once, also where one has come that was not read yet.
// Connections that do not end in time are left to their timeouts, which is not an
// error of ours.
func (s *Server) finish(ctx context.Context, server *fasthttp.Server) {
	within := shutdownTimeout
	if handover.TakenOver(ctx) {
		within = readTimeout // the next process has all that it needs, and does not wait
	}
	s.config.Passage.Leave()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	s.config.Passage.Wait(ctx)
	if err := server.ShutdownWithContext(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
		s.config.Logger.Warn("connections were still open when HTTP stopped", "error", err)
	}
}

// A logger passes on what fasthttp says: broken requests and connections.
type logger struct{ to *slog.Logger }

// Printf implements [fasthttp.Logger].
func (l logger) Printf(format string, args ...any) {
	l.to.Debug(fmt.Sprintf(format, args...))
}
