package share

import (
	"context"
	"net"
	"net/http"
)

// Connect has a Share speak over a network of a test's, in place of Open.
func (s *Share) Connect(l net.Listener, dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	s.serveAt(l)
	s.client.http.Transport.(*http.Transport).DialContext = dial
}
