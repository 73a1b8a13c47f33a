package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
)

// member says who this edge is to others. To them, one of another name, address or
// label is another one.
func (c *Config) member() string {
	if c.Cluster == nil {
		return "in no cluster"
	}
	full := c.Cluster.WithDefaults()
	return fmt.Sprintf("%s at %s of %s", c.Name, full.Advertise, full.Label)
}

// label is that of the cluster; "": there is none.
func (c *Config) label() string {
	if c.Cluster == nil {
		return ""
	}
	return c.Cluster.WithDefaults().Label
}

// isSucceeded reports whether the next process is this edge to others, so that
// they need not hear that this one ends. One that does not say is.
func (n *Node) isSucceeded() bool {
	next := n.process.Next().Self
	return next == "" || next == n.config.member()
}

// tryLate returns an error if a port cannot be opened on this machine that the
// process before does not hand over: better now, while that one goes on, than once
// it has ended. A port that it holds itself, as far as it says so, is free then.
func (n *Node) tryLate(ctx context.Context) error {
	for _, l := range n.config.late() {
		err := l.try(ctx)
		if errors.Is(err, syscall.EADDRINUSE) && (n.before.Ports == nil || slices.ContainsFunc(n.before.Ports, l.clashes)) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", l.key, err)
		}
	}
	return nil
}

// try opens the port for a moment.
func (l listener) try(ctx context.Context) error {
	var config net.ListenConfig
	family := "6"
	if l.at.Addr().Unmap().Is4() {
		family = "4"
	}
	stream, err := config.Listen(ctx, "tcp"+family, l.at.String())
	if err != nil {
		return err //nolint:wrapcheck // it names the address
	}
	defer stream.Close() //nolint:errcheck // nobody has used it
	if l.key != "edge.cluster.listen" {
		return nil
	}
	packets, err := config.ListenPacket(ctx, "udp"+family, l.at.String())
	if err != nil {
		return err //nolint:wrapcheck // it names the address
	}
	return packets.Close() //nolint:wrapcheck // it names the address
}
