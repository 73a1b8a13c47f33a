package handover

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Serve serves until ctx ends, and then for the time within at most: connections
// of [Process.ListenPassing] move to the next process if there is one, else
// requests are answered that have come. It returns nil once ctx has ended, and what
// stopped the server before. It takes server.ConnState for itself.
func Serve(ctx context.Context, server *http.Server, l net.Listener, within time.Duration) error {
	unused := &unused{}
	server.ConnState = unused.note
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
		defer cancel()
		if TakenOver(ctx) {
			drain(end, server, l)
		} else {
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
	return err
}

// drain closes a listener and waits until its connections have moved or ended, or
// ctx has. It comes before Shutdown and Close of a server that hands over: both
// drop a request that was just read.
func drain(ctx context.Context, server *http.Server, l net.Listener) {
	server.SetKeepAlivesEnabled(false)
	_ = l.Close()
	if from, ok := l.(*passing); ok {
		from.passage.Wait(ctx)
	}
}

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
