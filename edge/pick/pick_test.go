package pick_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/match"
	"github.com/waypost/waypost/edge/pick"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/netblock"
)

func Example() {
	ix := compile(host("slow", 100), host("fast", 1000), host("down", 1000))
	var m match.Match
	m.Find(ix, &match.Query{})
	up := hostset.Full(ix.Hosts())
	up.Remove(2)

	var p pick.Picker
	first := map[string]int{}
	for client := range uint32(1100) {
		seed := pick.StickySeed(netip.AddrFrom4([4]byte{10, byte(client >> 8), byte(client), 1}), ix.CategoryKey(0))
		p.Order(ix, &m, &pick.Query{Up: up, Seed: seed, Count: 1})
		first[ix.Registered(p.Hosts()[0]).Name]++
	}
	fmt.Println("about a tenth of the clients:", first["slow"] > 80 && first["slow"] < 120)
	fmt.Println("down:", first["down"])
	// Output:
	// about a tenth of the clients: true
	// down: 0
}

// host makes a host that holds the one directory there is.
func host(name string, bandwidth uint32) snapshot.Host {
	h := snapshot.Host{
		Name: name, Bandwidth: bandwidth,
		Mounts: []snapshot.Mount{{URLs: []string{"https://" + name + "/"}}},
	}
	h.Has.Add(0)
	return h
}

func compile(hosts ...snapshot.Host) *index.Index {
	return index.Compile(index.Inputs{Snapshot: &snapshot.Snapshot{
		Categories:  []snapshot.Category{{Name: "c", Path: "c", Policy: snapshot.Policy{Minimum: 1, Bands: snapshot.AllBands}}},
		Directories: []snapshot.Directory{{Path: "c"}},
		Hosts:       hosts,
	}})
}

func weighted(weights ...uint32) *index.Index {
	var hosts []snapshot.Host
	for i, w := range weights {
		hosts = append(hosts, host(fmt.Sprintf("h%d", i), w))
	}
	return compile(hosts...)
}

func find(ix *index.Index) *match.Match {
	var m match.Match
	m.Find(ix, &match.Query{})
	return &m
}

// chiSquare fails the test if counts are not as expected. Seeds are fixed, so
// that it never fails by chance: the bound is that of one in ten thousand.
func chiSquare(t *testing.T, what string, counts []int, expected []float64) {
	t.Helper()
	x2, df := 0.0, -1.0
	for i, want := range expected {
		if want == 0 {
			if counts[i] != 0 {
				t.Errorf("%s: host %d came %d times, want never", what, i, counts[i])
			}
			continue
		}
		d := float64(counts[i]) - want
		x2 += d * d / want
		df++
	}
	// Wilson and Hilferty's approximation of the quantile; 3.72 is the normal one.
	c := 1 - 2/(9*df) + 3.72*math.Sqrt(2/(9*df))
	if bound := df * c * c * c; x2 > bound {
		t.Errorf("%s: chi-square %.1f > %.1f; counts %v, want about %.0f", what, x2, bound, counts, expected)
	}
}

// places returns how often each host comes first and second if n draws are
// weighted sampling without replacement.
func places(weights []uint32, n float64) (first, second []float64) {
	w, sum := make([]float64, len(weights)), 0.0
	for i := range weights {
		w[i] = float64(weights[i])
		sum += w[i]
	}
	if sum == 0 {
		for i := range w {
			w[i] = 1
		}
		sum = float64(len(w))
	}
	first, second = make([]float64, len(w)), make([]float64, len(w))
	for i := range w {
		first[i] = n * w[i] / sum
		for j := range w {
			if rest := sum - w[i]; j != i && rest > 0 {
				second[j] += first[i] * w[j] / rest
			}
		}
	}
	return first, second
}

// TestDistribution draws with a fresh seed for each query.
func TestDistribution(t *testing.T) {
	tests := []struct {
		name    string
		weights []uint32
	}{
		{"equal", []uint32{100, 100, 100, 100, 100}},
		{"two equal", []uint32{1, 1}},
		{"bandwidths", []uint32{10, 100, 100, 1000, 2000, 10_000}},
		{"1 to 10,000", []uint32{1, 10, 100, 1000, 10_000}},
		{"small steps", []uint32{1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{"all without weight", []uint32{0, 0, 0, 0}},
		{"some without weight", []uint32{0, 5, 0, 10, 20}},
		{"the largest", []uint32{math.MaxUint32, math.MaxUint32 / 2}},
		{"many", slices.Repeat([]uint32{10, 100, 1000}, 40)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const n = 100_000
			ix := weighted(tt.weights...)
			m, r := find(ix), rand.New(rand.NewPCG(1, 2))
			first, second := make([]int, len(tt.weights)), make([]int, len(tt.weights))
			var p pick.Picker
			for range n {
				p.Order(ix, m, &pick.Query{Seed: r.Uint64(), Count: 2})
				first[p.Hosts()[0]]++
				second[p.Hosts()[1]]++
			}
			wantFirst, wantSecond := places(tt.weights, n)
			chiSquare(t, "first", first, wantFirst)
			chiSquare(t, "second", second, wantSecond)
		})
	}
}

// TestWeightless checks that hosts without a weight come after all others,
// in any order.
func TestWeightless(t *testing.T) {
	ix := weighted(0, 1, 0, math.MaxUint32, 1, 0)
	m, r := find(ix), rand.New(rand.NewPCG(3, 4))
	last := make([]int, 6)
	var p pick.Picker
	for range 30_000 {
		p.Order(ix, m, &pick.Query{Seed: r.Uint64()})
		for i, h := range p.Hosts() {
			if weightless := ix.Registered(h).Bandwidth == 0; weightless != (i >= 3) {
				t.Fatalf("order %v", p.Hosts())
			}
		}
		last[p.Hosts()[5]]++
	}
	chiSquare(t, "last", last, []float64{1e4, 0, 1e4, 0, 0, 1e4})
}

// TestStickySpread draws once for each of many networks.
func TestStickySpread(t *testing.T) {
	weights := []uint32{10, 100, 100, 1000, 2000, 10_000}
	ix := weighted(weights...)
	m := find(ix)
	for _, tt := range []struct {
		name string
		addr func(n uint32) netip.Addr
	}{
		{"/24s", func(n uint32) netip.Addr { return netip.AddrFrom4([4]byte{byte(n >> 16), byte(n >> 8), byte(n), 9}) }},
		{"/48s", func(n uint32) netip.Addr {
			return netip.AddrFrom16([16]byte{0x20, 1, 0, byte(n >> 16), byte(n >> 8), byte(n)})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const n = 65_536
			first, second := make([]int, len(weights)), make([]int, len(weights))
			var p pick.Picker
			for i := range uint32(n) {
				p.Order(ix, m, &pick.Query{Seed: pick.StickySeed(tt.addr(i), ix.CategoryKey(0))})
				first[p.Hosts()[0]]++
				second[p.Hosts()[1]]++
			}
			wantFirst, wantSecond := places(weights, n)
			chiSquare(t, "first", first, wantFirst)
			chiSquare(t, "second", second, wantSecond)
		})
	}
}

// TestRendezvous takes hosts out, by health and out of the catalogue: the
// order of the others stays, for every client.
func TestRendezvous(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 12 {
		var hosts []snapshot.Host
		for i := range 3 + r.IntN(20) {
			hosts = append(hosts, host(fmt.Sprintf("m%d", i), uint32(r.IntN(1000))))
		}
		gone := r.IntN(len(hosts))
		all, fewer := compile(hosts...), compile(slices.Delete(slices.Clone(hosts), gone, gone+1)...)
		up := hostset.Full(len(hosts))
		up.Remove(uint32(gone))
		for range 200 {
			seed := r.Uint64()
			var want []string
			for _, name := range names(all, &pick.Query{Seed: seed}) {
				if name != hosts[gone].Name {
					want = append(want, name)
				}
			}
			if got := names(fewer, &pick.Query{Seed: seed}); !slices.Equal(got, want) {
				t.Fatalf("without %s: %v, want %v", hosts[gone].Name, got, want)
			}
			if got := names(all, &pick.Query{Seed: seed, Up: up}); !slices.Equal(got, want) {
				t.Fatalf("%s down: %v, want %v", hosts[gone].Name, got, want)
			}
		}
	}
}

func names(ix *index.Index, q *pick.Query) []string {
	var p pick.Picker
	p.Order(ix, find(ix), q)
	var out []string
	for _, h := range p.Hosts() {
		out = append(out, ix.Registered(h).Name)
	}
	return out
}

// TestDown checks the rule for hosts that are down on two bands.
func TestDown(t *testing.T) {
	near, far := host("near", 10), host("far", 10)
	near.Country = geo.Country{'D', 'E'}
	ix := index.Compile(index.Inputs{
		Snapshot: &snapshot.Snapshot{
			Categories:  []snapshot.Category{{Name: "c", Path: "c", Policy: snapshot.Policy{Minimum: 1, Bands: snapshot.AllBands}}},
			Directories: []snapshot.Directory{{Path: "c"}},
			Hosts:       []snapshot.Host{near, far},
		},
		Countries: netblock.NewTable([]netblock.Entry{{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Value: near.Country.Uint32()}}),
	})
	var m match.Match
	q := match.Query{Place: ix.Place(netip.MustParseAddr("10.1.1.1"), 32)}
	tests := []struct {
		name    string
		up      hostset.Set
		bands   int // 0: all
		want    []uint32
		allDown bool
	}{
		{"nothing known", nil, 0, []uint32{0, 1}, false},
		{"both up", hostset.Set{3}, 0, []uint32{0, 1}, false},
		{"near down", hostset.Set{2}, 0, []uint32{1}, false},
		{"far down", hostset.Set{1}, 0, []uint32{0}, false},
		{"both down", hostset.Set{0}, 0, []uint32{0, 1}, true},
		{"only others up", hostset.Set{4}, 0, []uint32{0, 1}, true},
		{"near down, a list without far", hostset.Set{2}, 1, []uint32{0}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m.Find(ix, &q)
			if tt.bands > 0 {
				m.First(nil)
			}
			var p pick.Picker
			p.Order(ix, &m, &pick.Query{Up: tt.up})
			if diff := cmp.Diff(tt.want, p.Hosts()); diff != "" || p.AllDown() != tt.allDown {
				t.Errorf("AllDown %v, want %v; hosts (-want +got):\n%s", p.AllDown(), tt.allDown, diff)
			}
		})
	}
}

// TestNobody orders nothing.
func TestNobody(t *testing.T) {
	for _, ix := range []*index.Index{compile(), compile(snapshot.Host{Name: "holds nothing"})} {
		var p pick.Picker
		p.Order(ix, find(ix), &pick.Query{Up: hostset.Make(ix.Hosts()), Count: 3})
		if len(p.Hosts()) != 0 || p.AllDown() || p.Split() {
			t.Errorf("hosts %v, AllDown %v, Split %v", p.Hosts(), p.AllDown(), p.Split())
		}
	}
}
