package share_test

import (
	"testing"
	"time"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// TestFleet publishes to 20 edges: the control plane sends two snapshots and
// little more, and then two manifests and sections of what changed.
func TestFleet(t *testing.T) {
	config := synth.Small(1)
	config.Files, config.Directories, config.Hosts = 30_000, 3000, 100
	announce(t, config, 20)
}

// BenchmarkMillion publishes a million files on a thousand hosts to 20 edges, of
// which two compile them.
func BenchmarkMillion(b *testing.B) {
	config := synth.Config{Seed: 1, Hosts: 1000, Directories: 100_000, Categories: 4, HostSets: 2000, Files: 1_000_000}
	for b.Loop() {
		f := announce(b, config, 20)
		b.ReportMetric(f.snapshots, "snapshots/publication")
		b.ReportMetric(f.all.Seconds(), "s/publication")
		b.ReportMetric(f.change.Seconds(), "s/change")
		b.ReportMetric(float64(f.changeBytes), "B/change")
	}
}

// Figures are what was measured.
type figures struct {
	snapshots   float64 // that the control plane sent
	all, change time.Duration
	changeBytes int64
}

// announce publishes a snapshot to edges, and then a change on one host.
func announce(tb testing.TB, config synth.Config, n int) (f figures) {
	tb.Helper()
	c := newControl(tb)
	s := synth.Inputs(config).Snapshot
	s.Version = 1
	c.publish(tb, &snapshot.Snapshot{Version: 1})
	edges, _ := fleet(tb, c, n)
	for _, e := range edges {
		e.until(tb, 1)
	}
	s.Version = 2
	before := c.bytes.Load()
	m, size := c.publish(tb, s)
	began := time.Now()
	for _, e := range edges {
		e.until(tb, 2)
	}
	took, out := time.Since(began), c.bytes.Load()-before
	f.all, f.snapshots = took, float64(out)/float64(size)
	report(tb, edges)
	for _, e := range edges[:2] {
		index.Compile(index.Inputs{Snapshot: e.remote.Latest(), Continents: synth.Continents()})
	}
	tb.Logf("snapshot of %d bytes in %d sections: all %d edges have it after %v; control sent %d bytes, %.2f snapshots",
		size, len(m.Sections), n, took, out, float64(out)/float64(size))
	if out > 3*size {
		tb.Errorf("control sent %.2f snapshots, want at most 3", float64(out)/float64(size))
	}

	again := *s
	again.Version = 3
	again.Hosts = append([]snapshot.Host(nil), s.Hosts...)
	again.Hosts[1].Has = snapshot.Bitmap{1}
	before = c.bytes.Load()
	manifests := c.manifests.Load()
	c.publish(tb, &again)
	began = time.Now()
	for _, e := range edges {
		e.until(tb, 3)
	}
	took, out = time.Since(began), c.bytes.Load()-before
	f.change, f.changeBytes = took, out
	tb.Logf("change on one host: all %d edges have it after %v; control sent %d bytes and %d manifests", n, took, out, c.manifests.Load()-manifests)
	if got := c.manifests.Load() - manifests; got > 4 {
		tb.Errorf("control sent %d manifests, want those of the two that lead", got)
	}
	if took > 5*time.Second {
		tb.Errorf("all have it after %v, want seconds", took)
	}
	return f
}

// report logs what edges counted.
func report(tb testing.TB, edges []*edge) {
	tb.Helper()
	var fallbacks, most uint64
	for _, e := range edges {
		r, s := e.remote.Counters(), e.Counters()
		tb.Logf("%-7s %s %4d sections, %4d of peers, %d manifests of peers, %d fallbacks; sent %d sections, %d bytes; asked %d, %d lacked, %d failed",
			e.name, e.region, r.Sections, r.FromPeers, r.Manifests, r.Fallbacks, s.Sections, s.Bytes, s.Asked, s.Lacked, s.Failed)
		fallbacks += r.Fallbacks
		most = max(most, s.Bytes)
	}
	tb.Logf("%d fallbacks; the busiest edge sent %d bytes", fallbacks, most)
}
