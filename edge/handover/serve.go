package handover

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// Serve serves until ctx ends, and then for the time within at most: connections
// of [Process.ListenPassing] move to the next process if there is one, else
// requests that have come are answered. It returns nil once ctx has ended, and what
// stopped the server before. It takes server.ConnState for itself.
func Serve(ctx context.Context, server *http.Server, l net.Listener, within time.Duration) error {
	unused := &unused{}
	server.ConnState = unused.note
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
		defer cancel()
		drain(end, server, l)
		if !TakenOver(ctx) {
			unused.close()
		}
		if server.Shutdown(end) != nil {
			_ = server.Close()
		}
	})
	err := server.Serve(l)
	if !stop() {
		<-ended
		return nil
	}
	return errors.Join(err, server.Close())
}

// drain closes a listener and waits until requests that have come are read and, of
// a passing one, connections have moved or ended; or ctx has. It comes before
// Shutdown and Close: both drop a request that was just read.
func drain(ctx context.Context, server *http.Server, l net.Listener) {
	_ = l.Close() // unused connections begin to move
	select {
	case <-time.After(moment):
	case <-ctx.Done():
	}
	server.SetKeepAlivesEnabled(false) // closes idle connections, and those unused for long
	if from, ok := l.(*passing); ok && TakenOver(ctx) {
		from.passage.Wait(ctx)
	}
}

// moment is how long it takes at most to read what has come.
const moment = 50 * time.Millisecond

// unused holds the connections that no request has come by. Clients open some in
// advance, and use others first. Shutdown waits five seconds for each; like those
// that were never accepted, they may go at once.
type unused struct {
	mu     sync.Mutex
	closed bool                  // guarded by mu
	conns  map[net.Conn]struct{} // guarded by mu
}

// note is for http.Server.ConnState.
func (u *unused) note(c net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(u.conns, c)
	case u.closed:
		_ = c.Close()
	case u.conns == nil:
		u.conns = map[net.Conn]struct{}{c: {}}
	default:
		u.conns[c] = struct{}{}
	}
}

func (u *unused) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	for c := range u.conns {
		_ = c.Close()
	}
}
