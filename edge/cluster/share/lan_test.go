package share_test

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// A lan is a network in memory, for tests in the time of synctest. All who listen
// have addresses of their own. The zero value has nobody.
type lan struct {
	mu    sync.Mutex
	hosts []*lanListener // guarded by mu
}

// listen returns a listener at the next address.
func (n *lan) listen() *lanListener {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(len(n.hosts))}), 7956)
	l := &lanListener{at: at, arrivals: make(chan net.Conn), closed: make(chan struct{})}
	n.hosts = append(n.hosts, l)
	return l
}

func (n *lan) at(address string) *lanListener {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.hosts {
		if l.at.String() == address {
			return l
		}
	}
	return nil
}

// dial connects to whoever listens at an address.
func (n *lan) dial(ctx context.Context, _, address string) (net.Conn, error) {
	l := n.at(address)
	if l == nil {
		return nil, syscall.ECONNREFUSED
	}
	here, there := net.Pipe()
	select {
	case l.arrivals <- lanConn{there}:
		return here, nil
	case <-l.closed:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type lanListener struct {
	at       netip.AddrPort
	arrivals chan net.Conn
	once     sync.Once
	closed   chan struct{}
}

func (l *lanListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.arrivals:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *lanListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *lanListener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.at) }

// A lanConn is the end of a connection of whoever listens. All others have one
// address.
type lanConn struct{ net.Conn }

func (lanConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 255), Port: 1} }

// An uplink is what all connections of a listener share: they take turns, a
// packet each.
type uplink struct {
	net.Listener

	rate int // bytes a second

	mu   sync.Mutex
	free time.Time // guarded by mu
}

func (u *uplink) Accept() (net.Conn, error) {
	c, err := u.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &throttled{c, u}, nil
}

// wait waits until n bytes have gone.
func (u *uplink) wait(n int) {
	u.mu.Lock()
	now := time.Now()
	if u.free.Before(now) {
		u.free = now
	}
	u.free = u.free.Add(time.Duration(n) * time.Second / time.Duration(u.rate))
	gone := u.free.Sub(now)
	u.mu.Unlock()
	time.Sleep(gone)
}

type throttled struct {
	net.Conn

	up *uplink
}

func (c *throttled) Write(b []byte) (sent int, err error) {
	for sent < len(b) && err == nil {
		packet := b[sent:min(len(b), sent+1400)]
		c.up.wait(len(packet))
		var n int
		n, err = c.Conn.Write(packet)
		sent += n
	}
	return sent, err
}
