package bgp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// dial connects to the peer.
func (p *peer) dial(ctx context.Context) (net.Conn, error) {
	c := p.config
	d := net.Dialer{Timeout: dialWithin, Control: func(_, _ string, raw syscall.RawConn) error {
		return control(raw, func(fd int) error {
			if err := c.limitHops(fd); err != nil {
				return err
			}
			return setPassword(fd, c.Address, c.password)
		})
	}}
	d.SetMultipathTCP(false) // which knows no MD5
	if c.LocalAddress.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.LocalAddress, 0))
	}
	conn, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(c.Address, c.Port).String())
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		set := "none is set"
		if c.password != "" {
			set = "one is set"
		}
		return nil, fmt.Errorf("no answer within %s: the peer is down or out of reach, or has another TCP MD5 password (here %s): %w", dialWithin, set, err)
	}
	return conn, err
}

// limitHops sets how far packets go, and from how far they are taken.
func (p *Peer) limitHops(fd int) error {
	is4 := p.Address.Is4()
	switch {
	case p.TTLSecurity > 0:
		if err := setHops(fd, is4, 255); err != nil {
			return err
		}
		return setMinHops(fd, is4, 256-p.TTLSecurity)
	case p.Multihop > 0:
		return setHops(fd, is4, p.Multihop)
	case p.ASN != p.LocalASN:
		return setHops(fd, is4, 1) // RFC 4271 section 5.1.3: on a common network
	}
	return nil
}

// listen opens the listeners, or none.
func (f *Feed) listen(ctx context.Context) (all []net.Listener, err error) {
	for _, at := range f.config.Listen {
		network := "tcp6"
		if at.Addr().Unmap().Is4() {
			network = "tcp4"
		}
		lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
			return control(raw, func(fd int) error { return f.prepare(fd, network == "tcp4") })
		}}
		lc.SetMultipathTCP(false)
		var l net.Listener
		if l, err = lc.Listen(ctx, network, at.String()); err != nil {
			for _, l := range all {
				_ = l.Close()
			}
			return nil, fmt.Errorf("listening for BGP on %s: %w", at, err)
		}
		all = append(all, l)
	}
	return all, nil
}

// prepare sets the passwords of a listening socket. Its answers go as far as
// they may; what comes from too far away is refused once it is accepted.
func (f *Feed) prepare(fd int, is4 bool) error {
	for i := range f.config.Peers {
		p := &f.config.Peers[i]
		if p.Address.Is4() != is4 {
			continue
		}
		if err := setPassword(fd, p.Address, p.password); err != nil {
			return err
		}
		if p.TTLSecurity > 0 {
			if err := setHops(fd, is4, 255); err != nil {
				return err
			}
		}
	}
	return nil
}

// accept takes connections of peers until ctx ends.
func (f *Feed) accept(ctx context.Context, l net.Listener) {
	var sessions sync.WaitGroup
	defer sessions.Wait()
	var unknown strangers
	acceptAll(ctx, l, f.config.Log, func(conn net.Conn) {
		p := f.peerOf(conn)
		if p == nil {
			unknown.refuse(conn, f.config.Log, "a BGP connection of nobody who is configured")
			return
		}
		sessions.Go(func() { p.serve(ctx, conn, false) })
	})
}

// peerOf returns the peer that a connection comes from, nil if it is none or
// comes from too far away.
func (f *Feed) peerOf(conn net.Conn) *peer {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	from, ok := tcp.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return nil
	}
	addr := from.AddrPort().Addr().Unmap()
	for _, p := range f.peers {
		if p.config.Address != addr {
			continue
		}
		raw, err := tcp.SyscallConn()
		if err == nil {
			err = control(raw, p.config.limitHops)
		}
		if err != nil {
			f.config.Log.Error("a BGP connection that cannot be used", "peer", addr, "error", err)
			return nil
		}
		return p
	}
	return nil
}

// control calls do with the file descriptor of a socket.
func control(raw syscall.RawConn, do func(fd int) error) error {
	var failed error
	err := raw.Control(func(fd uintptr) { failed = do(int(fd)) })
	return errors.Join(err, failed)
}
