package handover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// descriptor is the environment variable with the number of the descriptor that
// leads to the process before.
const descriptor = "WAYPOST_HANDOVER"

// firstDescriptor is the first one that systemd passes.
const firstDescriptor = 3

// given are sockets that were inherited.
type given struct {
	tcp []net.Listener
	udp []*net.UDPConn

	names map[string]string // systemd's, by network and address, of what is its own
}

// inherit takes what the process before or systemd passes, by the environment,
// which the processes that this one starts must not see.
func (p *Process) inherit() error {
	number, before := os.LookupEnv(descriptor)
	pid, count, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, name := range []string{descriptor, "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	if before {
		return p.fromBefore(number)
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return nil // of another process, as sd_listen_fds(3) has it
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		return fmt.Errorf("reading LISTEN_FDS: want a number, got %q", count)
	}
	return p.fromSystemd(n, strings.Split(names, ":"))
}

// fromSystemd takes n sockets that systemd opened.
func (p *Process) fromSystemd(n int, names []string) error {
	for i := range n {
		name := "unknown"
		if i < len(names) {
			name = names[i]
		}
		unix.CloseOnExec(firstDescriptor + i)
		f := os.NewFile(uintptr(firstDescriptor+i), name)
		at, err := p.given.add(f)
		if err != nil {
			return fmt.Errorf("taking the socket %q of systemd: %w", name, err)
		}
		if p.given.names == nil {
			p.given.names = map[string]string{}
		}
		p.given.names[at.Network()+" "+at.String()] = name
		p.log.Info("systemd passes a socket", "name", name, "address", at)
	}
	return nil
}

// startWithin is for how long the process before may take to say all.
const startWithin = 30 * time.Second

// fromBefore hears what the process before says.
func (p *Process) fromBefore(number string) error {
	fd, err := strconv.Atoi(number)
	if err != nil || fd < firstDescriptor {
		return fmt.Errorf("reading %s: want the number of a descriptor, got %q", descriptor, number)
	}
	unix.CloseOnExec(fd)
	if p.before, err = newLink(os.NewFile(uintptr(fd), "handover")); err != nil {
		return fmt.Errorf("taking over: %w", err)
	}
	if err = p.before.conn.SetReadDeadline(time.Now().Add(startWithin)); err != nil {
		return err
	}
	for {
		m, err := p.before.receive()
		if err != nil {
			return fmt.Errorf("taking over from the process before: %w", err)
		}
		switch m.kind {
		case kindSockets:
			for _, f := range m.files {
				if _, err := p.given.add(f); err != nil {
					return fmt.Errorf("taking over a socket: %w", err)
				}
			}
		case kindState:
			p.state = append(p.state, m.payload...)
		case kindBegin:
			return p.before.conn.SetReadDeadline(time.Time{})
		default:
			m.close()
		}
	}
}

// add adds a socket, and closes the file.
func (g *given) add(f *os.File) (at net.Addr, err error) {
	defer f.Close() //nolint:errcheck // it is duplicated
	if l, bad := net.FileListener(f); bad == nil {
		g.tcp = append(g.tcp, l)
		return l.Addr(), nil
	}
	c, err := net.FilePacketConn(f)
	if err != nil {
		return nil, errors.New("want a listening TCP socket or a UDP socket")
	}
	u, ok := c.(*net.UDPConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("want a UDP socket, got %T", c), c.Close())
	}
	g.udp = append(g.udp, u)
	return u.LocalAddr(), nil
}

// close closes what nobody asked for.
func (g *given) close(log *slog.Logger) {
	for _, l := range g.tcp {
		g.note(log, l.Addr())
		_ = l.Close()
	}
	for _, c := range g.udp {
		g.note(log, c.LocalAddr())
		_ = c.Close()
	}
	*g = given{}
}

// note logs that nobody asked for a socket. One of systemd stays open there, and
// nobody answers who comes to it.
func (g *given) note(log *slog.Logger, at net.Addr) {
	if name, ok := g.names[at.Network()+" "+at.String()]; ok {
		log.Warn("systemd holds a socket at which the configuration does not listen: nobody answers there; "+
			"name its address in http.listen or dns.listen, or stop its socket unit", "FileDescriptorName", name, "address", at)
		return
	}
	log.Info("an inherited socket is closed: the configuration does not listen there", "address", at)
}

// isAt reports whether a socket's address is the one that is wanted.
func isAt(socket net.Addr, want netip.AddrPort) bool {
	var is netip.AddrPort
	switch a := socket.(type) {
	case *net.TCPAddr:
		is = a.AddrPort()
	case *net.UDPAddr:
		is = a.AddrPort()
	}
	return netip.AddrPortFrom(is.Addr().Unmap(), is.Port()) == netip.AddrPortFrom(want.Addr().Unmap(), want.Port())
}

// Listen returns the inherited listener of an address, over tcp, tcp4 or tcp6,
// or opens one. It goes on to the next process.
func (p *Process) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.given.listener(address)
	if l == nil {
		var err error
		var config net.ListenConfig
		if l, err = config.Listen(ctx, network, address); err != nil {
			return nil, err
		}
	}
	if c, ok := l.(syscall.Conn); ok {
		p.open = append(p.open, c)
	}
	return l, nil
}

func (g *given) listener(address string) net.Listener {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil // a name: none is inherited
	}
	for i, l := range g.tcp {
		if isAt(l.Addr(), at) {
			g.tcp = append(g.tcp[:i:i], g.tcp[i+1:]...)
			return l
		}
	}
	return nil
}

// UDP returns the inherited UDP sockets of an address; none: nil. They go on to
// the next process, as do those that [Process.Keep] is told of.
func (p *Process) UDP(address string) (all []*net.UDPConn) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var rest []*net.UDPConn
	for _, c := range p.given.udp {
		if isAt(c.LocalAddr(), at) {
			all = append(all, c)
			p.open = append(p.open, c)
		} else {
			rest = append(rest, c)
		}
	}
	p.given.udp = rest
	return all
}

// Keep has a socket go on to the next process.
func (p *Process) Keep(c *net.UDPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = append(p.open, c)
}

// receiveAgain is the pause after a message that could not be received.
const receiveAgain = 10 * time.Millisecond

// receive hears the process before until it is gone.
func (p *Process) receive(from *link) {
	defer from.conn.Close() //nolint:errcheck // nothing is lost
	defer close(p.gone)
	free := sync.OnceFunc(func() { close(p.alone) })
	defer free()
	for {
		m, err := from.receive()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET): // it ended, also before it read all
			return
		case err != nil: // it is still there, and may write
			p.log.Error("hearing the process before; a connection may be lost", "error", err)
			<-time.After(receiveAgain)
		case m.kind == kindFree:
			free()
		case m.kind == kindConn && len(m.files) == 1:
			p.arrive(string(m.payload), m.files[0])
		default:
			m.close()
		}
	}
}
