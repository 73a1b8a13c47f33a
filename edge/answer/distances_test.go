package answer_test

import (
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/distance"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
	"github.com/waypost/waypost/netblock"
)

var (
	linz   = geo.Point{Lat: 48.31, Lon: 14.29}
	graz   = geo.Point{Lat: 47.07, Lon: 15.44}
	zagreb = geo.Point{Lat: 45.81, Lon: 15.98}
)

// nearPolicy has a host in Graz and one in Zagreb for clients in Austria.
func nearPolicy() *index.Index {
	a, b := host("graz"), host("zagreb")
	a.Place, b.Place = &graz, &zagreb
	return index.Compile(index.Inputs{
		Snapshot: &snapshot.Snapshot{
			Categories:  []snapshot.Category{{Name: "os", Path: "os", Policy: snapshot.Policy{Bands: snapshot.AllBands, Order: snapshot.Nearest}}},
			Directories: []snapshot.Directory{{Path: "os"}},
			Hosts:       []snapshot.Host{a, b},
		},
		Countries: netblock.NewTable([]netblock.Entry{
			{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Value: geo.Country{'A', 'T'}.Uint32()},
			{Prefix: netip.MustParsePrefix("::/0"), Value: geo.Country{'A', 'T'}.Uint32()},
		}),
	})
}

// TestDistances: the way from Linz to Graz is a detour over IPv4.
func TestDistances(t *testing.T) {
	ix := nearPolicy()
	times := []distance.Time{
		{Edge: linz, Host: "graz", Family: index.V4, Time: 60 * time.Millisecond},
		{Edge: linz, Host: "graz", Family: index.V6, Time: 3 * time.Millisecond},
		{Edge: linz, Host: "zagreb", Family: index.V4, Time: 8 * time.Millisecond},
		{Edge: linz, Host: "zagreb", Family: index.V6, Time: 8 * time.Millisecond},
	}
	table := distance.New(ix, times)
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for _, tt := range []struct {
		name  string
		table *distance.Table
		q     answer.Query
		want  string
		why   string
	}{
		{"without times", nil, answer.Query{Client: v4}, "graz", "up to 250 km, by coordinates"},
		{"over IPv4", table, answer.Query{Client: v4}, "zagreb", "up to 1000 km, by round-trip times"},
		{"over IPv6", table, answer.Query{Client: v6}, "graz", "up to 500 km, by round-trip times"},
		{"a resolver with IPv4 asks for IPv6 addresses", table, answer.Query{Client: v4, Record: index.V6}, "graz", "up to 500 km, by round-trip times"},
		{"a resolver with IPv6 asks for IPv4 addresses", table, answer.Query{Client: v6, Record: index.V4}, "zagreb", "up to 1000 km, by round-trip times"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			view := &answer.View{Index: ix, Distances: tt.table}
			target, _ := ix.Find([]byte("os/f"))
			tt.q.Target, tt.q.Schemes = target, index.HTTPS
			var a answer.Answer
			view.Answer(&tt.q, &a)
			if got := ix.Registered(a.Hosts()[0]).Name; got != tt.want {
				t.Errorf("the first is %s, want %s", got, tt.want)
			}
			why := view.Explain(&tt.q)
			if first := why.Bands[0].Hosts[0]; first.Name != tt.want || first.Distance != tt.why {
				t.Errorf("explained: %+v, want %q", first, tt.why)
			}
		})
	}
}

// TestUpdateDistances: the distances in use are always those of the index beside them.
func TestUpdateDistances(t *testing.T) {
	var e answer.Engine
	e.UpdateDistances() // before there is an index: nothing
	made := map[*distance.Table]*index.Index{}
	var mu sync.Mutex
	e.Distances = func(ix *index.Index) *distance.Table {
		table := &distance.Table{}
		mu.Lock()
		defer mu.Unlock()
		made[table] = ix
		return table
	}
	indexes := []*index.Index{nearPolicy(), nearPolicy()}
	e.Swap(indexes[0], nil)
	var work sync.WaitGroup
	work.Go(func() {
		for i := range 500 {
			e.Swap(indexes[i%2], nil)
		}
	})
	work.Go(func() {
		for range 500 {
			e.UpdateDistances()
		}
	})
	work.Go(func() {
		for range 500 {
			e.SetHealth(func(*index.Index) *health.State { return nil })
		}
	})
	work.Go(func() {
		for range 1000 {
			v := e.View()
			mu.Lock()
			if made[v.Distances] != v.Index {
				t.Error("distances of another index")
			}
			mu.Unlock()
		}
	})
	work.Wait()
	before := e.View().Distances
	if e.UpdateDistances(); e.View().Distances == before {
		t.Error("nothing was updated")
	}
}

// TestUpdateBesideSwap: whichever comes first, of distances that change and an index
// that does, both are in use at last.
func TestUpdateBesideSwap(t *testing.T) {
	for _, first := range []string{"swap", "update"} {
		var e answer.Engine
		before, newest := &distance.Table{}, &distance.Table{}
		var beside sync.WaitGroup
		var changed, second atomic.Bool
		ix := nearPolicy()
		e.Distances = func(*index.Index) *distance.Table {
			answer := before
			if changed.Load() {
				answer = newest
			}
			if second.CompareAndSwap(true, false) { // these are of before; now the other comes
				beside.Go(func() {
					if changed.Store(true); first == "swap" {
						e.UpdateDistances()
					} else {
						e.Swap(ix, nil)
					}
				})
				for range 100 {
					runtime.Gosched()
				}
			}
			return answer
		}
		e.Swap(nearPolicy(), nil)
		second.Store(true)
		if first == "swap" {
			e.Swap(ix, nil)
		} else {
			e.UpdateDistances()
		}
		if beside.Wait(); e.View().Index != ix || e.View().Distances != newest {
			t.Errorf("%s first: what was before is in use", first)
		}
	}
}

// TestExplainUnknownDistance: hosts without a place come last.
func TestExplainUnknownDistance(t *testing.T) {
	ix := nearPolicy()
	ix.Inputs().Snapshot.Hosts[1].Place = nil
	view := &answer.View{Index: index.Compile(ix.Inputs())}
	target, _ := view.Index.Find([]byte("os/f"))
	why := view.Explain(&answer.Query{Client: netip.MustParseAddr("192.0.2.1"), Target: target, Schemes: index.HTTPS})
	hosts := why.Bands[len(why.Bands)-1].Hosts
	if at := hosts[len(hosts)-1]; at.Name != "zagreb" || !strings.HasPrefix(at.Distance, "nobody knows") {
		t.Errorf("%+v", why.Bands)
	}
}
