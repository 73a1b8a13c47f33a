package source_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
	"github.com/waypost/waypost/edge/source"
)

// A control is a control plane that publishes what a test wants.
type control struct {
	mu       sync.Mutex
	manifest []byte
	sections map[string][]byte
	asked    []string       // paths, with 304 behind them where that was the answer
	status   int            // 0: as it should be
	waiting  chan struct{}  // closed when the manifest changes
	broken   map[string]int // sections that come with another byte, so often
}

const token = "edge-token"

func newControl() *control {
	return &control{sections: map[string][]byte{}, waiting: make(chan struct{}), broken: map[string]int{}}
}

func (c *control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+token {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	if hash, ok := strings.CutPrefix(r.URL.Path, "/v1/snapshot/sections/"); ok {
		c.serveSection(w, hash)
		return
	}
	c.mu.Lock()
	waiting, status := c.waiting, c.status
	etag := fmt.Sprintf("%q", wire.HashOf(c.manifest))
	c.mu.Unlock()
	if wait, err := time.ParseDuration(r.URL.Query().Get("wait")); err == nil && status == 0 && r.Header.Get("If-None-Match") == etag {
		select {
		case <-waiting:
		case <-time.After(wait):
		case <-r.Context().Done():
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	etag = fmt.Sprintf("%q", wire.HashOf(c.manifest))
	w.Header().Set("ETag", etag)
	switch {
	case c.status != 0:
		http.Error(w, "out of order", c.status)
	case r.Header.Get("If-None-Match") == etag:
		c.asked = append(c.asked, "manifest 304")
		w.WriteHeader(http.StatusNotModified)
	case r.Method == http.MethodHead:
		c.asked = append(c.asked, "tag")
	default:
		c.asked = append(c.asked, "manifest")
		_, _ = w.Write(c.manifest)
	}
}

func (c *control) serveSection(w http.ResponseWriter, hash string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, "section")
	b, ok := c.sections[hash]
	if !ok {
		http.Error(w, "no such section", http.StatusNotFound)
		return
	}
	if c.broken[hash] > 0 {
		c.broken[hash]--
		b = slices.Clone(b)
		b[0] ^= 1
	}
	_, _ = w.Write(b)
}

// publish publishes s, signed by key.
func (c *control) publish(t *testing.T, s *snapshot.Snapshot, key ed25519.PrivateKey) *wire.Manifest {
	t.Helper()
	sections := map[string][]byte{}
	m, err := wire.Encode(s, func(h wire.Hash, b []byte) error { sections[h.String()] = b; return nil })
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	maps.Copy(c.sections, sections)
	c.mu.Unlock()
	c.set(b, 0)
	return m
}

// set publishes the bytes of a manifest, and the status of answers.
func (c *control) set(b []byte, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.manifest, c.status = b, status
	close(c.waiting)
	c.waiting = make(chan struct{})
}

// requests returns what was asked since the last call.
func (c *control) requests() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := c.asked
	c.asked = nil
	return asked
}

// RoundTrip lets a client talk to the control plane without a network, in the
// time of synctest.
func (c *control) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	response := w.Result()
	response.Request = r
	return response, nil
}

func signer(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune('a'+n)), ed25519.SeedSize)))
}

func publicKeys(keys ...ed25519.PrivateKey) (all []ed25519.PublicKey) {
	for _, k := range keys {
		all = append(all, k.Public().(ed25519.PublicKey))
	}
	return all
}

// network returns a small snapshot.
func network(version uint64, hosts ...string) *snapshot.Snapshot {
	s := &snapshot.Snapshot{
		Version: version, Created: time.UnixMilli(1_700_000_000_000).UTC(),
		Categories:  []snapshot.Category{{Name: "os", Path: "pub/os", Policy: snapshot.Policy{Minimum: 5, Bands: snapshot.AllBands}}},
		Directories: []snapshot.Directory{{Path: "pub/os", Number: 5}, {Path: "pub/os/44", Number: 3}},
	}
	for i, name := range hosts {
		s.Hosts = append(s.Hosts, snapshot.Host{Name: name, Bandwidth: uint32(i), Has: snapshot.Bitmap{uint64(1 + i%3)}})
	}
	return s
}

// follow returns a Remote that asks c and keeps snapshots in dir.
func follow(t *testing.T, c http.RoundTripper, dir string, change func(*source.RemoteConfig)) *source.Remote {
	t.Helper()
	config := source.RemoteConfig{
		URL: "http://control.test/", TokenFile: filepath.Join(t.TempDir(), "token"), Keys: publicKeys(signer(1)), Dir: dir, Transport: c,
	}
	if err := os.WriteFile(config.TokenFile, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&config)
	}
	r, err := source.NewRemote(config)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// version returns the version of the latest snapshot, 0 if there is none.
func version(r *source.Remote) uint64 {
	if s := r.Latest(); s != nil {
		return s.Version
	}
	return 0
}

// Over real HTTP: all sections come once, then only those that changed.
func TestRemoteFetches(t *testing.T) {
	c := newControl()
	server := httptest.NewServer(c)
	defer server.Close()
	dir := t.TempDir()
	r := follow(t, nil, dir, func(config *source.RemoteConfig) { config.URL = server.URL })
	first := network(10, "a", "b", "c")
	m := c.publish(t, first, signer(1))
	if err := r.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := len(c.requests()), 1+len(m.Hashes()); got != want {
		t.Errorf("%d requests for a manifest and its sections, want %d", got, want)
	}
	second := network(11, "a", "b", "c")
	second.Hosts[1].Has = nil
	second.Hosts[2].Has = snapshot.Bitmap{1}
	second.Hosts[2].Down = true
	c.publish(t, second, signer(1))
	if err := r.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.requests(); len(got) != 3 { // the manifest, hosts, availability of b; that of c is a's
		t.Errorf("asked for %v", got)
	}
	s := r.Latest()
	if s.Version != 11 || !s.Hosts[2].Down || s.Hosts[1].Has.Has(1) {
		t.Errorf("got %+v", s)
	}
	counts := r.Counters()
	if counts.Changed != 2 || counts.Sections != uint64(len(m.Hashes())+2) || !counts.Current || counts.LastContact.IsZero() {
		t.Errorf("counted %+v", counts)
	}
	if files, err := os.ReadDir(filepath.Join(dir, "sections")); err != nil || len(files) != 11 { // eight, for a and c hold the same; and three of the snapshot before
		t.Errorf("%d files are kept, %v", len(files), err)
	}
}

// What is bad is refused with its reason, and the present snapshot stays.
func TestRemoteRefuses(t *testing.T) {
	c := newControl()
	r := follow(t, c, t.TempDir(), nil)
	c.publish(t, network(10, "a"), signer(1))
	if err := r.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	good := c.manifest
	unsigned, err := (&wire.Manifest{Version: 99}).Sign()
	if err != nil {
		t.Fatal(err)
	}
	signed, err := (&wire.Manifest{Version: 99}).Sign(signer(1))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		serve func()
		want  string
	}{
		{"older", func() { c.publish(t, network(9, "a"), signer(1)) }, "version 9 is not above the present one, 10"},
		{"same version, other content", func() { c.publish(t, network(10, "x"), signer(1)) }, "version 10 is not above"},
		{"another key", func() { c.publish(t, network(11, "a"), signer(2)) }, "it is signed by the key"},
		{"unsigned", func() { c.set(unsigned, 0) }, "it is not signed"},
		{"without sections", func() { c.set(signed, 0) }, "the manifest has no section"},
		{"truncated", func() { c.set(good[:len(good)/2], 0) }, "it is cut off"},
		{"changed", func() { c.set([]byte(strings.Replace(string(good), `"version":10`, `"version":12`, 1)), 0) }, "does not fit"},
		{"a login page", func() { c.set([]byte("<html>"), 0) }, "want a first line"},
		{"an error", func() { c.set(good, http.StatusBadGateway) }, "502 Bad Gateway: \"out of order\""},
		{"nothing", func() { c.set(good, http.StatusNotFound) }, "nothing is published there"},
		{"a redirect", func() { c.set(good, http.StatusFound) }, "302"},
	}
	for _, tt := range tests {
		tt.serve()
		err := r.Poll(t.Context())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
		if version(r) != 10 || r.Counters().Current {
			t.Errorf("%s: version %d, current %t", tt.name, version(r), r.Counters().Current)
		}
	}
	if counts := r.Counters(); counts.Refused != 8 || counts.Failed != 3 {
		t.Errorf("counted %+v", counts)
	}
	c.publish(t, network(12, "a"), signer(1))
	if err := r.Poll(t.Context()); err != nil || version(r) != 12 || !r.Counters().Current {
		t.Errorf("a good one after all: %v, version %d", err, version(r))
	}
}

func TestRemoteToken(t *testing.T) {
	c := newControl()
	c.publish(t, network(10, "a"), signer(1))
	path := ""
	r := follow(t, c, t.TempDir(), func(config *source.RemoteConfig) { path = config.TokenFile })
	for text, want := range map[string]string{
		"other": "the token of this edge does not count there", "": "want one word", "two words": "want one word",
		strings.Repeat("x", 5000): "want one word", "a\r\nHost: b": "want one word",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := r.Poll(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("token %.20q: got %v, want %s", text, err, want)
		}
	}
	if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Poll(t.Context()); err != nil {
		t.Errorf("the new token is not used: %v", err)
	}
}

// A new signature over the same snapshot is kept: the old key may go.
func TestRemoteKeysChange(t *testing.T) {
	c, dir := newControl(), t.TempDir()
	r := follow(t, c, dir, func(config *source.RemoteConfig) { config.Keys = publicKeys(signer(1), signer(2)) })
	for _, key := range []ed25519.PrivateKey{signer(1), signer(2)} {
		c.publish(t, network(10, "a"), key)
		if err := r.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	later := follow(t, c, dir, func(config *source.RemoteConfig) { config.Keys = publicKeys(signer(2)) })
	if err := later.Restore(); err != nil || version(later) != 10 {
		t.Errorf("version %d, %v", version(later), err)
	}
}

// An edge starts from its disk while the control plane is away, and takes
// nothing older afterwards.
func TestRemoteRestores(t *testing.T) {
	c, dir := newControl(), t.TempDir()
	r := follow(t, c, dir, nil)
	if err := r.Restore(); err != nil || version(r) != 0 {
		t.Errorf("an empty folder: version %d, %v", version(r), err)
	}
	c.publish(t, network(10, "a", "b"), signer(1))
	if err := r.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.set(nil, http.StatusServiceUnavailable)
	again := follow(t, c, dir, nil)
	if err := again.Restore(); err != nil || version(again) != 10 {
		t.Fatalf("version %d, %v", version(again), err)
	}
	c.publish(t, network(9, "a"), signer(1))
	if err := again.Poll(t.Context()); err == nil || version(again) != 10 {
		t.Errorf("an older one was taken: %v", err)
	}
}

// Damage on disk is noticed, and only what is damaged is fetched again.
func TestRemoteDamagedDisk(t *testing.T) {
	c, dir := newControl(), t.TempDir()
	m := c.publish(t, network(10, "a", "b"), signer(1))
	if err := follow(t, c, dir, nil).Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "sections", m.Sections[1].Hash.String())
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err = os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	c.requests()
	r := follow(t, c, dir, nil)
	if err = r.Restore(); err == nil || !strings.Contains(err.Error(), "damaged on disk") || !strings.Contains(err.Error(), "section hosts") {
		t.Errorf("restored: %v", err)
	}
	if err = r.Poll(t.Context()); err != nil || version(r) != 10 {
		t.Errorf("version %d, %v", version(r), err)
	}
	if got := c.requests(); !slices.Equal(got, []string{"manifest", "section"}) {
		t.Errorf("asked for %v", got)
	}
	if r.Counters().Damaged != 1 {
		t.Errorf("counted %+v", r.Counters())
	}
}

// A section that is damaged on the way is no part of any snapshot; what came
// whole is not fetched again.
func TestRemoteDamagedOnTheWay(t *testing.T) {
	c := newControl()
	m := c.publish(t, network(10, "a", "b"), signer(1))
	c.broken[m.Sections[2].Hash.String()] = 1
	r := follow(t, c, t.TempDir(), nil)
	err := r.Poll(t.Context())
	if err == nil || !strings.Contains(err.Error(), "section directories") || !strings.Contains(err.Error(), "another SHA-256") || version(r) != 0 {
		t.Errorf("version %d, %v", version(r), err)
	}
	if err = r.Poll(t.Context()); err != nil || version(r) != 10 || r.Counters().Damaged != 1 {
		t.Errorf("version %d, %v, %+v", version(r), err, r.Counters())
	}
}

// In the time of synctest: news come at once, silence costs one request in 30
// seconds, and failures less and less.
func TestRemoteRun(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := newControl()
		c.publish(t, network(10, "a"), signer(1))
		r := follow(t, c, dir, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(5 * time.Second)
		if version(r) != 10 {
			t.Fatalf("version %d", version(r))
		}
		<-r.Updated()
		c.requests()
		time.Sleep(5 * time.Minute)
		if got := c.requests(); len(got) != 10 || slices.ContainsFunc(got, func(s string) bool { return s != "manifest 304" }) {
			t.Errorf("asked in five quiet minutes: %v", got)
		}
		c.publish(t, network(11, "a"), signer(1))
		began := time.Now()
		<-r.Updated()
		if took := time.Since(began); took != 0 || version(r) != 11 {
			t.Errorf("version %d came after %v", version(r), took)
		}
		c.set(nil, http.StatusInternalServerError)
		before := r.Counters().Failed
		time.Sleep(time.Hour)
		if n := r.Counters().Failed - before; n < 360 || n > 730 {
			t.Errorf("%d questions in an hour of errors, want one in 5 to 10 s", n)
		}
		c.publish(t, network(12, "a"), signer(1))
		time.Sleep(10 * time.Second)
		if version(r) != 12 {
			t.Errorf("version %d ten seconds after the errors", version(r))
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// The inputs of a Remote keep the published version; an embargo is lifted by
// the edge's clock alone, though files have become bad and control is gone.
func TestLift(t *testing.T) {
	dir := t.TempDir()
	continents := write(t, dir, "continents.csv", "DE,EU\n")
	synctest.Test(t, func(t *testing.T) {
		c := newControl()
		s := network(10, "a")
		s.Embargoes = []snapshot.Embargo{{Path: "pub/os/44", LiftAt: time.Now().Add(time.Hour)}}
		c.publish(t, s, signer(1))
		r := follow(t, c, filepath.Join(dir, "snapshots"), nil)
		if err := r.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		src := source.New(source.Config{Remote: r, Continents: continents})
		if err := src.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		in, err := src.Load(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		hidden := func(in index.Inputs) bool {
			_, ok := index.Compile(in).FindDirectory([]byte("pub/os/44"))
			return !ok
		}
		if in.Snapshot.Version != 10 || !hidden(in) {
			t.Fatalf("version %d, hidden %t", in.Snapshot.Version, hidden(in))
		}
		write(t, dir, "continents.csv", "nonsense\n")
		ctx, cancel := context.WithCancel(t.Context())
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		began := time.Now()
		reloads, lifts := 0, 0
		done := make(chan struct{})
		go func() {
			src.Watch(ctx, ticker.C, nil, func() {
				reloads++
				if _, err := src.Load(time.Now()); err == nil {
					t.Error("nonsense was loaded")
				}
			}, func(in index.Inputs) {
				lifts++
				if hidden(in) || time.Since(began) != time.Hour {
					t.Errorf("lifted after %v, hidden %t", time.Since(began), hidden(in))
				}
			})
			close(done)
		}()
		time.Sleep(2 * time.Hour)
		cancel()
		<-done
		if reloads != 1 || lifts != 1 {
			t.Errorf("%d reloads and %d lifts, want 1 each", reloads, lifts)
		}
	})
}

func TestWaitEnds(t *testing.T) {
	r := follow(t, newControl(), t.TempDir(), nil)
	src := source.New(source.Config{Remote: r})
	if _, err := src.Load(time.Now()); err == nil || !strings.Contains(err.Error(), "no snapshot yet") {
		t.Errorf("loaded nothing: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := src.Wait(ctx); err == nil {
		t.Error("waited for nothing")
	}
}
