package share_test

import (
	"testing"
	"time"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/snapshot"
)

// TestFleet publishes to 20 edges: the control plane sends two snapshots and
// little more, and then two manifests and sections of what changed.
func TestFleet(t *testing.T) {
	config := synth.Small(1)
	config.Files, config.Directories, config.Hosts = 30_000, 3000, 100
	announce(t, config, 20)
}

// announce publishes a snapshot to edges, and then a change on one host.
func announce(t testing.TB, config synth.Config, n int) {
	t.Helper()
	c := newControl(t)
	s := synth.Inputs(config).Snapshot
	s.Version = 1
	c.publish(t, &snapshot.Snapshot{Version: 1})
	edges, _ := fleet(t, c, n)
	for _, e := range edges {
		e.until(t, 1)
	}
	s.Version = 2
	before := c.bytes.Load()
	m, size := c.publish(t, s)
	began := time.Now()
	for _, e := range edges {
		e.until(t, 2)
	}
	took, out := time.Since(began), c.bytes.Load()-before
	report(t, edges)
	t.Logf("snapshot of %d bytes in %d sections: all %d edges have it after %v; control sent %d bytes, %.2f snapshots",
		size, len(m.Sections), n, took, out, float64(out)/float64(size))
	if out > 3*size {
		t.Errorf("control sent %.2f snapshots, want at most 3", float64(out)/float64(size))
	}

	again := *s
	again.Version = 3
	again.Hosts = append([]snapshot.Host(nil), s.Hosts...)
	again.Hosts[1].Has = snapshot.Bitmap{1}
	before = c.bytes.Load()
	manifests := c.manifests.Load()
	c.publish(t, &again)
	began = time.Now()
	for _, e := range edges {
		e.until(t, 3)
	}
	took, out = time.Since(began), c.bytes.Load()-before
	t.Logf("change on one host: all %d edges have it after %v; control sent %d bytes and %d manifests", n, took, out, c.manifests.Load()-manifests)
	if got := c.manifests.Load() - manifests; got > 4 {
		t.Errorf("control sent %d manifests, want those of the two that lead", got)
	}
	if took > 5*time.Second {
		t.Errorf("all have it after %v, want seconds", took)
	}
}

// report logs what edges counted.
func report(t testing.TB, edges []*edge) {
	t.Helper()
	var fallbacks, most uint64
	for _, e := range edges {
		r, s := e.remote.Counters(), e.Counters()
		t.Logf("%-7s %s %4d sections, %4d of peers, %d manifests of peers, %d fallbacks; sent %d sections, %d bytes; asked %d, %d lacked, %d failed",
			e.name, e.region, r.Sections, r.FromPeers, r.Manifests, r.Fallbacks, s.Sections, s.Bytes, s.Asked, s.Lacked, s.Failed)
		fallbacks += r.Fallbacks
		most = max(most, s.Bytes)
	}
	t.Logf("%d fallbacks; the busiest edge sent %d bytes", fallbacks, most)
}
