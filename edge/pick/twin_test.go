package pick_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/distance"
	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/match"
	"github.com/waypost/waypost/edge/pick"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// slowOrder is Order the obvious way.
func slowOrder(ix *index.Index, m *match.Match, q *pick.Query) (hosts []uint32, bands []snapshot.Band, allDown bool) {
	up := func(uint32) bool { return true }
	if q.Up != nil {
		some := slices.ContainsFunc(m.Bands(), func(b match.Band) bool { return b.Hosts.Intersects(q.Up) })
		if some {
			up = q.Up.Has
		}
		allDown = !some && len(m.Bands()) > 0
	}
	for _, b := range m.Bands() {
		var in []uint32
		b.Hosts.Each(func(h uint32) {
			if up(h) {
				in = append(in, h)
			}
		})
		slices.SortStableFunc(in, func(g, h uint32) int {
			if q.Order == snapshot.Nearest && q.From.Known() {
				near, _ := q.From.Ring(g, ix.Host(g).Vec)
				far, _ := q.From.Ring(h, ix.Host(h).Vec)
				if near != far {
					return int(near) - int(far)
				}
			}
			if pick.Key(q.Seed, ix.Host(g).Key, ix.Host(g).Inverse) < pick.Key(q.Seed, ix.Host(h).Key, ix.Host(h).Inverse) {
				return -1
			}
			return 1
		})
		for _, h := range in {
			hosts, bands = append(hosts, h), append(bands, b.Kind)
		}
	}
	if q.Count > 0 && len(hosts) > q.Count {
		hosts, bands = hosts[:q.Count], bands[:q.Count]
	}
	return hosts, bands, allDown
}

// TestTwin compares with slowOrder over random catalogues, clients and health,
// with one Picker for all.
func TestTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var p pick.Picker
	var m match.Match
	for seed := range uint64(12) {
		c := synth.Small(seed)
		c.Nearest, c.Hosts = seed%2 == 0, 1+r.IntN(200)
		in := synth.Inputs(c)
		ix := index.Compile(in)
		distances := []*distance.Table{nil, distance.New(ix, randomTimes(r, in.Snapshot))}
		for _, client := range synth.Clients(in, seed, 300) {
			place := ix.Place(client, client.BitLen())
			dir := uint32(r.IntN(ix.Directories()))
			m.Find(ix, &match.Query{Place: place, Directory: dir, Category: in.Snapshot.Directories[dir].Category})
			q := pick.Query{
				Up: randomUp(r, ix.Hosts()), Seed: r.Uint64(), Count: r.IntN(30),
				From: distances[r.IntN(2)].From(ix.Vec(&place), index.FamilyOf(client)), Order: snapshot.Order(r.IntN(2)),
			}
			p.Order(ix, &m, &q)
			hosts, bands, allDown := slowOrder(ix, &m, &q)
			if !slices.Equal(p.Hosts(), hosts) || !slices.Equal(p.Bands(), bands) || p.AllDown() != allDown {
				t.Fatalf("client %v, count %d: got %v %v, all down %v; want %v %v, %v",
					client, q.Count, p.Hosts(), p.Bands(), p.AllDown(), hosts, bands, allDown)
			}
		}
	}
}

// randomTimes returns what three edges measured.
func randomTimes(r *rand.Rand, s *snapshot.Snapshot) (times []distance.Time) {
	for range 3 {
		at := geo.Point{Lat: r.Float32()*180 - 90, Lon: r.Float32()*360 - 180}
		for h := range s.Hosts {
			for _, f := range []index.Family{index.V4, index.V6} {
				times = append(times, distance.Time{Edge: at, Host: s.Hosts[h].Name, Family: f, Time: time.Duration(r.IntN(300)) * time.Millisecond})
			}
		}
	}
	return times
}

// randomUp returns nil, or hosts of which most, few or none are up.
func randomUp(r *rand.Rand, hosts int) hostset.Set {
	share := []int{-1, 90, 50, 3, 0}[r.IntN(5)]
	if share < 0 {
		return nil
	}
	up := hostset.Make(hosts)
	for h := range uint32(hosts) {
		if r.IntN(100) < share {
			up.Add(h)
		}
	}
	return up
}

// TestSplit tries many seeds: which hosts are chosen varies if and only if
// Split says so, for hosts of equal weight; with some of them down, or with
// all up.
func TestSplit(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for seed := range uint64(8) {
		in := synth.Inputs(synth.Small(seed))
		for h := range in.Snapshot.Hosts {
			in.Snapshot.Hosts[h].Bandwidth = 100
		}
		ix := index.Compile(in)
		for _, client := range synth.Clients(in, seed, 60) {
			var m match.Match
			dir := uint32(r.IntN(ix.Directories()))
			m.Find(ix, &match.Query{
				Place: ix.Place(client, client.BitLen()), Directory: dir,
				Category: in.Snapshot.Directories[dir].Category,
			})
			up := randomUp(r, ix.Hosts())
			for _, count := range []int{0, 1, 2, 3, 6, 30} {
				q := pick.Query{Up: up, Count: count}
				allUp := q
				allUp.Up = nil
				want := varies(ix, &m, q) || varies(ix, &m, allUp)
				var p pick.Picker
				p.Order(ix, &m, &q)
				if p.Split() != want {
					t.Fatalf("client %v, count %d, bands %v: Split %v, want %v", client, count, m.Bands(), p.Split(), want)
				}
			}
		}
	}
}

// varies reports whether the set of the chosen hosts hangs on the seed.
func varies(ix *index.Index, m *match.Match, q pick.Query) bool {
	var p pick.Picker
	var first []uint32
	for seed := range uint64(40) {
		q.Seed = seed * 0x9e3779b97f4a7c15
		p.Order(ix, m, &q)
		chosen := slices.Sorted(slices.Values(p.Hosts()))
		if seed == 0 {
			first = chosen
		}
		if !slices.Equal(chosen, first) {
			return true
		}
	}
	return false
}
