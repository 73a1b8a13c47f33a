package bgp

import (
	"bufio"
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// How many connections there may be, of all routers and of one: each may take
// a MiB. firstWithin is when the first message must have begun: routers
// introduce themselves at once (RFC 7854 section 4.3).
const (
	maxStations   = 64
	maxOfARouter  = 4
	firstWithin   = 30 * time.Second
	refusedRouter = "a BMP connection was refused: its address is not in routers"
	refusedMany   = "a BMP connection was refused: there are too many of this router, or of all"
)

func (m *Monitor) accept(ctx context.Context, l net.Listener) {
	var connections sync.WaitGroup
	defer connections.Wait()
	var unknown, many strangers
	acceptAll(ctx, l, m.config.Log, func(conn net.Conn) {
		at, _ := conn.RemoteAddr().(*net.TCPAddr)
		router := at.AddrPort().Addr().Unmap()
		switch {
		case !m.admits(router):
			unknown.refuse(conn, m.config.Log, refusedRouter)
		case !m.enter(router):
			many.refuse(conn, m.config.Log, refusedMany)
		default:
			connections.Go(func() {
				defer m.leave(router)
				m.serve(ctx, router, conn)
			})
		}
	})
}

// enter counts a connection of a router, if there is room for it.
func (m *Monitor) enter(router netip.Addr) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := 0
	for _, n := range m.open {
		all += n
	}
	if all >= maxStations || m.open[router] >= maxOfARouter {
		return false
	}
	m.open[router]++
	return true
}

// leave is the opposite of enter.
func (m *Monitor) leave(router netip.Addr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open[router]--; m.open[router] == 0 {
		delete(m.open, router)
	}
}

// serve is the life of one connection.
func (m *Monitor) serve(ctx context.Context, router netip.Addr, conn net.Conn) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	m.config.Log.Info("a router connects by BMP", "router", router)
	in := bufio.NewReaderSize(conn, 64<<10)
	_ = conn.SetReadDeadline(time.Now().Add(firstWithin))
	_, err := in.Peek(bmpHeader)
	_ = conn.SetReadDeadline(time.Time{})
	if err == nil {
		err = m.listenTo(router, in)
	}
	_ = conn.Close()
	if ctx.Err() == nil {
		m.config.Log.Warn("a router's BMP connection has ended; its last tables stay", "router", router, "for", m.config.HoldLast, "error", err)
	}
}

// makeRoom forgets the table that was lost first, in favour of one that is
// there; ok is false if none was lost. It is for who holds mu.
func (m *Monitor) makeRoom() (ok bool) {
	var oldest *shown
	for _, s := range m.shown {
		if s.rib == nil && (oldest == nil || s.since.Before(oldest.since)) {
			oldest = s
		}
	}
	m.shown = slices.DeleteFunc(m.shown, func(s *shown) bool { return s == oldest })
	return oldest != nil
}
