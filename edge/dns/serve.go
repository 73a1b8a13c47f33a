package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/edge/handover"
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
	return Inherit(ctx, &handover.Process{}, addresses...)
}

// Inherit is [Listen] that takes what the process before had open at these
// addresses, and keeps all sockets for the next one.
func Inherit(ctx context.Context, p *handover.Process, addresses ...string) (Sockets, error) {
	var ss Sockets
	for _, address := range addresses {
		if err := ss.listen(ctx, p, address); err != nil {
			ss.Close()
			return Sockets{}, fmt.Errorf("listening for DNS on %s: %w", address, err)
		}
	}
	return ss, nil
}

// readBuffer holds bursts that come while a socket's goroutine does not run:
// about 5,000 queries.
const readBuffer = 4 << 20

func (ss *Sockets) listen(ctx context.Context, p *handover.Process, address string) error {
	tcp, udp := networks(address)
	l, err := p.Listen(ctx, tcp, address)
	if err != nil {
		return err
	}
	ss.TCP = append(ss.TCP, l)
	if inherited := p.UDP(address); len(inherited) > 0 {
		return ss.adopt(udp, inherited)
	}
	config := net.ListenConfig{Control: control}
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
		p.Keep(udpConn)
	}
	return nil
}

// adopt takes the inherited UDP sockets of an address. None is added to them,
// which would get packets that nobody reads if this process cannot start after
// all; where they are few, several goroutines read one.
func (ss *Sockets) adopt(network string, inherited []*net.UDPConn) error {
	for i := range max(len(inherited), udpSockets()) {
		c := inherited[i%len(inherited)]
		ss.UDP = append(ss.UDP, c)
		if err := setUp(network, c); err != nil {
			return err
		}
	}
	return nil
}

// setUp sets up a socket that was inherited: systemd knows nothing of our options.
func setUp(network string, c *net.UDPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	_ = c.SetReadBuffer(readBuffer)
	return control(network, "", raw)
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
// them. If the next process has taken over by then ([handover.TakenOver]), all
// that was read is answered, and connections move there. What goes wrong with
// one packet or one connection is counted and does not end it. It returns nil,
// or why a socket could not be served at all.
func (s *Server) Serve(ctx context.Context, ss Sockets) error {
	group, ctx := errgroup.WithContext(ctx)
	defer ss.Close()
	stop := context.AfterFunc(ctx, func() { ss.leave(ctx) })
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

// leave ends all reading. For the next process it leaves in the sockets what is
// there, which closing them here does not touch.
func (ss *Sockets) leave(ctx context.Context) {
	if !handover.TakenOver(ctx) {
		ss.Close()
		return
	}
	for _, c := range ss.UDP { // not closed: what was read is yet to be answered
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
	for _, l := range ss.TCP {
		_ = l.Close()
	}
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
