package statistics

import (
	"cmp"
	"runtime"
	"slices"
	"sync"

	"github.com/waypost/waypost/edge/snapshot"
)

// A Count is how often something was answered.
type Count struct {
	Category  string
	Dimension string // what Name is: country, repository, arch, host or kind
	Name      string // of a country: its code, "" if it is unknown
	Count     uint64
}

// The dimensions of counts. Each answer of a category is once among the
// countries and once among the kinds.
const (
	ByCountry    = "country"
	ByRepository = "repository"
	ByArch       = "arch"
	ByHost       = "host"
	ByKind       = "kind"
)

// A Collector has the counters of an edge. The zero value has none. It is safe
// for any number of goroutines.
type Collector struct {
	mu      sync.Mutex
	of      *snapshot.Snapshot // of current
	current *Counter
	tables  []*cells // of all counters in which somebody may still count, and the current one's
}

// Counter returns the counter for the answers made from s: the present one, if
// it is for s already.
//
// An answer may be counted long after its snapshot was replaced. So the cells
// of a counter stay, and are drained, until no view and no request refers to the
// counter, which only the garbage collector knows.
func (c *Collector) Counter(s *snapshot.Snapshot) *Counter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && c.of == s {
		return c.current
	}
	c.of, c.current = s, newCounter(s)
	runtime.AddCleanup(c.current, func(t *cells) { t.over.Store(true) }, c.current.cells)
	c.tables = append(c.tables, c.current.cells)
	return c.current
}

// Drain returns what was counted since the last time, each count once, sorted
// by category, dimension and name. It costs about a nanosecond for each cell.
func (c *Collector) Drain() []Count {
	c.mu.Lock()
	defer c.mu.Unlock()
	sums := map[Count]uint64{}
	c.tables = slices.DeleteFunc(c.tables, func(t *cells) bool {
		over := t.over.Load() // before its cells are read
		t.drain(sums)
		return over
	})
	list := make([]Count, 0, len(sums))
	for of, n := range sums {
		of.Count = n
		list = append(list, of)
	}
	slices.SortFunc(list, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Category, b.Category), cmp.Compare(a.Dimension, b.Dimension), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// drain takes what is in the cells, and adds it to sums.
func (t *cells) drain(sums map[Count]uint64) {
	for i := range t.n {
		if t.n[i].Load() != 0 {
			sums[t.of(i)] += t.n[i].Swap(0)
		}
	}
}

// of returns what a cell counts.
func (t *cells) of(i int) Count {
	if i >= t.repositories {
		r := i - t.repositories
		return Count{Category: t.category[t.categoryOf[r]], Dimension: ByRepository, Name: t.repository[r]}
	}
	is := Count{Category: t.category[i/t.stride]}
	switch i %= t.stride; {
	case i < countries:
		is.Dimension, is.Name = ByCountry, countryName(i)
	case i < t.hosts:
		is.Dimension, is.Name = ByKind, Kind(i-countries).String()
	case i < t.archs:
		is.Dimension, is.Name = ByHost, t.host[i-t.hosts]
	default:
		is.Dimension, is.Name = ByArch, t.arch[i-t.archs]
	}
	return is
}
