// Package web asks mirrors over HTTP and HTTPS, politely and without trust.
//
// A [Client] makes requests: paced, with a bounded answer, following a bounded
// number of redirects and telling of each, waiting where a server asks for it.
// [ParseIndex] reads index pages. A Client is safe for use by several
// goroutines.
package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/waypost/waypost/control/crawl/pace"
)

// Config says how a client behaves.
type Config struct {
	// Limiter and Rate pace requests, per server of a URL.
	Limiter *pace.Limiter
	Rate    pace.Rate

	// Agent is the User-Agent: what asks, and whom to tell of trouble.
	Agent string

	// Timeout is for one request with its answer; default 30 s.
	Timeout time.Duration

	// Retries is how often a request is repeated after 429, 503 or a broken
	// connection; default 2, negative: never.
	Retries int

	// MaxWait is the longest Retry-After that is waited for; a server that asks
	// for more is [ErrOverloaded]. Default 1 min.
	MaxWait time.Duration

	// TLS is the configuration of HTTPS; nil: the system's.
	TLS *tls.Config

	// Private lets it connect to loopback, link-local and private addresses.
	// Without it no registered URL, and no redirect, leads into the operator's
	// own network.
	Private bool

	// Refuse are host names that are not followed to: our own redirectors,
	// which have everything whatever the mirror has.
	Refuse []string

	// Network is "tcp", or "tcp4" or "tcp6" for one family; default "tcp".
	Network string

	// Count, where set, hears of each request and the bytes of its answer.
	Count func(bytes int64)
}

// Errors that callers look for.
var (
	ErrOverloaded = errors.New("the server is overloaded")
	ErrRedirect   = errors.New("bad redirect")
	ErrAddress    = errors.New("address not allowed")
)

const maxHops = 5 // redirects that are followed

// An Answer is what a server said.
type Answer struct {
	Status   int
	Size     int64     // of the whole file; -1: not told
	Modified time.Time // zero: not told
	Type     string    // Content-Type without parameters, lower case
	Encoded  bool      // a Content-Encoding was used though none was accepted
	URL      *url.URL  // that answered
	Hops     []string  // the URLs that redirects led to, in order
	Body     []byte    // as far as asked for
	Cut      bool      // the body was longer than asked for
	Expires  time.Time // when its certificate expires; zero without TLS
	Header   http.Header
}

// OK reports whether the status is 200 or 206.
func (a *Answer) OK() bool { return a.Status == http.StatusOK || a.Status == http.StatusPartialContent }

// A Client makes requests.
type Client struct {
	config    Config
	transport *http.Transport
}

// New returns a client. Close it to close its idle connections.
func New(c Config) *Client {
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	if c.Retries == 0 {
		c.Retries = 2
	}
	if c.MaxWait <= 0 {
		c.MaxWait = time.Minute
	}
	if c.Network == "" {
		c.Network = "tcp"
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: c.control}
	return &Client{config: c, transport: &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, c.Network, address)
		},
		TLSClientConfig:        c.TLS,
		TLSHandshakeTimeout:    10 * time.Second,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    max(1, c.Rate.Connections),
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}}
}

// Close closes idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// control refuses addresses after names were resolved, so that no name leads
// where an address may not.
func (c *Config) control(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q", ErrAddress, address)
	}
	return Allowed(a.Addr(), c.Private)
}

// Head asks for what a file is, without its content.
func (c *Client) Head(ctx context.Context, u string) (*Answer, error) {
	return c.do(ctx, http.MethodHead, u, "", 0)
}

// Get asks for a file, of which at most limit bytes are read.
func (c *Client) Get(ctx context.Context, u string, limit int64) (*Answer, error) {
	return c.do(ctx, http.MethodGet, u, "", limit)
}

// Range asks for n bytes from offset on. A server that knows no ranges sends
// the file from its beginning: Status is 200 then.
func (c *Client) Range(ctx context.Context, u string, offset, n int64) (*Answer, error) {
	return c.do(ctx, http.MethodGet, u, fmt.Sprintf("bytes=%d-%d", offset, offset+n-1), n)
}

// do repeats a request as often as is polite.
func (c *Client) do(ctx context.Context, method, u, span string, limit int64) (*Answer, error) {
	for try := 0; ; try++ {
		a, err := c.follow(ctx, method, u, span, limit)
		if err == nil && a.Status != http.StatusTooManyRequests && a.Status != http.StatusServiceUnavailable {
			return a, nil
		}
		wait := time.Second << min(try, 6)
		if err == nil {
			wait = max(wait, retryAfter(a.Header))
			err = fmt.Errorf("%w: status %d", ErrOverloaded, a.Status)
		}
		if ctx.Err() != nil || errors.Is(err, ErrRedirect) || errors.Is(err, ErrAddress) || Certificate(err) != "" {
			return nil, err
		}
		if try >= c.config.Retries || wait > c.config.MaxWait {
			return nil, err
		}
		if errors.Is(err, ErrOverloaded) {
			c.pause(a.URL, wait)
		}
	}
}

// pause tells all crawls of a server to wait.
func (c *Client) pause(u *url.URL, d time.Duration) {
	s := c.config.Limiter.Server(u.Hostname(), c.config.Rate)
	defer s.Close()
	s.Pause(d)
}

// retryAfter reads the header of that name, RFC 9110 section 10.2.3.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(n, 0), 24*3600)) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return time.Until(t)
	}
	return 0
}

// follow makes a request and those that redirects lead to.
func (c *Client) follow(ctx context.Context, method, raw, span string, limit int64) (*Answer, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("reading URL: %w", err)
	}
	var hops []string
	for {
		a, err := c.once(ctx, method, u, span, limit)
		if err != nil {
			return nil, err
		}
		a.Hops = hops
		location := a.Header.Get("Location")
		if a.Status < 301 || a.Status > 308 || a.Status == http.StatusNotModified || location == "" {
			return a, nil
		}
		if u, err = u.Parse(location); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("%w: %s leads to %.200q", ErrRedirect, raw, location)
		}
		for _, name := range c.config.Refuse {
			if strings.EqualFold(u.Hostname(), name) {
				return nil, fmt.Errorf("%w: %s leads back to %s", ErrRedirect, raw, name)
			}
		}
		if hops = append(hops, u.String()); len(hops) > maxHops {
			return nil, fmt.Errorf("%w: %s leads through more than %d URLs", ErrRedirect, raw, maxHops)
		}
	}
}

// once makes one request when it is its turn.
func (c *Client) once(ctx context.Context, method string, u *url.URL, span string, limit int64) (*Answer, error) {
	server := c.config.Limiter.Server(u.Hostname(), c.config.Rate)
	defer server.Close()
	release, err := server.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("making request: %w", err)
	}
	r.Header.Set("User-Agent", c.config.Agent)
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("Cache-Control", "no-cache")
	r.Header.Set("Pragma", "no-cache")
	if span != "" {
		r.Header.Set("Range", span)
	}
	w, err := c.transport.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", u, err)
	}
	defer w.Body.Close() //nolint:errcheck // only read from
	return c.answer(w, u, limit)
}

// answer reads what a server said, of its body one byte more than limit at most.
func (c *Client) answer(w *http.Response, u *url.URL, limit int64) (*Answer, error) {
	a := &Answer{Status: w.StatusCode, Size: w.ContentLength, URL: u, Header: w.Header}
	a.Modified, _ = http.ParseTime(w.Header.Get("Last-Modified")) // none, or nonsense: not told
	media, _, _ := strings.Cut(w.Header.Get("Content-Type"), ";")
	a.Type = strings.ToLower(strings.TrimSpace(media))
	encoding := w.Header.Get("Content-Encoding")
	a.Encoded = encoding != "" && encoding != "identity"
	if a.Status == http.StatusPartialContent {
		a.Size = totalSize(w.Header.Get("Content-Range"))
	}
	if w.TLS != nil && len(w.TLS.PeerCertificates) > 0 {
		a.Expires = w.TLS.PeerCertificates[0].NotAfter
	}
	var err error
	if limit > 0 {
		a.Body, err = io.ReadAll(io.LimitReader(w.Body, limit+1))
		if a.Cut = int64(len(a.Body)) > limit; a.Cut {
			a.Body = a.Body[:limit]
		}
	}
	if c.config.Count != nil {
		c.config.Count(int64(len(a.Body)))
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", u, err)
	}
	return a, nil
}

// totalSize reads the size of the whole from "bytes 0-9/1234", -1 if it is not
// told.
func totalSize(contentRange string) int64 {
	_, total, _ := strings.Cut(contentRange, "/")
	n, err := strconv.ParseInt(total, 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}
