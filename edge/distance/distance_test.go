package distance_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/distance"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

var (
	frankfurt = geo.Point{Lat: 50.11, Lon: 8.68}
	mainz     = geo.Point{Lat: 50.00, Lon: 8.27}
	berlin    = geo.Point{Lat: 52.52, Lon: 13.40}
	prague    = geo.Point{Lat: 50.08, Lon: 14.44}
	saoPaulo  = geo.Point{Lat: -23.55, Lon: -46.63}
	santiago  = geo.Point{Lat: -33.45, Lon: -70.67}
)

// compile returns an index of hosts by name, of which a nil place is unknown.
func compile(places map[string]*geo.Point) *index.Index {
	s := &snapshot.Snapshot{}
	for name, at := range places {
		s.Hosts = append(s.Hosts, snapshot.Host{Name: name, Place: at})
	}
	return index.Compile(index.Inputs{Snapshot: s})
}

func TestRing(t *testing.T) {
	ix := compile(map[string]*geo.Point{
		"berlin": &berlin, "prague": &prague, "mainz": &mainz, "santiago": &santiago, "somewhere": nil, "quiet": &prague,
	})
	fromFrankfurt := func(host string, ms int) distance.Time {
		return distance.Time{Edge: frankfurt, Host: host, Family: index.V4, Time: time.Duration(ms) * time.Millisecond}
	}
	far := fromFrankfurt("prague", 9)
	far.Family = index.V6
	times := []distance.Time{
		fromFrankfurt("berlin", 30), fromFrankfurt("berlin", 9), fromFrankfurt("prague", 60), far, fromFrankfurt("mainz", 40),
		fromFrankfurt("santiago", 210), fromFrankfurt("somewhere", 1), fromFrankfurt("of another snapshot", 1),
	}
	table := distance.New(ix, times)
	for _, tt := range []struct {
		name     string
		table    *distance.Table
		client   geo.Point
		family   index.Family
		host     string
		upTo     int
		measured bool
	}{
		{"without times, by coordinates", nil, frankfurt, index.V4, "prague", 500, false},
		{"a host that nobody measured", table, frankfurt, index.V4, "quiet", 500, false},
		{"the way there is a detour", table, frankfurt, index.V4, "prague", 4500, true},
		{"over IPv6 it is none", table, frankfurt, index.V6, "prague", 1000, true},
		{"the least of two times", table, frankfurt, index.V4, "berlin", 1000, true},
		{"client, edge and host in one place, but the way is a detour", table, frankfurt, index.V4, "mainz", 3000, true},
		{"a host without a place", table, frankfurt, index.V4, "somewhere", 100, true},
		{"a host without a place, from far away", table, saoPaulo, index.V4, "somewhere", 12000, true},
		{"nearer to the client than the edge is", table, saoPaulo, index.V4, "santiago", 3000, false},
		{"further than the edge", table, berlin, index.V4, "santiago", 20040, true},
		{"away from the edge", table, berlin, index.V4, "prague", 500, false},
		{"beside the edge", table, berlin, index.V4, "mainz", 4500, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			from := tt.table.From(tt.client.Vec(), tt.family)
			h := ix.Numbers()[tt.host]
			ring, measured := from.Ring(h, ix.Host(h).Vec)
			if _, upTo := geo.RingBounds(ring); upTo != tt.upTo || measured != tt.measured {
				t.Errorf("up to %d km, measured %v; want %d, %v", upTo, measured, tt.upTo, tt.measured)
			}
		})
	}
}

func TestNothingMeasured(t *testing.T) {
	ix := compile(map[string]*geo.Point{"a": &berlin})
	if table := distance.New(ix, []distance.Time{{Edge: berlin, Host: "b", Family: index.V4, Time: 1}}); table != nil {
		t.Errorf("a table of nothing: %+v", table)
	}
	table := distance.New(ix, []distance.Time{{Edge: berlin, Host: "a", Family: index.V4, Time: 1}})
	if from := table.From(geo.Vec{}, index.V4); from.Known() {
		t.Error("an unknown place is known")
	}
	from := table.From(berlin.Vec(), 0)
	if ring, measured := from.Ring(0, berlin.Vec()); ring != 0 || measured {
		t.Errorf("over an unknown family: ring %d, measured %v", ring, measured)
	}
}

// slowRing is what [distance.From.Ring] says, by angles: over the edge nearest to
// the client, or from there over another one, by the shortest way. doubt says
// that rounding may decide.
func slowRing(times []distance.Time, client geo.Point, f index.Family, host *snapshot.Host) (ring uint8, doubt bool) {
	straight := uint8(geo.Rings)
	if host.Place != nil {
		straight = client.Vec().Ring(host.Place.Vec())
	}
	chord := func(a, b geo.Point) float64 { return 2 * math.Sin(geo.Distance(a, b)/6371.0088/2) }
	leads := func(from, edge geo.Point) bool {
		if host.Place == nil {
			return true
		}
		over := (chord(from, edge) + chord(edge, *host.Place)) / 2 / chord(from, *host.Place)
		doubt = doubt || math.Abs(over-1) < 1e-4
		return over <= 1 || geo.Distance(from, edge) <= 100
	}
	edge, away := geo.Point{}, math.Inf(1)
	for _, at := range times {
		if d := geo.Distance(client, at.Edge); d < away {
			edge, away = at.Edge, d
		}
	}
	least := math.Inf(1)
	for _, at := range times {
		if at.Host == host.Name && at.Family == f && leads(edge, at.Edge) {
			least = min(least, geo.Distance(edge, at.Edge)+at.Time.Seconds()*1000*66.62)
		}
	}
	if math.IsInf(least, 1) || !leads(client, edge) {
		return straight, doubt
	}
	for ; ring < geo.Rings-1; ring++ {
		if _, upTo := geo.RingBounds(ring); away+least <= float64(upTo) {
			break
		}
	}
	return ring, doubt
}

// TestTwin compares with slowRing; where a distance lies at a bound of rings,
// float32 may round to the other side.
func TestTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	anywhere := func() geo.Point {
		return geo.Point{Lat: r.Float32()*140 - 60, Lon: r.Float32()*360 - 180}
	}
	n, other := 0, 0
	for range 200 {
		places := map[string]*geo.Point{}
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			if at := anywhere(); r.IntN(4) > 0 {
				places[name] = &at
			} else {
				places[name] = nil
			}
		}
		ix := compile(places)
		edges := []geo.Point{anywhere(), anywhere(), anywhere(), anywhere()}
		edges[1] = geo.Point{Lat: edges[0].Lat + 0.3, Lon: edges[0].Lon}
		var times []distance.Time
		for range r.IntN(20) {
			times = append(times, distance.Time{
				Edge: edges[r.IntN(4)], Host: string(rune('a' + r.IntN(5))), Family: index.V4 + index.Family(r.IntN(2)),
				Time: time.Duration(r.IntN(300)) * time.Millisecond,
			})
		}
		table := distance.New(ix, times)
		for range 50 {
			client, f := anywhere(), index.V4+index.Family(r.IntN(2))
			if r.IntN(2) == 0 {
				client = edges[r.IntN(4)]
			}
			from := table.From(client.Vec(), f)
			for h := range uint32(ix.Hosts()) {
				ring, _ := from.Ring(h, ix.Host(h).Vec)
				n++
				want, doubt := slowRing(times, client, f, ix.Registered(h))
				if ring != want && !doubt {
					other++
					if ring+1 != want && want+1 != ring {
						t.Fatalf("client %v, host %v: ring %d, want %d", client, ix.Registered(h).Place, ring, want)
					}
				}
			}
		}
	}
	if other*500 > n {
		t.Errorf("%d of %d differ by one ring", other, n)
	}
}

// many returns what edges measure of 1,000 hosts, five of each.
func many(edges int) (*index.Index, []distance.Time) {
	c := synth.Small(1)
	c.Hosts, c.Nearest = 1000, true
	in := synth.Inputs(c)
	r := rand.New(rand.NewPCG(7, 8))
	places := make([]geo.Point, edges)
	for i := range places {
		places[i] = geo.Point{Lat: r.Float32()*140 - 60, Lon: r.Float32()*360 - 180}
	}
	var times []distance.Time
	for h := range in.Snapshot.Hosts {
		for range 5 {
			for _, f := range []index.Family{index.V4, index.V6} {
				times = append(times, distance.Time{
					Edge: places[r.IntN(edges)], Host: in.Snapshot.Hosts[h].Name, Family: f, Time: time.Duration(r.IntN(300)) * time.Millisecond,
				})
			}
		}
	}
	return index.Compile(in), times
}

func BenchmarkNew(b *testing.B) {
	ix, times := many(1000)
	for b.Loop() {
		distance.New(ix, times)
	}
}

func BenchmarkFrom(b *testing.B) {
	for _, edges := range []int{30, 1000} {
		b.Run(map[int]string{30: "30 edges", 1000: "1000 edges"}[edges], func(b *testing.B) {
			ix, times := many(edges)
			table, client := distance.New(ix, times), berlin.Vec()
			for b.Loop() {
				table.From(client, index.V4)
			}
		})
	}
}

func BenchmarkRing(b *testing.B) {
	ix, times := many(30)
	from := distance.New(ix, times).From(berlin.Vec(), index.V4)
	h := uint32(0)
	for b.Loop() {
		from.Ring(h, ix.Host(h).Vec)
		h = (h + 1) % 1000
	}
}
