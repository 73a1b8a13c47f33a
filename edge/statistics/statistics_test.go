package statistics

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// fixture returns a snapshot with so many hosts.
func fixture(hosts ...string) *snapshot.Snapshot {
	s := &snapshot.Snapshot{
		Categories: []snapshot.Category{{Name: "os", Path: "os"}, {Name: "epel", Path: "epel"}},
		Directories: []snapshot.Directory{
			{Path: "epel", Category: 1}, {Path: "epel/9", Category: 1}, {Path: "os"}, {Path: "os/43"}, {Path: "os/43/x"}, {Path: "os/43/x/repodata"},
		},
		Repositories: []snapshot.Repository{
			{Name: "os-43", Arch: "x86_64", Path: "os/43/x"},
			{Name: "epel-9", Arch: "x86_64", Path: "epel/9"},
			{Name: "alias", Arch: "ppc", Path: "os/43/x"},
			{Name: "nowhere", Arch: "ppc", Path: "os/none"},
		},
	}
	for _, name := range hosts {
		s.Hosts = append(s.Hosts, snapshot.Host{Name: name})
	}
	return s
}

// twin is Add as one would write it who has time.
func twin(sums map[Count]uint64, s *snapshot.Snapshot, e *Event) {
	category := s.Categories[e.Category].Name
	add := func(dimension, name string) { sums[Count{Category: category, Dimension: dimension, Name: name}]++ }
	country := ""
	if c, err := geo.ParseCountry(e.Country.String()); err == nil {
		country = c.String()
	}
	add(ByCountry, country)
	add(ByKind, e.Kind.String())
	if e.Host != 0 {
		add(ByHost, s.Hosts[e.Host-1].Name)
	}
	switch {
	case e.Repository != 0:
		r := s.Repositories[e.Repository-1]
		add(ByRepository, r.Name)
		add(ByArch, r.Arch)
	case e.Directory == 1:
		add(ByRepository, "epel-9")
		add(ByArch, "x86_64")
	case e.Directory >= 4:
		add(ByRepository, "os-43")
		add(ByArch, "x86_64")
	}
}

// draw returns a random event.
func draw(r *rand.Rand, s *snapshot.Snapshot) *Event {
	codes := []geo.Country{{}, {'D', 'E'}, {'Z', 'Z'}, {'A', '1'}, {'9', '9'}, {'A', 'A'}, {0xff, 'a'}}
	e := &Event{
		Kind: Kind(r.IntN(int(Kinds))), Country: codes[r.IntN(len(codes))],
		Directory: uint32(r.IntN(len(s.Directories))), Host: uint32(r.IntN(len(s.Hosts) + 1)),
	}
	e.Category = s.Directories[e.Directory].Category
	switch {
	case r.IntN(2) == 0:
	case e.Category == 1:
		e.Repository = 2
	default:
		e.Repository = []uint32{1, 3, 4}[r.IntN(3)]
	}
	return e
}

// add adds what was drained to sums.
func add(sums map[Count]uint64, drained []Count) {
	for _, c := range drained {
		n := c.Count
		c.Count = 0
		sums[c] += n
	}
}

// Many goroutines count while snapshots are swapped and minutes end: nothing is
// lost, and nothing counted twice.
func TestTwin(t *testing.T) {
	var c Collector
	type view struct {
		of      *snapshot.Snapshot
		counter *Counter
	}
	var now atomic.Pointer[view]
	swap := func(s *snapshot.Snapshot) { now.Store(&view{s, c.Counter(s)}) }
	swap(fixture("a", "b"))

	got, want := map[Count]uint64{}, map[Count]uint64{}
	var mu sync.Mutex // guards want
	var group sync.WaitGroup
	for seed := range uint64(4) {
		group.Go(func() {
			r, mine := rand.New(rand.NewPCG(seed, 1)), map[Count]uint64{}
			for range 20000 {
				v := now.Load()
				e := draw(r, v.of)
				if r.IntN(50) == 0 {
					runtime.Gosched() // the answer outlives its snapshot
				}
				v.counter.Add(e)
				twin(mine, v.of, e)
			}
			mu.Lock()
			defer mu.Unlock()
			for k, n := range mine {
				want[k] += n
			}
		})
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			switch i % 3 {
			case 0:
				swap(fixture("b", "c", "a")) // the numbers of hosts change
			case 1:
				swap(fixture("a", "b"))
			}
			add(got, c.Drain())
			runtime.Gosched()
		}
	}()
	group.Wait()
	close(stop)
	<-done
	add(got, c.Drain())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// The counter of an old snapshot is kept while something refers to it, and then
// let go with nothing lost.
func TestLateCounts(t *testing.T) {
	var c Collector
	old := c.Counter(fixture("a"))
	c.Counter(fixture("b"))
	for range 3 {
		runtime.GC()
		c.Drain()
	}
	old.Add(&Event{Host: 1, Directory: 2})
	old = nil //nolint:wastedassign // the garbage collector sees it
	deadline := time.Now().Add(20 * time.Second)
	var got []Count
	for tables := 2; tables > 1; {
		if time.Now().After(deadline) {
			t.Fatal("the old counter is never let go")
		}
		runtime.GC()
		got = append(got, c.Drain()...)
		c.mu.Lock()
		tables = len(c.tables)
		c.mu.Unlock()
	}
	want := []Count{{"os", ByCountry, "", 1}, {"os", ByHost, "a", 1}, {"os", ByKind, "redirect", 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestSameSnapshot(t *testing.T) {
	var c Collector
	s := fixture("a")
	if first := c.Counter(s); first != c.Counter(s) {
		t.Error("want one counter for one snapshot")
	}
}

func TestCountryCells(t *testing.T) {
	for cell := range countries {
		name := countryName(cell)
		var code geo.Country
		copy(code[:], name)
		if got := countryCell(code); got != cell {
			t.Errorf("%q is in cell %d, want %d", name, got, cell)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	var c Collector
	counter := c.Counter(fixture("a", "b"))
	e := Event{Country: geo.Country{'D', 'E'}, Directory: 5, Host: 2}
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			counter.Add(&e)
		}
	})
	b.Run("all processors, one cell", func(b *testing.B) {
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				counter.Add(&e)
			}
		})
	})
}

// BenchmarkCounter asks what a new snapshot of a million directories costs.
func BenchmarkCounter(b *testing.B) {
	s := &snapshot.Snapshot{Categories: []snapshot.Category{{Name: "os", Path: "os"}}, Directories: []snapshot.Directory{{Path: "os"}}}
	for v := range 1000 {
		repository := fmt.Sprintf("os/releases/%04d", v)
		s.Repositories = append(s.Repositories, snapshot.Repository{Name: repository, Arch: "x86_64", Path: repository})
		for d := range 1000 {
			s.Directories = append(s.Directories, snapshot.Directory{Path: fmt.Sprintf("%s/x86_64/os/Packages/%04d", repository, d)})
		}
	}
	for b.Loop() {
		newCounter(s)
	}
}

func BenchmarkDrain(b *testing.B) {
	var c Collector
	s := fixture(make([]string, 1000)...)
	counter := c.Counter(s)
	r := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		for range 1000 {
			counter.Add(draw(r, s))
		}
		c.Drain()
	}
}
