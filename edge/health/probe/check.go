package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/waypost/waypost/edge/index"
)

const (
	maxAddresses = 4        // of one host that one probe tries
	maxHeader    = 64 << 10 // bytes of an answer that are read
	maxDetail    = 300      // characters of an error that are kept
	sampleBytes  = 1 << 10  // of a file that are read now and then
)

// A checker makes probes: it finds the address, connects, shakes hands, asks
// HEAD and judges the answer. It speaks HTTP/1.1 over a connection of its own
// rather than through an http.Transport, so that a probe is one goroutine with
// one deadline, and each stage has its own verdict. Proxies of the environment
// do not count: clients do not go through them.
type checker struct {
	timeout time.Duration
	agent   string
	roots   *x509.CertPool
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	lookup  func(ctx context.Context, network, host string) ([]netip.Addr, error)
}

func newChecker(c Config) *checker {
	return &checker{
		timeout: c.Timeout,
		agent:   fmt.Sprintf("waypost/%s (+mirror health probe)", c.Version),
		roots:   c.Roots,
		dial:    (&net.Dialer{KeepAlive: -1}).DialContext,
		lookup:  net.DefaultResolver.LookupNetIP,
	}
}

// failure is an error with the verdict it leads to.
type failure struct {
	verdict Verdict
	err     error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func fail(v Verdict, err error) error {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		v = Timeout
	}
	return &failure{v, err}
}

// probe makes one probe over family f. It takes no longer than the timeout.
func (c *checker) probe(ctx context.Context, p plan, f index.Family) Result {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	start := time.Now()
	r := Result{Verdict: OK}
	if err := c.ask(ctx, p, f, &r); err != nil {
		r.Verdict, r.Detail = Protocol, fmt.Sprintf("%.*s", maxDetail, err)
		if failed, ok := errors.AsType[*failure](err); ok {
			r.Verdict = failed.verdict
		}
	}
	r.Latency = time.Since(start)
	return r
}

// ask goes through the stages of a probe. It fills in what r says of the
// connection and the certificate.
func (c *checker) ask(ctx context.Context, p plan, f index.Family, r *Result) error {
	conn, err := c.connect(ctx, p, f, r)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // the socket: a farewell by TLS could block
	if deadline, ok := ctx.Deadline(); ok {
		if err = conn.SetDeadline(deadline); err != nil {
			return fail(Protocol, err)
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	stream := conn
	if p.url.Scheme == "https" {
		if stream, err = c.shakeHands(ctx, conn, p.url.Hostname(), r); err != nil {
			return err
		}
	}
	answer, err := c.head(stream, p) //nolint:bodyclose // closing reads all that comes: the connection is closed instead
	if err != nil {
		return err
	}
	if err = judge(answer, p); err != nil || !p.ranged || answer.StatusCode > http.StatusPartialContent {
		return err
	}
	return readSample(answer.Body, p)
}

// readSample reads the first bytes of a file.
func readSample(body io.Reader, p plan) error {
	want := min(p.size, sampleBytes)
	n, err := io.CopyN(io.Discard, body, want)
	if err != nil {
		return fail(Protocol, fmt.Errorf("reading the first %d bytes, it broke off after %d: %w", want, n, err))
	}
	return nil
}

// connect opens a connection to the first address that takes one: a round trip
// of TCP (RFC 9293, section 3.5).
func (c *checker) connect(ctx context.Context, p plan, f index.Family, r *Result) (net.Conn, error) {
	addrs, err := c.resolve(ctx, p, f)
	if err != nil {
		return nil, err
	}
	port := p.url.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[p.url.Scheme]
	}
	network := map[index.Family]string{index.V4: "tcp4", index.V6: "tcp6"}[f]
	addrs = addrs[:min(len(addrs), maxAddresses)]
	for i, a := range addrs {
		var conn net.Conn
		start := time.Now()
		conn, err = c.dialOne(ctx, network, net.JoinHostPort(a.String(), port), len(addrs)-i)
		if err == nil {
			r.RoundTrip = time.Since(start)
			return conn, nil
		}
	}
	return nil, fail(refusal(err), fmt.Errorf("connecting: %w", err))
}

// dialOne dials within its share of the time left for so many addresses.
func (c *checker) dialOne(ctx context.Context, network, address string, left int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	return c.dial(ctx, network, address)
}

// resolve returns the target's addresses, at least one.
func (c *checker) resolve(ctx context.Context, p plan, f index.Family) ([]netip.Addr, error) {
	if len(p.addrs) > 0 {
		return p.addrs, nil
	}
	all, err := c.lookup(ctx, "ip", p.url.Hostname())
	if err != nil {
		return nil, fail(NoName, fmt.Errorf("resolving: %w", err))
	}
	of := ofFamily(all, f)
	if len(of) == 0 {
		return nil, &failure{NoAddress, errors.New("the name has no address of this family")}
	}
	return of, nil
}

// refusal returns the verdict for a connection that was not made.
func refusal(err error) Verdict {
	local := []syscall.Errno{syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS}
	for _, errno := range local {
		if errors.Is(err, errno) {
			return Local
		}
	}
	if errors.Is(err, syscall.ENETUNREACH) {
		return NoRoute
	}
	return Refused
}

// shakeHands starts TLS and verifies the certificate.
func (c *checker) shakeHands(ctx context.Context, conn net.Conn, name string, r *Result) (net.Conn, error) {
	secure := tls.Client(conn, &tls.Config{ServerName: name, RootCAs: c.roots, MinVersion: tls.VersionTLS12})
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, fail(distrust(err), fmt.Errorf("shaking hands: %w", err))
	}
	leaf := secure.ConnectionState().PeerCertificates[0]
	r.Expires = leaf.NotAfter
	r.Expiring = time.Until(leaf.NotAfter) < leaf.NotAfter.Sub(leaf.NotBefore)/10
	return secure, nil
}

// distrust returns the verdict for a handshake that failed.
func distrust(err error) Verdict {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return Expired
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return Untrusted
	}
	return TLS
}

// head asks for the header of the plan's URL, and in ranged probes for the
// first bytes of the body, which the caller reads.
func (c *checker) head(conn net.Conn, p plan) (*http.Response, error) {
	q := &http.Request{
		Method: http.MethodHead, URL: p.url, Host: p.url.Host, Close: true,
		Header: http.Header{"User-Agent": {c.agent}, "Accept-Encoding": {"identity"}},
	}
	if p.ranged {
		q.Method = http.MethodGet
		q.Header.Set("Range", fmt.Sprintf("bytes=0-%d", min(p.size, sampleBytes)-1))
	}
	if err := q.Write(conn); err != nil {
		return nil, fail(Protocol, fmt.Errorf("asking: %w", err))
	}
	from := bufio.NewReader(io.LimitReader(conn, maxHeader))
	for {
		answer, err := http.ReadResponse(from, q)
		if err != nil {
			return nil, fail(Protocol, fmt.Errorf("reading the answer: %w", err))
		}
		if answer.StatusCode >= 200 || answer.StatusCode == http.StatusSwitchingProtocols {
			return answer, nil
		}
		_ = answer.Body.Close() // an interim answer has none
	}
}

// judge says what an answer means.
//
// A file must be there, in its size. Of a directory it is enough that it is
// neither missing nor broken: many mirrors forbid listings with 403. A redirect
// on the same host, to a slash or to https, is up; the size is then not looked
// at. 405, 429 and 501 come from hosts that are there and do not like probes.
func judge(answer *http.Response, p plan) error {
	status := answer.StatusCode
	failed := func(v Verdict) error { return &failure{v, fmt.Errorf("status %d", status)} }
	switch {
	case status == http.StatusNotFound || status == http.StatusGone:
		return failed(Missing)
	case status == http.StatusMethodNotAllowed, status == http.StatusTooManyRequests, status == http.StatusNotImplemented:
		return nil
	case status == http.StatusForbidden && p.size < 0:
		return nil
	case status >= 300 && status < 400:
		return judgeRedirect(answer, p)
	case status < 200 || status >= 300:
		return failed(BadStatus)
	}
	if text := sizeOf(answer); p.size >= 0 && text != "" {
		if n, err := strconv.ParseInt(text, 10, 64); err != nil || n != p.size {
			return &failure{WrongSize, fmt.Errorf("size %.20s, want %d", text, p.size)}
		}
	}
	return nil
}

// sizeOf returns what an answer says of the size of the whole file; "" if nothing.
func sizeOf(answer *http.Response) string {
	if answer.StatusCode != http.StatusPartialContent {
		return answer.Header.Get("Content-Length")
	}
	_, size, _ := strings.Cut(answer.Header.Get("Content-Range"), "/")
	return strings.TrimPrefix(size, "*")
}

func judgeRedirect(answer *http.Response, p plan) error {
	to, err := p.url.Parse(answer.Header.Get("Location"))
	if err != nil || answer.Header.Get("Location") == "" {
		return &failure{BadStatus, fmt.Errorf("status %d without a place to go", answer.StatusCode)}
	}
	sameHost := strings.EqualFold(to.Hostname(), p.url.Hostname())
	if sameHost && (to.Scheme == "https" || to.Scheme == p.url.Scheme) {
		return nil
	}
	return &failure{Elsewhere, fmt.Errorf("status %d to %.200s://%.200s", answer.StatusCode, to.Scheme, to.Host)}
}
