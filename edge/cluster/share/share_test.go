package share_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/cluster/share"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
	"github.com/waypost/waypost/edge/source"
)

var (
	_ source.Peers = (*share.Share)(nil)
	_ share.Holder = (*source.Offer)(nil)
)

// A control is a control plane that counts what it sends.
type control struct {
	*httptest.Server

	mu       sync.Mutex
	manifest []byte
	sections map[string][]byte
	changed  chan struct{}

	bytes, manifests, served, heads atomic.Int64
	encoder                         wire.Encoder
}

// newControl returns one at a loopback address.
func newControl(tb testing.TB) *control {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return newControlAt(tb, l)
}

func newControlAt(tb testing.TB, l net.Listener) *control {
	tb.Helper()
	c := &control{sections: map[string][]byte{}, changed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/snapshot/manifest", c.serveManifest)
	mux.HandleFunc("GET /v1/snapshot/sections/{hash}", func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		b := c.sections[r.PathValue("hash")]
		c.mu.Unlock()
		c.served.Add(1)
		_, _ = w.Write(b)
	})
	c.Server = &httptest.Server{Listener: &counting{l, &c.bytes}, Config: &http.Server{Handler: mux}}
	c.Start()
	tb.Cleanup(c.Close)
	return c
}

func (c *control) serveManifest(w http.ResponseWriter, r *http.Request) {
	wait, _ := time.ParseDuration(r.URL.Query().Get("wait"))
	end := time.After(wait)
	for {
		c.mu.Lock()
		b, changed := c.manifest, c.changed
		c.mu.Unlock()
		tag := fmt.Sprintf("%q", wire.HashOf(b))
		w.Header().Set("ETag", tag)
		switch {
		case tag != r.Header.Get("If-None-Match") && r.Method == http.MethodHead:
			c.heads.Add(1)
			return
		case tag != r.Header.Get("If-None-Match"):
			c.manifests.Add(1)
			_, _ = w.Write(b)
			return
		}
		select {
		case <-changed:
		case <-end:
			w.WriteHeader(http.StatusNotModified)
			return
		case <-r.Context().Done():
			return
		}
	}
}

func key() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", ed25519.SeedSize)))
}

func publicKeys() []ed25519.PublicKey { return []ed25519.PublicKey{key().Public().(ed25519.PublicKey)} }

// publish publishes s, and returns its manifest and how many bytes it has.
func (c *control) publish(tb testing.TB, s *snapshot.Snapshot) (m *wire.Manifest, size int64) {
	tb.Helper()
	sections := map[string][]byte{}
	have := func(h wire.Hash) bool { return c.sections[h.String()] != nil }
	m, err := c.encoder.Encode(s, have, func(h wire.Hash, b []byte) error { sections[h.String()] = b; return nil })
	if err != nil {
		tb.Fatal(err)
	}
	b, err := m.Sign(key())
	if err != nil {
		tb.Fatal(err)
	}
	size = int64(len(b))
	seen := map[wire.Hash]bool{}
	for _, section := range m.Sections {
		if !seen[section.Hash] {
			size += int64(section.Size)
		}
		seen[section.Hash] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.Copy(c.sections, sections)
	c.manifest = b
	close(c.changed)
	c.changed = make(chan struct{})
	return m, size
}

// A counting listener counts the bytes that go out.
type counting struct {
	net.Listener

	out *atomic.Int64
}

func (l *counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &counted{c, l.out}, nil
}

type counted struct {
	net.Conn

	out *atomic.Int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.out.Add(int64(n))
	return n, err
}

// A gossip tells edges of one another, after a moment.
type gossip struct {
	lan *lan // over which they talk; nil: loopback

	mu    sync.Mutex
	edges map[string]share.Peer
}

func (g *gossip) tell(p share.Peer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.edges[p.Name] = p
}

func (g *gossip) forget(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.edges, name)
}

func (g *gossip) without(name string) (peers []share.Peer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.edges {
		if p.Name != name {
			peers = append(peers, p)
		}
	}
	return peers
}

// An edge follows a control plane and shares.
type edge struct {
	*share.Share

	name, region string
	dir          string // of its snapshots
	remote       *source.Remote
	stop         context.CancelFunc
	done         sync.WaitGroup
	has          chan uint64 // versions that it took
}

var gossipKey = bytes.Repeat([]byte{7}, 32)

func loopback() netip.AddrPort { return netip.MustParseAddrPort("127.0.0.1:0") }

// newEdge returns an edge that does not run yet, and keeps snapshots in dir.
func newEdge(tb testing.TB, url, name, region, dir string, g *gossip) *edge {
	tb.Helper()
	token := filepath.Join(tb.TempDir(), "token")
	if err := os.WriteFile(token, []byte("token\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	config := source.RemoteConfig{URL: url, TokenFile: token, Keys: publicKeys(), Dir: dir}
	if g.lan != nil {
		transport := &http.Transport{DialContext: g.lan.dial, MaxIdleConnsPerHost: 8}
		tb.Cleanup(transport.CloseIdleConnections)
		config.Transport = transport
	}
	remote, err := source.NewRemote(config)
	if err != nil {
		tb.Fatal(err)
	}
	e := &edge{name: name, region: region, dir: dir, remote: remote, has: make(chan uint64, 100)}
	e.Share, err = share.New(share.Options{
		Listen: loopback(), Name: name, Region: region, Keys: func() [][]byte { return [][]byte{gossipKey} },
		Peers: func() []share.Peer { return g.without(name) }, Holder: remote.Offer(),
	})
	if err != nil {
		tb.Fatal(err)
	}
	if g.lan != nil {
		e.Connect(g.lan.listen(), g.lan.dial)
	} else if err = e.Open(); err != nil {
		tb.Fatal(err)
	}
	remote.Join(e.Share)
	g.tell(share.Peer{Name: name, Region: region, Address: e.Address()})
	return e
}

// start lets it run until the test ends, or stop.
func (e *edge) start(tb testing.TB, g *gossip) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	e.stop = func() { cancel(); e.done.Wait() }
	tb.Cleanup(e.stop)
	e.done.Go(func() {
		if err := e.Run(ctx); err != nil {
			tb.Error(err)
		}
	})
	e.done.Go(func() { _ = e.remote.Run(ctx) })
	e.done.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-e.remote.Updated():
				v := e.remote.Latest().Version
				g.tell(share.Peer{Name: e.name, Region: e.region, Address: e.Address(), Version: v})
				e.has <- v
			}
		}
	})
}

// until waits until the edge has a version.
func (e *edge) until(tb testing.TB, version uint64) {
	tb.Helper()
	e.within(tb, version, 2*time.Minute)
}

func (e *edge) within(tb testing.TB, version uint64, most time.Duration) {
	tb.Helper()
	for limit := time.After(most); ; {
		select {
		case v := <-e.has:
			if v >= version {
				return
			}
		case <-limit:
			tb.Fatalf("%s has no version %d after %v: %+v", e.name, version, most, e.remote.Counters())
		}
	}
}

// fleet returns edges in three regions, all of which run.
func fleet(tb testing.TB, c *control, n int) (edges []*edge, g *gossip) {
	tb.Helper()
	g = &gossip{edges: map[string]share.Peer{}}
	return fleetIn(tb, c, g, n), g
}

func fleetIn(tb testing.TB, c *control, g *gossip, n int) (edges []*edge) {
	tb.Helper()
	for i := range n {
		edges = append(edges, newEdge(tb, c.URL, fmt.Sprintf("edge%d", i), []string{"eu", "na", "as"}[i%3], tb.TempDir(), g))
	}
	for _, e := range edges {
		e.start(tb, g)
	}
	return edges
}
