package wire_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// large is 1,000 hosts × 200,000 directories × 2,000,000 files, each with a
// size, a time and a SHA-256. Most hosts hold most: nine tenths of them lack
// some subtrees, a tenth have a sparse choice. Each host lacks about 50 files.
func large(hosts, dirs, files int) *snapshot.Snapshot {
	rng := rand.New(rand.NewPCG(1, 'L'))
	s := &snapshot.Snapshot{Version: 1, Created: time.UnixMilli(1_800_000_000_000).UTC()}
	s.Categories = []snapshot.Category{{Name: "os", Path: "pub/os", Policy: snapshot.Policy{Minimum: 5, Bands: snapshot.AllBands}}}
	for i := range dirs {
		path := fmt.Sprintf("pub/os/releases/%03d/Everything/x86_64/os/Packages/%05d", i/1000, i)
		s.Directories = append(s.Directories, snapshot.Directory{Path: path, Number: uint32(i)})
	}
	for i := range hosts {
		name := fmt.Sprintf("mirror%d.example.org", i)
		h := snapshot.Host{Name: name, Bandwidth: 1000, Mounts: []snapshot.Mount{{URLs: []string{"https://" + name + "/os", "http://" + name + "/os"}}}}
		for dir := 0; dir < dirs; {
			n := min(1+rng.IntN(2000), dirs-dir)
			have := rng.IntN(10) != 0
			for d := dir; d < dir+n; d++ {
				if have && (i%10 != 0 || rng.IntN(2) == 0) {
					h.Has.Add(uint32(d))
				}
			}
			dir += n
		}
		s.Hosts = append(s.Hosts, h)
	}
	var b snapshot.FileAppender
	sum := make([]byte, 32)
	holes := map[uint32][]uint32{}
	for i := range files {
		if per := files / dirs; i%per == 0 {
			_ = b.Directory(uint32(min(i/per, dirs-1)))
		}
		for k := range sum {
			sum[k] = byte(rng.Uint32())
		}
		_ = b.File(fmt.Appendf(nil, "package-name-%08d-1.2.3-4.fc43.x86_64.rpm", i))
		_ = b.Version(rng.Int64N(1<<26), 1_700_000_000+rng.Int64N(1e7), 1<<snapshot.SHA256, sum)
	}
	for range 50 * hosts {
		file := rng.Uint32N(uint32(files))
		holes[file] = append(holes[file], rng.Uint32N(uint32(hosts)))
	}
	f := b.Files(dirs)
	s.Files = f.WithHoles(holes)
	return s
}

// sizes sums up the sections of each kind.
func sizes(b *testing.B, m *wire.Manifest) {
	b.Helper()
	total := map[wire.Kind][3]int{}
	for _, s := range m.Sections {
		t := total[s.Kind]
		total[s.Kind] = [3]int{t[0] + 1, t[1] + s.Size, t[2] + s.Raw}
	}
	for kind, t := range total {
		b.Logf("%-13s %5d sections %12d bytes %12d unpacked", kind, t[0], t[1], t[2])
	}
}

// peak runs f and reports, above what there was before, how much memory it
// took at most and how much stays. The former has the garbage that Go leaves
// lying, as much again as is alive.
func peak(b *testing.B, f func()) {
	b.Helper()
	heap := func() float64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		return float64(s[0].Value.Uint64()) / (1 << 20)
	}
	debug.FreeOSMemory()
	before, most := heap(), 0.0
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.Tick(time.Millisecond); ; {
			select {
			case <-stop:
				return
			case <-tick:
				most = max(most, heap())
			}
		}
	}()
	f()
	close(stop)
	<-done
	debug.FreeOSMemory()
	b.ReportMetric(most-before, "MiB-peak")
	b.ReportMetric(heap()-before, "MiB-stay")
}

// How long does an edge or a publisher take with the largest networks, and how
// much memory?
func BenchmarkLarge(b *testing.B) {
	for _, c := range []struct {
		name               string
		hosts, dirs, files int
	}{{"2M", 1000, 200_000, 2_000_000}, {"10M", 1000, 1_000_000, 10_000_000}} {
		b.Run(c.name, func(b *testing.B) {
			if c.files > 2_000_000 && testing.Short() {
				b.Skip("takes 4 GiB")
			}
			benchLarge(b, large(c.hosts, c.dirs, c.files))
		})
	}
}

func benchLarge(b *testing.B, s *snapshot.Snapshot) {
	b.Helper()
	p := &published{sections: map[wire.Hash][]byte{}}
	var m *wire.Manifest
	b.Run("Encode", func(b *testing.B) {
		for b.Loop() {
			var err error
			m, err = wire.Encode(s, func(h wire.Hash, data []byte) error { p.sections[h] = data; return nil })
			if err != nil {
				b.Fatal(err)
			}
		}
		sizes(b, m)
		peak(b, func() { _, _ = wire.Encode(s, func(wire.Hash, []byte) error { return nil }) })
	})
	if m == nil {
		return
	}
	*s = snapshot.Snapshot{}
	var back *snapshot.Snapshot
	b.Run("Decode", func(b *testing.B) {
		for b.Loop() {
			var err error
			back, err = wire.Decode(m, p.get)
			if err != nil {
				b.Fatal(err)
			}
		}
		back = nil
		peak(b, func() { back, _ = wire.Decode(m, p.get) })
	})
	b.Run("OneHost", func(b *testing.B) { benchOneHost(b, back, p, m) })
	b.Run("OneFile", func(b *testing.B) { benchOneFile(b, back, p, m) })
	b.Run("Compile", func(b *testing.B) {
		for b.Loop() {
			index.Compile(index.Inputs{Snapshot: back})
		}
	})
}

// benchOneHost asks what an edge decodes when one host has changed.
func benchOneHost(b *testing.B, s *snapshot.Snapshot, p *published, m *wire.Manifest) {
	b.Helper()
	next := *s
	next.Hosts = slices.Clone(s.Hosts)
	next.Hosts[7].Has = slices.Clone(s.Hosts[7].Has)
	next.Hosts[7].Has[0] ^= 1
	benchNext(b, &next, p, m)
}

// benchOneFile asks what an edge decodes when one block of files has changed:
// the columns of files are made anew, out of the former ones, and what hosts
// lack is looked up in them.
func benchOneFile(b *testing.B, s *snapshot.Snapshot, p *published, m *wire.Manifest) {
	b.Helper()
	var files snapshot.FileAppender
	for dir := range uint32(len(s.Directories)) {
		if err := files.Copy(dir, &s.Files, dir); err != nil {
			b.Fatal(err)
		}
	}
	if err := files.File([]byte("zzz")); err != nil { // in the last directory
		b.Fatal(err)
	}
	next := *s
	next.Files = files.Files(len(s.Directories))
	next.Files = next.Files.WithHoles(s.Files.Holes())
	benchNext(b, &next, p, m)
}

// benchNext decodes next after the snapshot of m, again and again.
func benchNext(b *testing.B, next *snapshot.Snapshot, p *published, m *wire.Manifest) {
	b.Helper()
	after, err := wire.Encode(next, func(h wire.Hash, data []byte) error { p.sections[h] = data; return nil })
	if err != nil {
		b.Fatal(err)
	}
	var d wire.Decoder
	manifests := []*wire.Manifest{after, m}
	if _, err = d.Decode(m, p.get); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		if _, err = d.Decode(manifests[i%2], p.get); err != nil {
			b.Fatal(err)
		}
	}
	was, err := d.Decode(m, p.get)
	if err != nil {
		b.Fatal(err)
	}
	peak(b, func() { _, _ = d.Decode(after, p.get) })
	runtime.KeepAlive(was)
}
