package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/index"
)

// testChecker has a time that a loaded machine keeps.
func testChecker(roots *x509.CertPool) *checker {
	return newChecker(Config{Timeout: 10 * time.Second, Version: "1.2", Roots: roots})
}

func planOf(t *testing.T, where string, size int64) plan {
	t.Helper()
	u, err := url.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	p := plan{file: file{u, size, size < 0}} // of no size is a directory
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		p.addrs = []netip.Addr{a}
	}
	return p
}

func TestStatuses(t *testing.T) {
	var methods []string // of one probe, whose questions come one after the other
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want := []string{"waypost/1.2 (+mirror health probe)", "identity"}
		got := []string{r.UserAgent(), r.Header.Get("Accept-Encoding")}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		methods = append(methods, r.Method)
		status := 0
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
		if location := r.URL.Query().Get("to"); location != "" {
			w.Header().Set("Location", location)
		}
		if n := r.URL.Query().Get("length"); n != "" {
			w.Header().Set("Content-Length", n)
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	const dir = -1
	tests := []struct {
		path  string
		size  int64
		asked string
		want  Verdict
	}{
		{"/200/", dir, "HEAD", OK},
		{"/403/", dir, "HEAD", OK},
		{"/429/", dir, "HEAD", OK},
		{"/405/", dir, "HEAD GET", BadStatus},
		{"/404/", dir, "HEAD", Missing},
		{"/410/", dir, "HEAD", Missing},
		{"/401/", dir, "HEAD", BadStatus},
		{"/500/", dir, "HEAD", BadStatus},
		{"/503/", dir, "HEAD", BadStatus},
		{"/200?length=1000", 1000, "HEAD", OK},
		{"/200?length=999", 1000, "HEAD", WrongSize},
		{"/200", 1000, "HEAD GET", WrongSize}, // of an empty body
		{"/204", 1000, "HEAD GET", WrongSize},
		{"/429", 1000, "HEAD", OK},
		{"/403", 1000, "HEAD GET", BadStatus},
		{"/400", 1000, "HEAD GET", BadStatus},
		{"/405", 1000, "HEAD GET", BadStatus},
		{"/501", 1000, "HEAD GET", BadStatus},
		{"/404", 1000, "HEAD", Missing},
		{"/301?to=/200/", dir, "HEAD HEAD", OK},
		{"/301?to=/404/", dir, "HEAD HEAD", Missing},
		{"/302?to=" + server.URL + "/200/", dir, "HEAD HEAD", OK},
		{"/302?to=/301%3Fto=/307%253Fto=/200/", dir, "HEAD HEAD HEAD HEAD", OK},
		{"/302?to=http://other.test/200/", dir, "HEAD", Elsewhere},
		{"/302?to=//other.test/", dir, "HEAD", Elsewhere},
		{"/302?to=ftp://127.0.0.1/", dir, "HEAD", Elsewhere},
		{"/302?to=%25%7a", dir, "HEAD", BadStatus},
		{"/302", dir, "HEAD", BadStatus},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			methods = nil
			r := testChecker(nil).probe(t.Context(), planOf(t, server.URL+test.path, test.size), index.V4)
			if r.Verdict != test.want || (r.Detail == "") != (test.want == OK) || r.Latency <= 0 {
				t.Errorf("got %v %q after %v, want %v", r.Verdict, r.Detail, r.Latency, test.want)
			}
			if got := strings.Join(methods, " "); got != test.asked {
				t.Errorf("asked %s, want %s", got, test.asked)
			}
		})
	}
}

// listen returns a listener whose connections serve gets, one at a time.
func listen(t *testing.T, network, address string, serve func(net.Conn)) net.Addr {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr()
}

// TestBrokenServers: servers that do not get as far as a status.
func TestBrokenServers(t *testing.T) {
	closed := listen(t, "tcp4", "127.0.0.1:0", func(net.Conn) {})
	silent := listen(t, "tcp4", "127.0.0.1:0", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	foreign := listen(t, "tcp4", "127.0.0.1:0", func(c net.Conn) { _, _ = c.Write([]byte("220 ftp.test ready\r\n")) })
	endless := listen(t, "tcp4", "127.0.0.1:0", func(c net.Conn) {
		_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nX: "))
		for err := error(nil); err == nil; {
			_, err = c.Write(make([]byte, 4096))
		}
	})
	hints := listen(t, "tcp4", "127.0.0.1:0", func(c net.Conn) {
		_, _ = c.Write([]byte("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"))
		_, _ = io.Copy(io.Discard, c)
	})
	dead, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.Close()
	tests := []struct {
		name    string
		url     string
		timeout time.Duration
		want    Verdict
	}{
		{"dead port", "http://" + dead.Addr().String(), 10 * time.Second, Refused},
		{"dead port, https", "https://" + dead.Addr().String(), 10 * time.Second, Refused},
		{"closes", "http://" + closed.String(), 10 * time.Second, Protocol},
		{"closes, https", "https://" + closed.String(), 10 * time.Second, TLS},
		{"silent", "http://" + silent.String(), 50 * time.Millisecond, Timeout},
		{"silent, https", "https://" + silent.String(), 50 * time.Millisecond, Timeout},
		{"not HTTP", "http://" + foreign.String(), 10 * time.Second, Protocol},
		{"not TLS", "https://" + foreign.String(), 10 * time.Second, TLS},
		{"endless header", "http://" + endless.String(), 10 * time.Second, Protocol},
		{"early hints", "http://" + hints.String(), 10 * time.Second, OK},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := testChecker(nil)
			c.timeout = test.timeout
			r := c.probe(t.Context(), planOf(t, test.url+"/", 5), index.V4)
			if r.Verdict != test.want || len(r.Detail) > maxDetail {
				t.Errorf("got %v %q, want %v", r.Verdict, r.Detail, test.want)
			}
		})
	}
}

// certificate makes one for 127.0.0.1 and mirror.test, signed by itself.
func certificate(t *testing.T, from, to time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mirror"}, NotBefore: from, NotAfter: to,
		DNSNames: []string{"mirror.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, roots
}

func TestCertificates(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		name     string
		from, to time.Duration // of its validity, from now
		distrust bool
		host     string // by which it is asked; default 127.0.0.1
		version  uint16 // of TLS, at most
		want     Verdict
		expiring bool
	}{
		{name: "good", from: -day, to: 89 * day, want: OK},
		{name: "by name", from: -day, to: 89 * day, host: "mirror.test", want: OK},
		{name: "expires soon", from: -82 * day, to: 8 * day, want: OK, expiring: true},
		{name: "short-lived", from: -4 * day, to: 2 * day, want: OK},
		{name: "expired", from: -90 * day, to: -day, want: Expired},
		{name: "not yet valid", from: day, to: 90 * day, want: Expired},
		{name: "self-signed", from: -day, to: 89 * day, distrust: true, want: Untrusted},
		{name: "another name", from: -day, to: 89 * day, host: "other.test", want: Untrusted},
		{name: "old TLS", from: -day, to: 89 * day, version: tls.VersionTLS11, want: TLS},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			now := time.Now()
			cert, roots := certificate(t, now.Add(test.from), now.Add(test.to))
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/down" {
					http.Redirect(w, r, "http://"+r.Host+"/", http.StatusFound)
				}
			}))
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: test.version} // a bad server
			server.StartTLS()
			defer server.Close()
			if test.distrust {
				roots = x509.NewCertPool()
			}
			where := server.URL
			if test.host != "" {
				where = strings.Replace(where, "127.0.0.1", test.host, 1)
			}
			p := planOf(t, where+"/", -1)
			p.addrs = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
			r := testChecker(roots).probe(t.Context(), p, index.V4)
			if r.Verdict != test.want || r.Expiring != test.expiring || (test.want == OK) == r.Expires.IsZero() {
				t.Errorf("got %+v, want %v, expiring %v", r, test.want, test.expiring)
			}
			if test.want == OK {
				p.url = p.url.JoinPath("/down")
				if r := testChecker(roots).probe(t.Context(), p, index.V4); r.Verdict != Elsewhere {
					t.Errorf("https to http: got %+v", r)
				}
			}
		})
	}
}

// TestFamilies: each family has its own answer from one name.
func TestFamilies(t *testing.T) {
	four := listen(t, "tcp4", "127.0.0.1:0", func(c net.Conn) {
		_, _ = c.Write([]byte("HTTP/1.1 500 Four\r\n\r\n"))
		_, _ = io.Copy(io.Discard, c)
	})
	_, port, err := net.SplitHostPort(four.String())
	if err != nil {
		t.Fatal(err)
	}
	listen(t, "tcp6", "[::1]:"+port, func(c net.Conn) {
		_, _ = c.Write([]byte("HTTP/1.1 200 Six\r\n\r\n"))
		_, _ = io.Copy(io.Discard, c)
	})
	notFound := &net.DNSError{Err: "no such host", IsNotFound: true}
	slow := &net.DNSError{Err: "timeout", IsTimeout: true}
	tests := []struct {
		name   string
		addrs  []string
		err    error
		v4, v6 Verdict
	}{
		{"both", []string{"127.0.0.1", "::1"}, nil, BadStatus, OK},
		{"mapped", []string{"::ffff:127.0.0.1"}, nil, BadStatus, NoAddress},
		{"only v6", []string{"::1"}, nil, NoAddress, OK},
		{"none", nil, notFound, NoName, NoName},
		{"no resolver", nil, slow, Timeout, Timeout},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := testChecker(nil)
			c.lookup = func(_ context.Context, _, host string) (addrs []netip.Addr, err error) {
				if host != "mirror.test" {
					t.Errorf("looked up %q", host)
				}
				for _, a := range test.addrs {
					addrs = append(addrs, netip.MustParseAddr(a))
				}
				return addrs, test.err
			}
			p := planOf(t, "http://mirror.test:"+port+"/", -1)
			v4, v6 := c.probe(t.Context(), p, index.V4), c.probe(t.Context(), p, index.V6)
			if v4.Verdict != test.v4 || v6.Verdict != test.v6 {
				t.Errorf("got %v %q and %v %q, want %v and %v", v4.Verdict, v4.Detail, v6.Verdict, v6.Detail, test.v4, test.v6)
			}
		})
	}
}

// TestConnect: what comes of the errors of a socket, and of several addresses.
func TestConnect(t *testing.T) {
	tests := []struct {
		name string
		errs []error // by address; nil: it answers 200
		want Verdict
	}{
		{"second answers", []error{syscall.ECONNREFUSED, nil}, OK},
		{"refused", []error{syscall.ECONNREFUSED}, Refused},
		{"host unreachable", []error{syscall.EHOSTUNREACH}, Refused},
		{"no route", []error{syscall.ENETUNREACH}, NoRoute},
		{"no address here", []error{syscall.EADDRNOTAVAIL}, Local},
		{"no sockets", []error{syscall.EMFILE}, Local},
		{"too long", []error{context.DeadlineExceeded}, Timeout},
		{"something else", []error{errors.New("else")}, Refused},
		{"too many", []error{syscall.ECONNREFUSED, syscall.ECONNREFUSED, syscall.ECONNREFUSED, syscall.ECONNREFUSED, nil}, Refused},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := testChecker(nil)
			dialed := 0
			served := make(chan struct{})
			c.dial = func(_ context.Context, network, address string) (net.Conn, error) {
				err := test.errs[dialed]
				dialed++
				if want := fmt.Sprintf("192.0.2.%d:80", dialed); network != "tcp4" || address != want {
					t.Errorf("dialed %s %s, want tcp4 %s", network, address, want)
				}
				if err != nil {
					return nil, &net.OpError{Op: "dial", Err: err}
				}
				return pipe("HTTP/1.1 200 OK\r\n\r\n", served), nil
			}
			p := planOf(t, "http://mirror.test/", -1)
			for i := range test.errs {
				p.addrs = append(p.addrs, netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}))
			}
			if r := c.probe(t.Context(), p, index.V4); r.Verdict != test.want {
				t.Errorf("got %v %q, want %v", r.Verdict, r.Detail, test.want)
			} else if r.Verdict == OK {
				<-served
			}
		})
	}
}

// pipe returns a connection to a server that answers with text whatever it is
// asked, and closes served when it has ended.
func pipe(text string, served chan<- struct{}) net.Conn {
	near, far := net.Pipe()
	go func() {
		defer close(served)
		defer func() { _ = far.Close() }()
		_, _ = far.Read(make([]byte, 4096))
		_, _ = far.Write([]byte(text))
	}()
	return near
}

// TestCancelled: the end of Run ends a probe at whatever stage.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	silent := listen(t, "tcp4", "127.0.0.1:0", func(c net.Conn) {
		cancel()
		_, _ = io.Copy(io.Discard, c)
	})
	c := testChecker(nil)
	c.timeout = time.Hour
	if r := c.probe(ctx, planOf(t, "https://"+silent.String()+"/", -1), index.V4); !r.Verdict.Failed() {
		t.Errorf("got %+v", r)
	}
}

// FuzzAnswer: whatever a server says, a probe ends with a verdict.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		"", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 404\r\n\r\n", "HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: //[::1\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: https://mirror.test/\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz", "HTTP/2 200\r\n\r\n", "ICY 200 OK\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n", "HTTP/1.1 999 \x00\xff\r\n: \r\n\r\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := testChecker(nil)
		var served []chan struct{} // by connection
		c.dial = func(context.Context, string, string) (net.Conn, error) {
			served = append(served, make(chan struct{}))
			return pipe(text, served[len(served)-1]), nil
		}
		p := planOf(t, "http://mirror.test/f.iso", 5)
		p.addrs = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
		p.other = file{url: p.url.JoinPath("other"), size: 6}
		directory := p
		directory.file, directory.other, directory.thorough = file{p.url.JoinPath("/"), -1, true}, file{}, true
		for _, p := range []plan{p, directory} {
			served = nil
			r := c.probe(t.Context(), p, index.V4)
			if n := len(served); n > 13 {
				t.Errorf("%d questions", n)
			}
			for _, s := range served {
				<-s
			}
			if !r.Verdict.settles() || (r.Verdict == OK) != (r.Detail == "") {
				t.Errorf("got %+v", r)
			}
		}
	})
}
