package share_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waypost/waypost/edge/cluster/share"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// inLan returns a Share that runs in a network in memory, until the test ends.
func inLan(t *testing.T, n *lan, name string, h share.Holder, peers ...share.Peer) *share.Share {
	t.Helper()
	s, err := share.New(share.Options{
		Listen: loopback(), Name: name, Keys: func() [][]byte { return [][]byte{gossipKey} }, Peers: func() []share.Peer { return peers }, Holder: h,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Connect(n.listen(), n.dial)
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

// follower returns a manifest of which an edge is to get the snapshot from one of
// its peers.
func follower(t *testing.T, s *share.Share) wire.Hash {
	t.Helper()
	for i := range 1000 {
		if h := wire.HashOf(fmt.Append(nil, i)); !s.Leads(h) {
			return h
		}
	}
	t.Fatal("it always leads")
	return wire.Hash{}
}

// In the time of synctest: what is on its way to those that lead is waited for as
// long as the control plane may take to send it, and nobody is left alone for
// that; who has it not by then hangs.
func TestComing(t *testing.T) {
	section := bytes.Repeat([]byte("good"), 10<<10)
	tests := []struct {
		name    string
		after   time.Duration // it is there; 0: never
		failed  uint64
		alone   int
		minimum time.Duration
		maximum time.Duration
	}{
		{"soon", time.Second, 0, 0, time.Second, time.Second},
		{"late", 70 * time.Second, 0, 0, 70 * time.Second, 70 * time.Second},
		{"never", 0, 1, 1, 75 * time.Second, 80 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, h, coming := &lan{}, &shelf{section: section}, make(chan struct{})
				h.coming.Store(&coming)
				one, two := inLan(t, n, "one", h), inLan(t, n, "two", h)
				s := inLan(t, n, "self", &shelf{}, share.Peer{Name: "one", Address: one.Address()}, share.Peer{Name: "two", Address: two.Address()})
				if tt.after > 0 {
					time.AfterFunc(tt.after, func() { h.coming.Store(nil); close(coming) })
				}
				began := time.Now()
				b, err := s.Section(t.Context(), follower(t, s), 5, &wire.Section{Hash: wire.HashOf(section), Size: len(section)})
				if came := err == nil && bytes.Equal(b, section); came != (tt.after > 0) {
					t.Errorf("%d bytes, %v", len(b), err)
				}
				if took := time.Since(began); took < tt.minimum || took > tt.maximum {
					t.Errorf("it took %v, want %v to %v", took, tt.minimum, tt.maximum)
				}
				if c := s.Counters(); c.Failed != tt.failed || c.LeftAlone != tt.alone {
					t.Errorf("counted %+v", c)
				}
			})
		})
	}
}

// A peer that says at once, again and again, that something is on its way is not
// asked for ever.
func TestComingAtOnce(t *testing.T) {
	var asked atomic.Int64
	bad := hostile(t, keys(1)()[0], func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	s := asker(t, keys(1), nil, share.Peer{Name: "one", Address: bad}, share.Peer{Name: "two", Address: bad})
	if _, err := s.Section(t.Context(), follower(t, s), 5, &wire.Section{Size: 100}); err == nil {
		t.Error("it was found")
	}
	if n := asked.Load(); n == 0 || n > 5 || s.Counters().LeftAlone != 1 {
		t.Errorf("asked %d times, counted %+v", n, s.Counters())
	}
}
