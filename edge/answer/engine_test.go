package answer_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// downHost is down in every state of TestSwap; its number differs between the indexes.
const downHost = "m7"

// TestSwap swaps indexes and health under readers. Health is of the index
// beside it: the bits of one index would hit other hosts in another.
func TestSwap(t *testing.T) {
	var indexes []*index.Index
	for n := range 4 {
		var hosts []snapshot.Host
		for i := range 10 + 40*n {
			hosts = append(hosts, host(fmt.Sprintf("m%d", i)))
		}
		if n%2 == 0 {
			slices.Reverse(hosts)
		}
		indexes = append(indexes, compile(snapshot.Policy{Bands: snapshot.AllBands}, hosts...))
	}
	state := func(ix *index.Index) *health.State {
		var down []health.Target
		for _, f := range []index.Family{index.V4, index.V6} {
			for _, s := range []index.Schemes{index.HTTP, index.HTTPS} {
				down = append(down, health.Target{Host: downHost, Scheme: s, Family: f})
			}
		}
		return health.New(ix, down)
	}
	var e answer.Engine
	e.SetHealth(state) // before there is an index: nothing
	if e.View() != nil {
		t.Fatal("a view before the first Swap")
	}
	e.Swap(indexes[0], state)

	done := make(chan struct{})
	var writers, readers sync.WaitGroup
	writers.Go(func() {
		for i := range 400 {
			e.Swap(indexes[i%len(indexes)], state)
		}
	})
	writers.Go(func() {
		for range 400 {
			e.SetHealth(state)
		}
	})
	for range 3 {
		readers.Go(func() {
			var a answer.Answer
			for random := uint64(0); ; random++ {
				select {
				case <-done:
					return
				default:
				}
				v := e.View()
				v.Answer(&answer.Query{Client: netip.MustParseAddr("192.0.2.1"), Schemes: index.Web, Random: random}, &a)
				if got := names(&a); len(got) != v.Index.Hosts()-1 || slices.Contains(got, downHost) {
					t.Errorf("%d of %d hosts, %s among them: %v", len(got), v.Index.Hosts(), downHost, slices.Contains(got, downHost))
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()

	e.Swap(indexes[1], nil)
	if v := e.View(); v.Index != indexes[1] || v.Health != nil {
		t.Error("Swap without health kept the old one")
	}
}

// TestSetHealthKeepsTheIndex: new health never brings back an index that was
// swapped out meanwhile.
func TestSetHealthKeepsTheIndex(t *testing.T) {
	a, b := compile(snapshot.Policy{}), compile(snapshot.Policy{})
	none := func(*index.Index) *health.State { return nil }
	for range 300 {
		var e answer.Engine
		e.Swap(a, none)
		started := make(chan struct{})
		var setting sync.WaitGroup
		setting.Go(func() {
			<-started
			e.SetHealth(none)
		})
		e.Swap(b, func(*index.Index) *health.State {
			close(started) // SetHealth begins while Swap is under way
			for range 20 {
				runtime.Gosched()
			}
			return nil
		})
		setting.Wait()
		if e.View().Index != b {
			t.Fatal("the old index is back")
		}
	}
}
