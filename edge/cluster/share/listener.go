package share

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
)

// limited is a listener that closes connections that are too many. Those of
// strangers, whose other side has shown no key yet, do not count among those of
// peers: the oldest makes room for a new one.
type limited struct {
	net.Listener

	counters *counters

	mu        sync.Mutex
	strangers []*connection        // guarded by mu; the oldest first
	open      int                  // guarded by mu; connections of peers
	of        map[netip.Prefix]int // guarded by mu; of these, by where they came from
}

// Accept returns the next connection.
func (l *limited) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	at, _ := c.RemoteAddr().(*net.TCPAddr)
	fresh := &connection{Conn: c, of: l, from: networkOf(at.AddrPort().Addr())}
	if oldest := l.enter(fresh); oldest != nil {
		l.counters.busy.Add(1)
		_ = oldest.Close()
	}
	return fresh, nil
}

// networkOf returns what one host may have all addresses of.
func networkOf(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	p, _ := a.Prefix(min(a.BitLen(), 64))
	return p
}

// enter counts a stranger, and returns the one that has to go for it: the oldest
// of the network that has most of them.
func (l *limited) enter(c *connection) (oldest *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.strangers) >= maxStrangers {
		of, most := map[netip.Prefix]int{}, 0
		for _, s := range l.strangers {
			of[s.from]++
			most = max(most, of[s.from])
		}
		i := slices.IndexFunc(l.strangers, func(s *connection) bool { return of[s.from] == most })
		oldest = l.strangers[i]
		l.strangers = slices.Delete(l.strangers, i, i+1)
	}
	l.strangers = append(l.strangers, c)
	return oldest
}

// admit counts a connection among those of peers once its other side has shown a
// key. It reports whether there is room.
func (l *limited) admit(c *connection) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.strangers, c)
	if i < 0 {
		return true // it was admitted before, or is closed
	}
	l.strangers = slices.Delete(l.strangers, i, i+1)
	if l.open >= maxConnections || l.of[c.from] >= maxOfNetwork {
		return false
	}
	l.open++
	l.of[c.from]++
	c.admitted = true
	l.counters.connections.Add(1)
	return true
}

// leave counts a connection no more.
func (l *limited) leave(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.strangers, c); i >= 0 {
		l.strangers = slices.Delete(l.strangers, i, i+1)
	}
	if !c.admitted {
		return
	}
	c.admitted = false
	l.open--
	if l.of[c.from]--; l.of[c.from] == 0 {
		delete(l.of, c.from)
	}
}

// A connection gives its place back when it is closed.
type connection struct {
	net.Conn

	of       *limited
	from     netip.Prefix
	admitted bool // guarded by of.mu
}

// Close closes the connection.
func (c *connection) Close() error {
	c.of.leave(c)
	return c.Conn.Close()
}

// admitActive has a connection admitted with its first request, which comes after
// the handshake.
func admitActive(c net.Conn, state http.ConnState) {
	secure, ok := c.(*tls.Conn)
	if !ok || state != http.StateActive {
		return
	}
	known, ok := secure.NetConn().(*connection)
	if !ok {
		return
	}
	if !known.of.admit(known) {
		known.of.counters.busy.Add(1)
		_ = known.Close()
	}
}
