//go:build e2e && linux

package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// in runs f on a thread inside the namespace: the sockets that it opens are of
// that network, whoever uses them later.
func (n namespace) in(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		fd, err := unix.Open(filepath.Join("/run/netns", string(n)), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			if err = unix.Setns(fd, unix.CLONE_NEWNET); err == nil {
				f()
			}
			_ = unix.Close(fd)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func (n namespace) listen(t *testing.T, address string) net.Listener {
	t.Helper()
	var l net.Listener
	var err error
	n.in(t, func() { l, err = net.Listen("tcp", address) })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (n namespace) dial(t *testing.T, network, address string) (c net.Conn, err error) {
	t.Helper()
	n.in(t, func() { c, err = (&net.Dialer{Timeout: 3 * time.Second}).Dial(network, address) })
	return c, err
}

// A smallMirror is a server that can be broken in several ways.
type smallMirror struct {
	t       *testing.T
	hub     namespace
	address string
	serve   http.HandlerFunc
	tls     *tls.Config

	mu     sync.Mutex
	server *http.Server // nil: it is dead
}

const isoSize = 1000

// goodMirror has the file.
func goodMirror(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/os/f.iso" {
		http.NotFound(w, r)
		return
	}
	http.ServeContent(w, r, "f.iso", time.Time{}, strings.NewReader(strings.Repeat("x", isoSize)))
}

func slowMirror(after time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(after):
			goodMirror(w, r)
		case <-r.Context().Done():
		}
	}
}

// softMissing says 200 for a page that tells of an error, and nothing of its
// length, as programs do.
func softMissing(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	_ = http.NewResponseController(w).Flush()
	_, _ = io.WriteString(w, strings.Repeat("<p>Not here</p>", 200))
}

func (m *smallMirror) up() {
	m.t.Helper()
	l := m.hub.listen(m.t, m.address)
	if m.tls != nil {
		l = tls.NewListener(l, m.tls)
	}
	s := &http.Server{Handler: m.serve, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go s.Serve(l) //nolint:errcheck // it ends with down
	m.mu.Lock()
	defer m.mu.Unlock()
	m.server = s
}

func (m *smallMirror) down() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.server != nil {
		_ = m.server.Close()
		m.server = nil
	}
}

// expired returns a certificate that was good until yesterday.
func expired(t *testing.T, address string) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour),
		IPAddresses: []net.IP{net.ParseIP(address)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// A wire is the gossip network between edges, in user space: edge i advertises
// the address of its relay, which passes on to the edge what others may send it.
type wire struct {
	mu    sync.Mutex
	loss  float64                        // share of packets
	delay time.Duration                  // of packets
	apart func(from, to netip.Addr) bool // nil: nobody is
}

func (w *wire) set(loss float64, delay time.Duration, apart func(from, to netip.Addr) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loss, w.delay, w.apart = loss, delay, apart
}

// fate says what becomes of a packet, or a connection.
func (w *wire) fate(from, to netip.Addr) (lost, cut bool, delay time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return mathrand.Float64() < w.loss, w.apart != nil && w.apart(from, to), w.delay
}

// relay passes on what comes at one address to an edge's.
func (w *wire) relay(t *testing.T, hub namespace, at, to netip.AddrPort) {
	t.Helper()
	l := hub.listen(t, at.String())
	var packets *net.UDPConn
	var out net.Conn
	var err error
	hub.in(t, func() {
		if packets, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at)); err == nil {
			out, err = net.Dial("udp", to.String())
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(func() { stop(); _ = l.Close(); _ = packets.Close(); _ = out.Close() })
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := packets.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if lost, cut, delay := w.fate(from.Addr().Unmap(), to.Addr()); !lost && !cut {
				p := append([]byte(nil), b[:n]...)
				time.AfterFunc(delay, func() { _, _ = out.Write(p) })
			}
		}
	}()
	go func() {
		for ctx.Err() == nil {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go w.stream(t, hub, c, to)
		}
	}()
}

// stream passes a connection on.
func (w *wire) stream(t *testing.T, hub namespace, c net.Conn, to netip.AddrPort) {
	t.Helper()
	defer c.Close() //nolint:errcheck // one end is gone anyhow
	from := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	if _, cut, _ := w.fate(from, to.Addr()); cut {
		return
	}
	d, err := hub.dial(t, "tcp", to.String())
	if err != nil {
		return
	}
	defer d.Close() //nolint:errcheck // one end is gone anyhow
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{c, d}, {d, c}} {
		go func() {
			_, _ = io.Copy(way[1], way[0])
			if half, ok := way[1].(*net.TCPConn); ok {
				_ = half.CloseWrite()
			}
			done <- struct{}{}
		}()
	}
	<-done
	<-done
}
