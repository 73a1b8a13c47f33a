package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// Sockets are what a server listens on: opened by [Listen], or inherited from
// the process before.
type Sockets struct {
	UDP []*net.UDPConn // several of one address share its queries (SO_REUSEPORT)
	TCP []net.Listener
}

// Listen opens UDP and TCP sockets for addresses such as 127.0.0.1:5300,
// [::1]:5300 or, for all addresses of the machine, :53; 0.0.0.0:53 are those of
// v4 only, [::]:53 those of v6 only. On Linux each gets as many UDP sockets as
// Go uses processors. UDP and TCP share the port also where it is 0.
func Listen(ctx context.Context, addresses ...string) (Sockets, error) {
	var ss Sockets
	for _, address := range addresses {
		if err := ss.listen(ctx, address); err != nil {
			ss.Close()
			return Sockets{}, fmt.Errorf("listening for DNS on %s: %w", address, err)
		}
	}
	return ss, nil
}

// readBuffer holds bursts that come while a socket's goroutine does not run:
// about 5,000 queries.
const readBuffer = 4 << 20

func (ss *Sockets) listen(ctx context.Context, address string) error {
	config := net.ListenConfig{Control: control}
	tcp, udp := networks(address)
	l, err := config.Listen(ctx, tcp, address)
	if err != nil {
		return err
	}
	ss.TCP = append(ss.TCP, l)
	for range udpSockets() {
		conn, err := config.ListenPacket(ctx, udp, l.Addr().String())
		if err != nil {
			return err
		}
		udpConn, ok := conn.(*net.UDPConn)
		if !ok {
			return fmt.Errorf("want a UDP socket, got %T", conn)
		}
		_ = udpConn.SetReadBuffer(readBuffer) // as much as the kernel allows
		ss.UDP = append(ss.UDP, udpConn)
	}
	return nil
}

// networks returns the networks of an address: those of one family where it
// names one, or 0.0.0.0 would be v6 too.
func networks(address string) (tcp, udp string) {
	host, _, _ := net.SplitHostPort(address)
	switch ip := net.ParseIP(host); {
	case ip == nil:
		return "tcp", "udp"
	case ip.To4() != nil:
		return "tcp4", "udp4"
	}
	return "tcp6", "udp6"
}

// control sets up a socket before it is bound.
func control(network, _ string, c syscall.RawConn) error {
	var failed error
	if err := c.Control(func(fd uintptr) { failed = setOptions(network, int(fd)) }); err != nil {
		return err
	}
	return failed
}

// Close closes all sockets.
func (ss *Sockets) Close() {
	for _, c := range ss.UDP {
		_ = c.Close()
	}
	for _, l := range ss.TCP {
		_ = l.Close()
	}
}

// Serve answers what comes in on the sockets until ctx is done, and closes
// them. What goes wrong with one packet or one connection is counted and does
// not end it. It returns nil, or why a socket could not be served at all.
func (s *Server) Serve(ctx context.Context, ss Sockets) error {
	group, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, ss.Close)
	defer stop()
	if len(ss.UDP)+len(ss.TCP) == 0 {
		return errors.New("serving DNS: no sockets")
	}
	group.Go(func() error { s.keepTime(ctx); return nil })
	for _, c := range ss.UDP {
		group.Go(func() error { s.serveUDP(ctx, c); return nil })
	}
	if len(ss.TCP) > 0 {
		conns := newConnections(s.config.TCP)
		for _, l := range ss.TCP {
			group.Go(func() error { s.serveTCP(ctx, l, conns); return nil })
		}
	}
	return group.Wait()
}

// keepTime keeps the coarse clock that cookies go by.
func (s *Server) keepTime(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		s.now.Store(unixSeconds(time.Now()))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// pause waits a little after an error, so that one that stays does not burn a
// processor. It reports whether ctx is still alive.
func pause(ctx context.Context) bool {
	t := time.NewTimer(10 * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
