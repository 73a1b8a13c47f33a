package share

import (
	"crypto/tls"
	"net"
	"net/http"

	"github.com/waypost/waypost/edge/cluster/door"
)

// A guarded listener has connections come through a door.
type guarded struct {
	net.Listener

	door *door.Door
}

// Accept returns the next connection.
func (g *guarded) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return g.door.Enter(c), nil
}

// admitActive has a connection admitted with its first request, which comes after
// the handshake.
func admitActive(c net.Conn, state http.ConnState) {
	secure, ok := c.(*tls.Conn)
	if !ok || state != http.StateActive {
		return
	}
	if known, ok := secure.NetConn().(*door.Conn); ok {
		known.Admit()
	}
}
