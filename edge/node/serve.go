package node

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/sync/errgroup"

	edgedns "github.com/waypost/waypost/edge/dns"
)

// sockets are the listeners of one edge.
type sockets struct {
	http, admin []net.Listener
	dns         edgedns.Sockets
}

// listen opens all listeners that were not inherited, or none.
func (n *Node) listen(ctx context.Context) (err error) {
	if c := n.config.HTTP; c != nil {
		for _, at := range c.Listen {
			if err = tcp(ctx, &n.sockets.http, n.process.Listen, "HTTP", at); err != nil {
				return err
			}
		}
	}
	if c := n.config.DNS; c != nil {
		addresses := make([]string, len(c.Listen))
		for i, at := range c.Listen {
			addresses[i] = at.String()
		}
		if n.sockets.dns, err = edgedns.Inherit(ctx, n.process, addresses...); err != nil {
			return err
		}
	}
	if c := n.config.Admin; c != nil {
		return tcp(ctx, &n.sockets.admin, n.process.ListenPassing, "admin pages", c.Listen)
	}
	return nil
}

// opens opens a listener, or has it already.
type opens func(ctx context.Context, network, address string) (net.Listener, error)

func tcp(ctx context.Context, to *[]net.Listener, open opens, what string, at netip.AddrPort) error {
	network := "tcp6" // [::] is all of IPv6 and leaves 0.0.0.0 to IPv4, as for DNS
	if at.Addr().Unmap().Is4() {
		network = "tcp4"
	}
	l, err := open(ctx, network, at.String())
	if err != nil {
		return fmt.Errorf("listening for %s on %s: %w", what, at, err)
	}
	*to = append(*to, l)
	return nil
}

// serve starts a goroutine for each listener; they end with ctx.
func (n *Node) serve(ctx context.Context, group *errgroup.Group) {
	for _, l := range n.sockets.http {
		group.Go(func() error { return n.http.Serve(ctx, l) })
	}
	if n.dns != nil {
		group.Go(func() error { return n.dns.Serve(ctx, n.sockets.dns) })
	}
	for _, l := range n.sockets.admin {
		group.Go(func() error { return n.serveAdmin(ctx, l) })
	}
}

func (s *sockets) close() {
	for _, l := range slices.Concat(s.http, s.admin) {
		_ = l.Close()
	}
	s.dns.Close()
}

func (s *sockets) addresses() map[string][]netip.AddrPort {
	all := map[string][]netip.AddrPort{}
	for name, list := range map[string][]net.Listener{"http": s.http, "dns": s.dns.TCP, "admin": s.admin} {
		for _, l := range list {
			if a, ok := l.Addr().(*net.TCPAddr); ok {
				all[name] = append(all[name], a.AddrPort())
			}
		}
	}
	return all
}
