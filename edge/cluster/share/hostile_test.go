package share_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/cluster/share"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// identity is a certificate of a key of the gossip, made by the rules of the
// package's documentation rather than by its code.
func identity(t *testing.T, key []byte) tls.Certificate {
	t.Helper()
	seed, err := hkdf.Key(sha256.New, key, nil, "waypost share: Ed25519 key for TLS, 1", ed25519.SeedSize)
	if err != nil {
		t.Fatal(err)
	}
	private := ed25519.NewKeyFromSeed(seed)
	template := &x509.Certificate{SerialNumber: big.NewInt(7)}
	der, err := x509.CreateCertificate(nil, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
}

// hostile returns a peer that has the key and answers as a test wants.
func hostile(t *testing.T, key []byte, answer http.HandlerFunc) netip.AddrPort {
	t.Helper()
	s := httptest.NewUnstartedServer(answer)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{identity(t, key)}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13}
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

// shelf is a holder with one section and one manifest.
type shelf struct {
	manifest, section []byte
	coming            atomic.Pointer[chan struct{}] // closed when the section is here
}

func (s *shelf) Latest() []byte { return s.manifest }

func (s *shelf) Manifest(h wire.Hash) ([]byte, <-chan struct{}) {
	if wire.HashOf(s.manifest) == h {
		return s.manifest, nil
	}
	return nil, make(chan struct{})
}

func (s *shelf) Section(h wire.Hash) ([]byte, <-chan struct{}) {
	if coming := s.coming.Load(); coming != nil {
		return nil, *coming
	}
	if wire.HashOf(s.section) == h {
		return s.section, nil
	}
	return nil, nil
}

// asker returns a Share that knows some peers, and has a shelf for them.
func asker(t *testing.T, keys func() [][]byte, h share.Holder, peers ...share.Peer) *share.Share {
	t.Helper()
	if h == nil {
		h = &shelf{}
	}
	s, err := share.New(share.Options{
		Listen: loopback(), Name: "self", Keys: keys, Peers: func() []share.Peer { return peers }, Holder: h,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err = s.Open(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

func keys(of ...byte) func() [][]byte {
	var all [][]byte
	for _, b := range of {
		all = append(all, bytes.Repeat([]byte{b}, 32))
	}
	return func() [][]byte { return all }
}

// What a hostile or broken peer can do: it is found out, left alone and counted,
// and the next one is asked.
func TestHostilePeers(t *testing.T) {
	good := bytes.Repeat([]byte("good"), 1000)
	section := &wire.Section{Kind: wire.Files, Hash: wire.HashOf(good), Size: len(good)}
	tests := []struct {
		name          string
		answer        http.HandlerFunc
		wrong, failed uint64
	}{
		{"other bytes", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.ToUpper(good)) }, 1, 0},
		{"fewer bytes", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(good[:17]) }, 1, 0},
		{"none", func(http.ResponseWriter, *http.Request) {}, 1, 0},
		{"more bytes", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(append(bytes.Clone(good), 'x')) }, 1, 0},
		{"without end", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write(good)
			}
		}, 1, 0},
		{"more than there is memory", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000000000000000000")
			_, _ = w.Write(bytes.ToUpper(good))
			_, _ = w.Write(good)
		}, 1, 0},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(good)))
			_, _ = w.Write(good[:1000])
			panic(http.ErrAbortHandler)
		}, 0, 1},
		{"slow", func(w http.ResponseWriter, r *http.Request) {
			for i := range good {
				_, _ = w.Write(good[i : i+1])
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
					return
				case <-time.After(100 * time.Millisecond):
				}
			}
		}, 0, 1},
		{"silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 0, 1},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://127.0.0.1:1/", http.StatusFound)
		}, 0, 1},
		{"an error", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, strings.Repeat("x", 1<<20), http.StatusInternalServerError)
		}, 0, 1},
		{"long headers", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
			_, _ = w.Write(good)
		}, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bad := share.Peer{Name: "bad", Address: hostile(t, keys(1)()[0], tt.answer), Version: 5}
			s := asker(t, keys(1), nil, bad)
			began := time.Now()
			b, err := s.Section(t.Context(), wire.Hash{}, 5, section)
			if err == nil || b != nil {
				t.Fatalf("got %d bytes, %v", len(b), err)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
			if c := s.Counters(); c.Wrong != tt.wrong || c.Failed != tt.failed || c.LeftAlone != 1 {
				t.Errorf("counted %+v, %v", c, err)
			}
			if _, err = s.Section(t.Context(), wire.Hash{}, 5, section); err == nil || s.Counters().Asked != 1 {
				t.Errorf("it was asked again: %v", err)
			}
		})
	}
}

// The next peer is asked in place of a bad one.
func TestNextPeer(t *testing.T) {
	good := bytes.Repeat([]byte("good"), 1000)
	other := asker(t, keys(1), &shelf{section: good})
	bad := hostile(t, keys(1)()[0], func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("bad")) })
	s := asker(t, keys(1), nil, share.Peer{Name: "bad", Address: bad, Version: 5}, share.Peer{Name: "good", Address: other.Address(), Version: 5})
	for range 3 {
		b, err := s.Section(t.Context(), wire.Hash{}, 5, &wire.Section{Hash: wire.HashOf(good), Size: len(good)})
		if err != nil || !bytes.Equal(b, good) {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
	}
	if c := s.Counters(); c.Wrong > 1 || c.LeftAlone > 1 {
		t.Errorf("counted %+v", c)
	}
}

// A manifest counts only if it is accepted; a peer whose manifest is not is left alone.
func TestNewer(t *testing.T) {
	one, two := asker(t, keys(1), &shelf{manifest: []byte("one")}), asker(t, keys(1), &shelf{manifest: []byte("two")})
	s := asker(t, keys(1), nil, share.Peer{Name: "a", Address: one.Address(), Version: 6}, share.Peer{Name: "b", Address: two.Address(), Version: 7})
	accept := func(b []byte) error {
		if string(b) != "two" {
			return errors.New("not that")
		}
		return nil
	}
	if b, err := s.Newer(t.Context(), 5, accept); err != nil || string(b) != "two" {
		t.Errorf("got %q, %v", b, err)
	}
	if s.Newest() != 7 || s.Counters().Wrong > 1 {
		t.Errorf("newest %d, counted %+v", s.Newest(), s.Counters())
	}
	if _, err := s.Newer(t.Context(), 7, accept); err == nil {
		t.Error("a version above all there are was found")
	}
}

// What is on its way is waited for; what is not here is not.
func TestWaiting(t *testing.T) {
	good := []byte("good")
	h, coming := &shelf{section: good}, make(chan struct{})
	h.coming.Store(&coming)
	s := asker(t, keys(1), h)
	client := raw(t, identity(t, keys(1)()[0]))
	get := func(path string) (int, string) {
		t.Helper()
		response, err := client.Get("https://" + s.Address().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close() //nolint:errcheck // only read
		b, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(b)
	}
	sections := "/v1/sections/" + wire.HashOf(good).String()
	tests := []struct {
		path string
		want int
	}{
		{sections, 503},
		{sections + "?wait=20ms", 503},
		{sections + "?wait=x", 400},
		{sections + "?wait=-1s", 400},
		{"/v1/sections/abc", 400},
		{"/v1/sections/..%2fmanifest", 400},
		{"/v1/manifest", 404},
		{"/", 404},
		{"/v1/manifest/" + wire.HashOf(good).String() + "?wait=20ms", 404},
	}
	for _, tt := range tests {
		if got, text := get(tt.path); got != tt.want {
			t.Errorf("%s: %d %q, want %d", tt.path, got, text, tt.want)
		}
	}
	go func() {
		<-time.After(50 * time.Millisecond)
		h.coming.Store(nil)
		close(coming)
	}()
	if got, text := get(sections + "?wait=10s"); got != 200 || text != "good" {
		t.Errorf("%d %q", got, text)
	}
}

// raw returns a client that shows a certificate and verifies nothing.
func raw(t *testing.T, own ...tls.Certificate) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: own}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// Strangers learn nothing, and are counted.
func TestStrangers(t *testing.T) {
	s := asker(t, keys(1, 2), &shelf{manifest: []byte("secret")})
	url := s.Address().String() + "/v1/manifest"
	fetch := func(client *http.Client, url string) (string, error) {
		response, err := client.Get(url)
		if err != nil {
			return "", err
		}
		defer response.Body.Close() //nolint:errcheck // only read
		b, err := io.ReadAll(response.Body)
		return string(b), err
	}
	for _, key := range []byte{1, 2} {
		if b, err := fetch(raw(t, identity(t, keys(key)()[0])), "https://"+url); err != nil || b != "secret" {
			t.Errorf("key %d: %q, %v", key, b, err)
		}
	}
	for name, client := range map[string]*http.Client{"another key": raw(t, identity(t, keys(3)()[0])), "no certificate": raw(t)} {
		if b, err := fetch(client, "https://"+url); err == nil || b != "" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if b, _ := fetch(raw(t), "http://"+url); strings.Contains(b, "secret") {
		t.Errorf("in plain: %q", b)
	}
	old := raw(t, identity(t, keys(1)()[0]))
	old.Transport.(*http.Transport).TLSClientConfig.MaxVersion = tls.VersionTLS12
	if b, err := fetch(old, "https://"+url); err == nil || b != "" {
		t.Errorf("TLS 1.2: %q, %v", b, err)
	}
	junk, err := net.Dial("tcp", s.Address().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = junk.Write(bytes.Repeat([]byte{0x16, 3, 1, 0xff}, 100))
	_, _ = io.ReadAll(junk)
	_ = junk.Close()
	for range 3000 {
		if s.Counters().Refused == 5 {
			break
		}
		<-time.After(10 * time.Millisecond)
	}
	if c := s.Counters(); c.Refused != 5 || c.Manifests != 2 {
		t.Errorf("counted %+v", c)
	}
}

// A server without the key is not asked, even if it has all.
func TestStrangeServer(t *testing.T) {
	for name, key := range map[string][]byte{"another key": keys(3)()[0], "a longer one": bytes.Repeat([]byte{1}, 33)} {
		s := asker(t, keys(1), nil, share.Peer{Name: "stranger", Version: 5, Address: hostile(t, key, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("evil"))
		})})
		b, err := s.Newer(t.Context(), 0, func([]byte) error { return nil })
		if err == nil || b != nil || s.Counters().Failed != 1 {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

// Keys rotate while connections are open: one that is removed opens nothing more.
func TestRotation(t *testing.T) {
	var ring atomic.Pointer[[][]byte]
	first := keys(1)()
	ring.Store(&first)
	server := asker(t, func() [][]byte { return *ring.Load() }, &shelf{manifest: []byte("secret")})
	client := raw(t, identity(t, keys(1)()[0]))
	get := func() (int, error) {
		response, err := client.Get("https://" + server.Address().String() + "/v1/manifest")
		if err != nil {
			return 0, err
		}
		defer response.Body.Close() //nolint:errcheck // only read
		_, err = io.Copy(io.Discard, response.Body)
		return response.StatusCode, err
	}
	for _, step := range []struct {
		ring [][]byte
		want int
	}{{keys(1)(), 200}, {keys(1, 2)(), 200}, {keys(2, 1)(), 200}, {keys(2)(), 403}} {
		ring.Store(&step.ring)
		if got, err := get(); err != nil || got != step.want {
			t.Errorf("%d, %v, want %d", got, err, step.want)
		}
	}
	if got, err := get(); err == nil {
		t.Errorf("a new connection is open to the old key: %d", got)
	}
}

// Without keys nothing is shared.
func TestNoKeys(t *testing.T) {
	_, err := share.New(share.Options{Listen: loopback(), Name: "a", Keys: func() [][]byte { return nil }})
	if err == nil || !strings.Contains(err.Error(), "key_files") {
		t.Errorf("got %v", err)
	}
}

// An address that is in use is tried again.
func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := share.New(share.Options{
		Listen: netip.MustParseAddrPort(l.Addr().String()), Name: "a", Keys: keys(1), Peers: func() []share.Peer { return nil }, Holder: &shelf{},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	<-time.After(50 * time.Millisecond)
	if s.Port() != 0 {
		t.Error("it listens where another does")
	}
	_ = l.Close()
	for range 3000 {
		if s.Port() != 0 {
			break
		}
		<-time.After(10 * time.Millisecond)
	}
	if s.Port() == 0 {
		t.Error("it does not listen after half a minute")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
