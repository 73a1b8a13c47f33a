package probe

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
)

// newName returns the target of a host by http over IPv4.
func newName(host string) health.Target {
	return health.Target{Host: host, Scheme: index.HTTP, Family: index.V4}
}

// A world is what fake probes find, and what a prober made of it.
type world struct {
	*Prober
	stop context.CancelFunc
	over chan error

	mu       sync.Mutex
	verdicts map[string]Verdict // by name, of what is not OK
	takes    time.Duration      // one probe
	probes   map[string][]time.Time
	running  int
	most     int // of running
	down     []string
	when     time.Time // of the last publication
}

// start runs a prober in the bubble of a test.
func start(t *testing.T, c Config, ix *index.Index) *world {
	t.Helper()
	w := &world{verdicts: map[string]Verdict{}, probes: map[string][]time.Time{}, over: make(chan error, 1)}
	c.Publish = func(down []health.Target) {
		names := make([]string, 0, len(down))
		for _, d := range down {
			names = append(names, d.Host)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.down, w.when = names, time.Now()
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	w.Prober = newProber(c.WithDefaults(), w.find)
	w.Update(ix)
	var ctx context.Context
	ctx, w.stop = context.WithCancel(t.Context())
	go func() { w.over <- w.Run(ctx) }()
	t.Cleanup(func() {
		w.stop()
		if err := <-w.over; err != nil {
			t.Error(err)
		}
	})
	return w
}

// find is the fake probe.
func (w *world) find(ctx context.Context, p plan, _ index.Family) Result {
	host := strings.TrimSuffix(p.url.Hostname(), ".test")
	w.mu.Lock()
	w.probes[host] = append(w.probes[host], time.Now())
	w.running++
	w.most = max(w.most, w.running)
	takes := w.takes
	w.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	if v, ok := w.verdicts[host]; ok {
		return Result{Verdict: v, Detail: "fake"}
	}
	return Result{Verdict: OK}
}

// set makes hosts be found so from now on.
func (w *world) set(v Verdict, hosts ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range hosts {
		if delete(w.verdicts, h); v != OK {
			w.verdicts[h] = v
		}
	}
}

// slow makes every probe take so long from now on.
func (w *world) slow(takes time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.takes = takes
}

// after waits and compares what is down then.
func (w *world) after(t *testing.T, d time.Duration, want ...string) {
	t.Helper()
	time.Sleep(d) // of the bubble
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.down, want) {
		t.Errorf("down: %v, want %v", w.down, want)
	}
}

// seen returns when each host was probed.
func (w *world) seen() map[string][]time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.probes)
}

// isDown returns what is down, and since when.
func (w *world) isDown() ([]string, time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.down, w.when
}

// kind returns the counters of http over IPv4.
func (w *world) kind() KindCounters { return w.Counters().Kinds[health.KindOf(index.HTTP, index.V4)] }

// names returns prefix0 to prefix(n-1).
func names(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(prefix, i)
	}
	return all
}

// mirrors returns mirrors of these names by http over IPv4.
func mirrors(country string, names ...string) []mirror {
	all := make([]mirror, 0, len(names))
	for _, name := range names {
		all = append(all, mirror{name: name, country: country, urls: []string{"http://" + name + ".test/os"}, addresses: []string{"192.0.2.1"}})
	}
	return all
}

const interval = 30 * time.Second

func TestRiseAndFall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ix := compile(t, mirrors("DE", "a", "b", "c")...)
		w := start(t, Config{}, ix)
		w.after(t, interval)
		w.set(Refused, "a")
		died := time.Now()
		w.after(t, interval+time.Second, "a")
		_, when := w.isDown()
		probed := w.seen()["a"]
		if n := len(probed); !when.Equal(probed[n-1]) || probed[n-1].Sub(probed[n-2]) != time.Second {
			t.Errorf("published %v after the death, probes at %v", when.Sub(died), probed)
		}
		if s := w.State(ix); !s.Down(0, index.HTTP, index.V4) || s.Down(1, index.HTTP, index.V4) || s.Down(0, index.HTTP, index.V6) {
			t.Error("the state does not say what was published")
		}
		w.set(OK, "a")
		w.after(t, interval+interval/3)
		if _, when = w.isDown(); when.Sub(probed[len(probed)-1]) < interval/3 {
			t.Error("up after one success")
		}
		w.set(Refused, "a") // for one probe only
		for n := len(w.seen()["a"]); len(w.seen()["a"]) == n; {
			w.after(t, 100*time.Millisecond)
		}
		w.set(OK, "a")
		w.after(t, 2*interval)
	})
}

func TestRhythm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := names("m", 200)
		w := start(t, Config{}, compile(t, mirrors("DE", hosts...)...))
		w.after(t, interval/10)
		if n := w.kind().Targets; len(w.seen()) != n || n != 200 {
			t.Errorf("%d of %d hosts probed in the first tenth of the interval", len(w.seen()), n)
		}
		w.after(t, 10*interval-interval/10)
		for host, at := range w.seen() {
			if n := len(at); n < 10 || n > 12 {
				t.Errorf("%s probed %d times in 10 intervals", host, n)
			}
			for i := range at[2:] {
				if gap := at[i+2].Sub(at[i+1]); gap != interval {
					t.Errorf("%s: %v between probes %d and %d", host, gap, i+1, i+2)
				}
			}
		}
	})
}

func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Config{Concurrency: 8}, compile(t, mirrors("DE", names("m", 100)...)...))
		w.slow(3 * time.Second)
		w.after(t, 2*interval)
		w.mu.Lock()
		most := w.most
		w.mu.Unlock()
		if most != 8 {
			t.Errorf("%d probes at once, want 8", most)
		}
		if n := len(w.seen()); n != 100 {
			t.Errorf("%d hosts probed, want 100", n)
		}
		if n := w.Counters().Running; n != 8 {
			t.Errorf("%d running, want 8", n)
		}
	})
}

// TestCutOff: the machine loses its network and gets it back. One host was
// down before; in between nothing else is, and nothing flaps afterwards.
func TestCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := names("m", 20)
		w := start(t, Config{MaxDown: 1}, compile(t, mirrors("DE", hosts...)...))
		w.set(Refused, "m3")
		w.after(t, 4*interval, "m3")
		w.set(Timeout, hosts...)
		w.after(t, 2*interval, "m3")
		if k := w.kind(); !k.Abstaining || k.Failing != 20 || k.Down != 1 {
			t.Errorf("counters %+v", k)
		}
		w.after(t, 10*interval, "m3")
		w.set(OK, hosts...)
		w.set(Refused, "m3", "m4")
		for range 60 { // m4 goes down when probes count again, nothing else does
			time.Sleep(time.Second)
			synctest.Wait()
			down, _ := w.isDown()
			if !slices.Equal(down, []string{"m3"}) && !slices.Equal(down, []string{"m3", "m4"}) {
				t.Fatalf("down after the cut: %v", down)
			}
		}
		w.after(t, interval, "m3", "m4")
		if k := w.kind(); k.Abstaining {
			t.Errorf("counters %+v", k)
		}
	})
}

// TestCutOffSlowly: so many timeouts that it takes far more than the intervals
// until all hosts have failed. What went down at first is taken back all the same.
func TestCutOffSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := names("m", 200)
		w := start(t, Config{MaxDown: 1, Concurrency: 4}, compile(t, mirrors("DE", hosts...)...))
		w.after(t, interval)
		w.set(Timeout, hosts...)
		w.slow(3 * time.Second)
		began := time.Now()
		for !w.kind().Abstaining {
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if took := time.Since(began); took < 4*interval {
			t.Errorf("abstained after %v: too soon for this test", took)
		}
		w.after(t, 0)
	})
}

// TestAbstentionEnds: at fewer failures than it takes to begin one.
func TestAbstentionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := names("m", 10)
		w := start(t, Config{MaxDown: 1}, compile(t, mirrors("DE", hosts...)...))
		w.after(t, interval)
		w.set(Refused, hosts[:8]...)
		w.after(t, 2*interval, hosts[:8]...)
		if w.kind().Abstaining {
			t.Error("abstains at 8 of 10")
		}
		w.after(t, 2*interval, hosts[:8]...)
		w.set(Refused, hosts[8])
		w.after(t, 2*interval, hosts[:8]...) // these went down too long ago
		w.set(OK, hosts[8])
		w.after(t, 2*interval, hosts[:8]...)
		if !w.kind().Abstaining {
			t.Error("does not abstain at 8 of 10 after 9")
		}
		w.set(OK, hosts[7])
		w.after(t, 2*interval, hosts[:7]...)
		if w.kind().Abstaining {
			t.Error("abstains at 7 of 10")
		}
	})
}

func TestNoRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Config{}, compile(t, mirrors("DE", "a", "b")...))
		w.set(NoRoute, "a", "b")
		w.after(t, 3*interval)
		if k := w.kind(); !k.Abstaining || k.Failing != 2 {
			t.Errorf("counters %+v", k)
		}
		w.set(OK, "b") // so it was a's fault
		w.after(t, 2*interval, "a")
		w.set(Local, "a", "b") // says nothing
		w.after(t, 4*interval, "a")
		w.set(OK, "a", "b")
		w.after(t, 2*interval)
		w.set(Refused, "a", "b") // two hosts are too few to doubt oneself
		w.after(t, 2*interval, "a", "b")
	})
}

func TestCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := append(mirrors("DE", names("de", 8)...), mirrors("FR", "fr0", "fr1", "fr2")...)
		hosts = append(hosts, mirrors("JP", "jp0", "jp1", "jp2")...)
		w := start(t, Config{}, compile(t, hosts...))
		w.after(t, interval)
		w.set(Refused, "jp0", "jp1") // too few hosts for a cap
		w.set(Refused, "de0", "de1")
		w.after(t, 2*interval, "de0", "de1", "jp0", "jp1")
		w.set(Refused, "de2", "de3")
		w.after(t, 2*interval, "de0", "de1", "de2", "de3", "jp0", "jp1")
		w.set(Refused, "de4", "fr0") // the country is full, the continent (11 hosts) is not
		w.after(t, 2*interval, "de0", "de1", "de2", "de3", "fr0", "jp0", "jp1")
		w.set(Refused, "fr1") // now that is full too
		w.after(t, 2*interval, "de0", "de1", "de2", "de3", "fr0", "jp0", "jp1")
		if k := w.kind(); k.Capped != 2 || k.Down != 7 || k.Failing != 9 || k.Abstaining {
			t.Errorf("counters %+v", k)
		}
		kept := 0
		for _, s := range w.Statuses() {
			if s.Kept {
				kept++
			}
		}
		if kept != 2 {
			t.Errorf("%d kept up, want 2", kept)
		}
		w.set(OK, "de1") // makes room for the one that failed first
		w.after(t, 2*interval, "de0", "de2", "de3", "de4", "fr0", "jp0", "jp1")
	})
}

func TestUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Config{}, compile(t, mirrors("DE", "a", "b", "c")...))
		w.set(Refused, "a", "b", "d")
		w.set(OK, "c")
		w.after(t, 2*interval, "a", "b")
		w.slow(time.Second)
		next := compile(t, mirrors("DE", "c", "b", "d")...)
		w.Update(next)
		w.after(t, 0, "b")
		if s := w.State(next); !s.Down(1, index.HTTP, index.V4) || s.Down(0, index.HTTP, index.V4) || s.Down(2, index.HTTP, index.V4) {
			t.Error("the state of the next index does not go by names")
		}
		w.after(t, interval, "b", "d")
		w.Update(compile(t))
		w.after(t, 0)
		if n := len(w.Statuses()); n != 0 {
			t.Errorf("%d targets are left", n)
		}
		before := w.Counters()
		w.after(t, 2*interval)
		if after := w.Counters(); after.Probes() > before.Probes()+uint64(before.Running) {
			t.Error("what is gone is still probed")
		}
	})
}

// TestUnknown: what cannot be known to be down is not.
func TestUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := mirrors("DE", "inside", "seen", "a", "b")
		hosts[0].private, hosts[1].private = true, true
		w := start(t, Config{}, compile(t, hosts...))
		w.set(Timeout, "inside")
		w.set(NoAddress, "a")
		w.after(t, interval)
		if k := w.kind(); k.Targets != 3 || k.Failing != 0 {
			t.Errorf("counters %+v", k)
		}
		w.set(Timeout, "seen")
		w.after(t, 2*interval, "seen")
		w.set(Refused, "a")
		w.after(t, 2*interval, "a", "seen")
		w.set(NoAddress, "a")
		w.after(t, interval, "seen")
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Config{Fall: 1}, compile(t, mirrors("DE", "a")...))
		w.slow(3 * time.Second)
		w.set(Timeout, "a")
		for len(w.seen()) == 0 {
			w.after(t, 10*time.Millisecond)
		}
		before := time.Now()
		w.stop()
		synctest.Wait()
		select {
		case err := <-w.over:
			w.over <- err
		default:
			t.Error("Run goes on")
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.running != 0 || !time.Now().Equal(before) || len(w.down) != 0 {
			t.Errorf("%d probes left after %v, down %v", w.running, time.Since(before), w.down)
		}
	})
}

func TestProberStatuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Config{}, compile(t, mirrors("DE", "b", "a")...))
		began := time.Now()
		w.set(Missing, "a")
		w.after(t, interval-time.Millisecond, "a")
		got := w.Statuses()
		if got[0].Since.Equal(began) {
			t.Error("down since the start")
		}
		got[0].Since, got[1].Since = time.Time{}, time.Time{}
		want := []Status{
			{Target: newName("a"), URL: "http://a.test/os/", Down: true, Failing: true, Result: Result{Verdict: Missing, Detail: "fake"}},
			{Target: newName("b"), URL: "http://b.test/os/", Result: Result{Verdict: OK}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		count := w.Counters()
		if count.Results[Missing] < 2 || count.Probes() != count.Results[Missing]+count.Results[OK] {
			t.Errorf("counters %+v", count)
		}
	})
}

// TestCapAlwaysHolds runs hosts that fail at random in areas of all sizes, and
// checks at every moment what the configuration promises.
func TestCapAlwaysHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		in := map[string]string{}
		var hosts []mirror
		for country, n := range map[string]int{"DE": 9, "FR": 4, "JP": 3, "US": 1, "": 5} {
			for _, name := range names("m"+strings.ToLower(country), n) {
				in[name] = country
				hosts = append(hosts, mirrors(country, name)...)
			}
		}
		w := start(t, Config{MaxDown: 0.4, Rise: 1, Fall: 1}, compile(t, hosts...))
		limit := map[string]int{"DE": 3, "FR": 1, "": 2, "EU": 5, "elsewhere": 2}
		for range 300 {
			w.set([]Verdict{OK, OK, Refused}[random.IntN(3)], hosts[random.IntN(len(hosts))].name)
			time.Sleep(time.Duration(random.IntN(20)) * time.Second)
			synctest.Wait()
			published, _ := w.isDown()
			down := map[string]int{}
			for _, name := range published {
				down[in[name]]++
			}
			down["EU"] = down["DE"] + down["FR"]
			down["elsewhere"] = down[""] + down["US"]
			for area, n := range down {
				if most, ok := limit[area]; ok && n > most {
					t.Fatalf("%d hosts down in %q, want at most %d: %v", n, area, most, published)
				}
			}
			if k := w.kind(); k.Down != len(published) {
				t.Fatalf("%d down by the counters, published %v", k.Down, published)
			}
		}
	})
}
