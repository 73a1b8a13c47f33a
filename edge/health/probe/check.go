package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/waypost/waypost/edge/index"
)

const (
	maxAddresses = 4   // of one host that one probe tries
	maxDetail    = 300 // characters of an error that are kept
)

// A checker makes probes: it finds the address, connects, shakes hands, asks
// and judges the answer, until one settles it. It speaks HTTP/1.1, each question
// over a connection of its own, rather than through an http.Transport, so that a
// probe is one goroutine with one deadline for a file, and each stage has its own
// verdict.
// Proxies of the environment do not count: clients do not go through them.
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

// An inquiry is a probe under way.
type inquiry struct {
	*checker
	family index.Family
	addrs  []netip.Addr // to try; nil: not yet resolved
	result Result
}

// probe makes one probe over family f. It takes no longer than the timeout, for
// each of the files that it asks for.
func (c *checker) probe(ctx context.Context, p plan, f index.Family) Result {
	start := time.Now()
	i := inquiry{checker: c, family: f, addrs: p.addrs, result: Result{Verdict: OK}}
	if err := i.pursue(ctx, p); err != nil {
		i.result.Verdict, i.result.Detail = Protocol, fmt.Sprintf("%.*s", maxDetail, err)
		if failed, ok := errors.AsType[*failure](err); ok {
			i.result.Verdict = failed.verdict
		}
	}
	i.result.Latency = time.Since(start)
	return i.result
}

// pursue asks for the plan's file. Where that is not as it should be, the other
// file decides: the first may have been moved away on the master, and then the
// mirrors that lack it are those that follow. A thorough probe of a directory
// looks whether that is more than a page for whatever is asked for.
func (i *inquiry) pursue(ctx context.Context, p plan) error {
	err := i.settle(ctx, newQuestion(p.file, p.thorough))
	if err == nil && p.dir && p.thorough {
		return i.compare(ctx, p.url)
	}
	failed, ok := errors.AsType[*failure](err)
	if !ok || !failed.verdict.lacks() || p.other.url == nil {
		return err
	}
	second := i.settle(ctx, newQuestion(p.other, p.thorough))
	if second != nil {
		return fmt.Errorf("%w; %s: %w", err, p.other.url.Path, second)
	}
	return nil
}

// settle asks until an answer leads to no further question. It has the whole
// timeout: with what the first file has left, a mirror that is far away would
// not get to say that it has the other one.
func (i *inquiry) settle(ctx context.Context, q *question) (err error) {
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	for q != nil && err == nil {
		q, err = i.ask(ctx, q)
	}
	return err
}

// ask asks one question, and returns the one that its answer leads to, or nil.
func (i *inquiry) ask(ctx context.Context, q *question) (*question, error) {
	conn, err := i.connect(ctx, q.url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // the socket: a farewell by TLS could block
	if deadline, ok := ctx.Deadline(); ok {
		if err = conn.SetDeadline(deadline); err != nil {
			return nil, fail(Protocol, err)
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	stream := conn
	if q.url.Scheme == "https" {
		if stream, err = i.shakeHands(ctx, conn, q.url.Hostname()); err != nil {
			return nil, err
		}
	}
	answer, err := q.put(stream, i.agent) //nolint:bodyclose // closing reads all that comes: the connection is closed instead
	if err != nil {
		return nil, err
	}
	return q.judge(answer)
}

// connect opens a connection to the first address that takes one: a round trip
// of TCP (RFC 9293, section 3.5). Later questions begin with that address.
func (i *inquiry) connect(ctx context.Context, to *url.URL) (net.Conn, error) {
	if err := i.resolve(ctx, to.Hostname()); err != nil {
		return nil, err
	}
	port := to.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[to.Scheme]
	}
	network := map[index.Family]string{index.V4: "tcp4", index.V6: "tcp6"}[i.family]
	var err error
	for n, a := range i.addrs {
		var conn net.Conn
		start := time.Now()
		conn, err = i.dialOne(ctx, network, net.JoinHostPort(a.String(), port), len(i.addrs)-n)
		if err == nil {
			if i.result.RoundTrip == 0 {
				i.result.RoundTrip = time.Since(start)
			}
			i.addrs = i.addrs[n:]
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

// resolve finds the host's addresses, at least one, unless they are known.
func (i *inquiry) resolve(ctx context.Context, host string) error {
	if len(i.addrs) == 0 {
		all, err := i.lookup(ctx, "ip", host)
		if err != nil {
			return fail(NoName, fmt.Errorf("resolving: %w", err))
		}
		i.addrs = ofFamily(all, i.family)
	}
	if len(i.addrs) == 0 {
		return &failure{NoAddress, errors.New("the name has no address of this family")}
	}
	i.addrs = i.addrs[:min(len(i.addrs), maxAddresses)]
	return nil
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
func (i *inquiry) shakeHands(ctx context.Context, conn net.Conn, name string) (net.Conn, error) {
	secure := tls.Client(conn, &tls.Config{ServerName: name, RootCAs: i.roots, MinVersion: tls.VersionTLS12})
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, fail(distrust(err), fmt.Errorf("shaking hands: %w", err))
	}
	leaf := secure.ConnectionState().PeerCertificates[0]
	i.result.Expires = leaf.NotAfter
	i.result.Expiring = time.Until(leaf.NotAfter) < leaf.NotAfter.Sub(leaf.NotBefore)/10
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
