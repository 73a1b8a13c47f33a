package share

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	connectionsToPeer = 8               // at most
	connectWithin     = 3 * time.Second // to a peer, and as long for the handshake
)

// What a peer answers that has not what was asked for.
var (
	errLacks  = errors.New("it does not have it")
	errComing = errors.New("it does not have it yet")
)

// A client asks peers. It is safe for any number of goroutines.
type client struct {
	ring *ring
	http *http.Client

	mu  sync.Mutex
	own *tls.Certificate // guarded by mu; with which connections were opened
}

func newClient(r *ring, s *standings) *client {
	dialer := &net.Dialer{Timeout: connectWithin}
	transport := &http.Transport{
		TLSClientConfig: r.tls(), TLSHandshakeTimeout: connectWithin, DisableCompression: true,
		TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{}, // HTTP/1.1 only
		MaxIdleConnsPerHost: connectionsToPeer, MaxConnsPerHost: connectionsToPeer, IdleConnTimeout: idle - handshake,
		MaxResponseHeaderBytes: 8 << 10,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			began := time.Now()
			c, err := dialer.DialContext(ctx, network, address)
			if at, bad := netip.ParseAddrPort(address); err == nil && bad == nil {
				s.connected(at, time.Since(began))
			}
			return c, err
		},
	}
	redirect := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{ring: r, http: &http.Client{Transport: transport, CheckRedirect: redirect}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// get returns what a peer has. It may wait with its answer.
func (c *client) get(ctx context.Context, at netip.AddrPort, wait time.Duration, w *wish) ([]byte, error) {
	c.renew()
	ctx, cancel := context.WithTimeout(ctx, wait+w.within)
	defer cancel()
	u := url.URL{Scheme: "https", Host: at.String(), Path: w.path}
	if wait > 0 {
		u.RawQuery = "wait=" + wait.Round(time.Millisecond).String()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	switch response.StatusCode {
	case http.StatusOK:
		b, bad := read(response.Body, response.ContentLength, w.most)
		return b, cmp.Or(bad, ctx.Err()) // a peer that sees this side hang up may end its answer in due form
	case http.StatusNotFound:
		err = errLacks
	case http.StatusServiceUnavailable:
		err = errComing
	default:
		text, _ := io.ReadAll(io.LimitReader(response.Body, 200))
		return nil, fmt.Errorf("%s: %.200q", response.Status, strings.TrimSpace(string(text)))
	}
	_, _ = io.CopyN(io.Discard, response.Body, 1<<10) // so that the connection can be used again
	return nil, err
}

// read reads a body of at most most bytes, and one more if there are more. It
// makes room for what is said to come, up to that.
func read(body io.Reader, said int64, most int) ([]byte, error) {
	limit := int64(most) + 1
	if said < 0 || said > limit {
		return io.ReadAll(io.LimitReader(body, limit))
	}
	b := make([]byte, said)
	_, err := io.ReadFull(body, b)
	return b, err
}

// renew has new connections opened when this edge's own key has changed.
func (c *client) renew() {
	now, err := c.ring.current()
	if err != nil {
		return
	}
	c.mu.Lock()
	stale := c.own != nil && c.own != now.own
	c.own = now.own
	c.mu.Unlock()
	if stale {
		c.http.CloseIdleConnections()
	}
}
