package share_test

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/cluster/share"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/source"
)

// TestFleet publishes to 20 edges: the control plane sends two snapshots and
// little more, and then two manifests and sections of what changed.
func TestFleet(t *testing.T) {
	config := synth.Small(1)
	config.Files, config.Directories, config.Hosts = 30_000, 3000, 100
	announce(t, config, 20)
}

// In the time of synctest, TestSlowControl publishes to 20 edges over an uplink that
// they share: it takes as long as two snapshots take there and little more, and
// nobody asks the control plane who is not to.
func TestSlowControl(t *testing.T) {
	config := synth.Small(1)
	config.Files, config.Directories, config.Hosts = 30_000, 3000, 100
	for _, rate := range []int{100_000, 20_000} {
		t.Run(fmt.Sprint(rate/1000, " kB a second"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { announceSlowly(t, config, rate) })
		})
	}
}

func announceSlowly(t *testing.T, config synth.Config, rate int) {
	t.Helper()
	g := &gossip{lan: &lan{}, edges: map[string]share.Peer{}}
	c := newControlAt(t, &uplink{Listener: g.lan.listen(), rate: rate})
	c.publish(t, &snapshot.Snapshot{Version: 1})
	edges := fleetIn(t, c, g, 20)
	for _, e := range edges {
		e.until(t, 1)
	}
	s := synth.Inputs(config).Snapshot
	s.Version = 2
	before, began := c.bytes.Load(), time.Now()
	_, size := c.publish(t, s)
	want := time.Duration(2*size/int64(rate)) * time.Second
	for _, e := range edges {
		e.within(t, 2, 2*want)
	}
	took, sent := time.Since(began), float64(c.bytes.Load()-before)/float64(size)
	fallbacks, alone := report(t, edges)
	t.Logf("all have %d bytes after %v; control sent %.2f snapshots", size, took, sent)
	if sent > 2.1 || fallbacks > 0 || alone > 0 || took > want*5/4 {
		t.Errorf("%d fallbacks, %d peers left alone", fallbacks, alone)
	}
}

// BenchmarkAnnounce publishes a million files on a thousand hosts to 20 edges, of
// which two compile them, and a small snapshot to a hundred.
func BenchmarkAnnounce(b *testing.B) {
	small := synth.Small(1)
	small.Files, small.Directories, small.Hosts = 30_000, 3000, 100
	for _, tt := range []struct {
		name   string
		config synth.Config
		edges  int
	}{
		{"20 edges/1M files", synth.Config{Seed: 1, Hosts: 1000, Directories: 100_000, Categories: 4, HostSets: 2000, Files: 1_000_000}, 20},
		{"100 edges/30k files", small, 100},
	} {
		b.Run(tt.name, func(b *testing.B) {
			for b.Loop() {
				f := announce(b, tt.config, tt.edges)
				b.ReportMetric(f.snapshots, "snapshots/publication")
				b.ReportMetric(f.all.Seconds(), "s/publication")
				b.ReportMetric(f.cpu.Seconds(), "cpu-s/publication")
				b.ReportMetric(f.change.Seconds(), "s/change")
				b.ReportMetric(float64(f.changeBytes), "B/change")
			}
		})
	}
}

// Figures are what was measured.
type figures struct {
	snapshots   float64 // that the control plane sent
	all, change time.Duration
	cpu         time.Duration // of all edges and the control plane, until all have it
	changeBytes int64
}

// processors returns how long processors worked for this process.
func processors(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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
	began, busy := time.Now(), processors(tb)
	for _, e := range edges {
		e.until(tb, 2)
	}
	took, out := time.Since(began), c.bytes.Load()-before
	f.all, f.cpu, f.snapshots = took, processors(tb)-busy, float64(out)/float64(size)
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
	if took > 10*time.Second {
		tb.Errorf("all have it after %v, want seconds", took)
	}
	return f
}

// TestAway has an edge be away while there are news, and come back while the control
// plane is away: others have it all.
func TestAway(t *testing.T) {
	c := newControl(t)
	s := synth.Inputs(synth.Small(1)).Snapshot
	s.Version = 1
	c.publish(t, s)
	edges, g := fleet(t, c, 4)
	for _, e := range edges {
		e.until(t, 1)
	}
	away, rest := edges[0], edges[1:]
	away.stop()
	g.tell(share.Peer{Name: away.name, Region: away.region, Address: away.Address()}) // as dead as can be, and nobody has noticed
	s.Version, s.Hosts[1].Has = 2, snapshot.Bitmap{1}
	c.publish(t, s)
	for _, e := range rest {
		e.until(t, 2)
	}
	c.CloseClientConnections()
	c.Close()

	back := newEdge(t, c.URL, away.name, away.region, away.dir, g)
	if err := back.remote.Restore(); err != nil || back.remote.Latest().Version != 1 {
		t.Fatal(err)
	}
	began := time.Now()
	back.start(t, g)
	back.until(t, 2)
	t.Logf("caught up after %v", time.Since(began))
	if got := back.remote.Counters(); got.Manifests != 1 || got.FromPeers != got.Sections || got.Current {
		t.Errorf("counted %+v", got)
	}
}

// TestSeeds has new edges that know no more than addresses: one gets its first
// snapshot from there, also while the control plane is away; one whose seeds are
// of no use gets it from the control plane.
func TestSeeds(t *testing.T) {
	c := newControl(t)
	s := synth.Inputs(synth.Small(1)).Snapshot
	s.Version = 1
	c.publish(t, s)
	edges, _ := fleet(t, c, 3)
	seeds, useless := &gossip{edges: map[string]share.Peer{}}, &gossip{edges: map[string]share.Peer{}}
	for _, e := range edges {
		e.until(t, 1)
		seeds.tell(share.Peer{Name: e.Address().String(), Address: e.Address(), Version: math.MaxUint64, Seed: true})
		at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 1)
		useless.tell(share.Peer{Name: at.String(), Address: at, Version: math.MaxUint64, Seed: true})
	}
	boot := func(name string, g *gossip) source.RemoteCounters {
		e := newEdge(t, c.URL, name, "eu", t.TempDir(), g)
		g.forget(name)
		e.start(t, &gossip{edges: map[string]share.Peer{}})
		began := time.Now()
		e.until(t, 1)
		t.Logf("%s has it after %v", name, time.Since(began))
		return e.remote.Counters()
	}
	if got := boot("new", seeds); got.FromPeers != got.Sections || got.Sections == 0 {
		t.Errorf("counted %+v", got)
	}
	if got := boot("misled", useless); got.FromPeers != 0 || got.Sections == 0 {
		t.Errorf("counted %+v", got)
	}
	c.CloseClientConnections()
	c.Close()
	if got := boot("cut off", seeds); got.FromPeers != got.Sections || got.Manifests != 1 {
		t.Errorf("counted %+v", got)
	}
}

// TestGhosts has edges in the gossip that take connections and say nothing. They
// may lead, or be anybody's parent.
func TestGhosts(t *testing.T) {
	t.Parallel() // it waits
	c := newControl(t)
	s := synth.Inputs(synth.Small(1)).Snapshot
	s.Version = 1
	c.publish(t, &snapshot.Snapshot{Version: 1})
	edges, g := fleet(t, c, 5)
	for _, e := range edges {
		e.until(t, 1)
	}
	for i := range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes connections
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() //nolint:errcheck // nothing was written
		g.tell(share.Peer{Name: fmt.Sprint("ghost", i), Region: "eu", Address: netip.MustParseAddrPort(l.Addr().String()), Version: 9})
	}
	for v := range uint64(3) {
		s.Version = 2 + v
		c.publish(t, s)
		began := time.Now()
		for _, e := range edges {
			e.until(t, s.Version)
		}
		t.Logf("version %d: all have it after %v", s.Version, time.Since(began))
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %v", took)
		}
	}
}

// report logs what edges counted.
func report(tb testing.TB, edges []*edge) (fallbacks uint64, alone int) {
	tb.Helper()
	var most uint64
	for _, e := range edges {
		r, s := e.remote.Counters(), e.Counters()
		tb.Logf("%-7s %s %4d sections, %4d of peers, %d manifests of peers, %d fallbacks; sent %d sections, %d bytes; asked %d, %d lacked, %d failed",
			e.name, e.region, r.Sections, r.FromPeers, r.Manifests, r.Fallbacks, s.Sections, s.Bytes, s.Asked, s.Lacked, s.Failed)
		fallbacks += r.Fallbacks
		alone += s.LeftAlone
		most = max(most, s.Bytes)
	}
	tb.Logf("%d fallbacks; the busiest edge sent %d bytes", fallbacks, most)
	return fallbacks, alone
}
