package probe

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
)

// A hole is a network in which some kinds are dropped without an answer, and a
// host may refuse. It notes when probes began.
type hole struct {
	dropped [health.Kinds]bool
	takes   time.Duration // a probe of another kind

	mu      sync.Mutex
	dead    health.Target
	began   map[health.Target][]time.Time
	running int
	most    int
}

func (h *hole) probe(ctx context.Context, p plan, f index.Family) Result {
	of := health.Target{Host: p.url.Hostname(), Scheme: index.SchemeOf(p.url.String()), Family: f}
	h.mu.Lock()
	h.began[of] = append(h.began[of], time.Now())
	h.running++
	h.most = max(h.most, h.running)
	dead := h.dead == of
	h.mu.Unlock()
	r, takes := Result{Verdict: OK}, h.takes
	switch {
	case h.dropped[of.Kind()]:
		r.Verdict, takes = Timeout, 3*time.Second
	case dead:
		r.Verdict = Refused
	}
	select {
	case <-time.After(takes):
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running--
	return r
}

// kill makes one target refuse from now on.
func (h *hole) kill(of health.Target) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dead = of
}

// since returns when probes of a target began after a time.
func (h *hole) since(of health.Target, at time.Time) []time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.began[of]), func(b time.Time) bool { return b.Before(at) })
}

// dualStack returns hosts of all four kinds.
func dualStack(n int) []mirror {
	all := make([]mirror, n)
	for i := range all {
		name := fmt.Sprint("m", i)
		all[i] = mirror{name: name, country: "DE", urls: []string{"http://" + name + "/os", "https://" + name + "/os"}, addresses: []string{"192.0.2.1", "2001:db8::1"}}
	}
	return all
}

// in runs a prober in the hole.
func (h *hole) in(t *testing.T, c Config, hosts int) *Prober {
	t.Helper()
	h.began = map[health.Target][]time.Time{}
	p := newProber(c.WithDefaults(), h.probe)
	p.Update(compile(t, dualStack(hosts)...))
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- p.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	return p
}

// TestBlackhole: one family of 1,000 hosts gets no answer. By default all turns
// come in time all the same, of both families, and who refuses is looked at
// again after a second and down then.
func TestBlackhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hole{dropped: [health.Kinds]bool{false, false, true, true}, takes: 200 * time.Millisecond}
		var mu sync.Mutex
		down := map[string]time.Time{}
		p := h.in(t, Config{Publish: func(targets []health.Target) {
			mu.Lock()
			defer mu.Unlock()
			for _, of := range targets {
				down[of.Host+" "+of.Kind().String()] = time.Now()
			}
		}}, 1000)
		time.Sleep(2 * interval)
		dead := health.KindOf(index.HTTPS, index.V4).Of("m7")
		h.kill(dead)
		began := time.Now()
		for range 10 {
			time.Sleep(interval / 5)
			for _, k := range p.Counters().Kinds {
				if k.Late > 0 || k.Abstaining != (k.Family == index.V6) {
					t.Errorf("%+v", k)
				}
			}
		}
		for k := range health.Kind(health.Kinds) {
			for i := range 1000 {
				of := k.Of(fmt.Sprint("m", i))
				if at := h.since(of, began); of != dead && (len(at) != 2 || at[1].Sub(at[0]) != interval) {
					t.Fatalf("%v: probes at %v", of, at)
				}
			}
		}
		at := h.since(dead, began)
		if gap := at[1].Sub(at[0]); gap != time.Second+h.takes {
			t.Errorf("followed up after %v", gap)
		}
		mu.Lock()
		defer mu.Unlock()
		if got := down["m7 https over ipv4"]; got.Sub(at[1]) != h.takes {
			t.Errorf("down at %v, probed at %v", got, at)
		}
		t.Logf("%d probes at once", h.most)
	})
}

// TestSecondLooks: turns are late, since too few probes may run at once, and yet
// who fails is followed up after a second, and who fails elsewhere is looked at.
func TestSecondLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hole{takes: 2900 * time.Millisecond}
		p := h.in(t, Config{Concurrency: 2}, 500)
		of := health.KindOf(index.HTTP, index.V6).Of("m7")
		time.Sleep(10 * interval)
		if late := p.Counters().Kinds[of.Kind()].Late; late < interval {
			t.Fatalf("late by %v: too little for this test", late)
		}
		for len(h.since(of, time.Time{})) == 0 {
			time.Sleep(time.Second)
		}
		time.Sleep(h.takes)
		asked := time.Now()
		p.Look(of)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(h.since(of, asked)) != 1 {
			t.Error("not looked at within a second")
		}
		h.kill(of)
		killed := time.Now().Add(h.takes)
		for len(h.since(of, killed)) < 2 {
			time.Sleep(time.Second)
		}
		at := h.since(of, killed)
		if gap := at[1].Sub(at[0]); gap != time.Second+h.takes {
			t.Errorf("followed up after %v", gap)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.most > 2*lanes*health.Kinds {
			t.Errorf("%d probes at once", h.most)
		}
	})
}

// TestAtOnce: what it takes to keep the interval, twice, as far as there is room.
func TestAtOnce(t *testing.T) {
	for _, x := range []struct {
		config  Config
		targets int
		open    int // descriptors
		want    int
	}{
		{Config{}, 0, 1 << 20, 16},
		{Config{}, 80, 1 << 20, 16},
		{Config{}, 1000, 1 << 20, 200},
		{Config{}, 1000, 1024, 32},
		{Config{}, 1000, 256, 16},
		{Config{Interval: time.Minute, Timeout: time.Minute}, 1000, 1 << 20, 2000},
		{Config{Interval: time.Minute, Timeout: time.Minute}, 1000, 32000, 1000},
		{Config{Interval: time.Minute, Timeout: time.Minute}, 10_000, 1 << 20, 4096},
		{Config{Concurrency: 7}, 1000, 1 << 20, 7},
		{Config{Concurrency: 70}, 1000, 1024, 70},
	} {
		p := newProber(x.config.WithDefaults(), nil)
		p.room = roomIn(x.open)
		p.kinds[2].targets = x.targets
		if got := p.atOnce(2); got != x.want {
			t.Errorf("%d targets by %+v: %d, want %d", x.targets, x.config, got, x.want)
		}
	}
}

// TestDescriptors: a prober has room for what the process may open.
func TestDescriptors(t *testing.T) {
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if n := descriptors(); n < 1 || p.room != roomIn(n) {
		t.Errorf("room for %d with %d descriptors", p.room, n)
	}
}

// TestThoroughEven: in each interval as many probes are thorough, from the first
// one on, and those of several observers of a target are apart.
func TestThoroughEven(t *testing.T) {
	hosts := names("m", 2000)
	brief := map[int]int{}
	apart := [5]int{}
	for turn := range apart {
		p := newProber(Config{}.WithDefaults(), nil)
		p.Assign(func(string) (int, int, bool) { return turn, len(apart), true })
		p.Update(compile(t, mirrors("DE", hosts...)...))
		for _, of := range p.targets {
			brief[of.brief]++
		}
		apart[turn] = p.targets[newName("m0")].brief
	}
	every := (&plan{file: file{dir: true}}).every()
	want := len(apart) * len(hosts) / every
	for n := range every {
		if got := brief[n]; got < want*8/10 || got > want*12/10 {
			t.Errorf("%d targets begin with %d, want %d", got, n, want)
		}
	}
	slices.Sort(apart[:])
	for i := range apart[1:] {
		if gap := apart[i+1] - apart[i]; gap != every/len(apart) {
			t.Errorf("observers are thorough at %v", apart)
		}
	}
}

// TestLanes moves targets at random, and compares with a plain list who is next.
func TestLanes(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	p := newProber(Config{}.WithDefaults(), nil)
	p.Update(compile(t, dualStack(20)...))
	all := p.targets
	running := map[*target]bool{}
	now := time.Now()
	for range 20_000 {
		of := all[health.Kind(random.IntN(health.Kinds)).Of(fmt.Sprint("m", random.IntN(20)))]
		switch {
		case running[of]: // its probe ends
			of.lane.running--
			delete(running, of)
			fallthrough
		case random.IntN(2) == 0:
			p.wait(of, now.Add(time.Duration(random.IntN(100))), random.IntN(lanes))
		case of.at >= 0 && random.IntN(2) == 0:
			of.hasten(of.due.Add(-time.Duration(random.IntN(100))))
		default:
			p.take(of)
			running[of] = true
		}
		for k := range p.lanes {
			for i := range p.lanes[k] {
				compareLane(t, &p.lanes[k][i], health.Kind(k), all, running)
			}
		}
	}
}

func compareLane(t *testing.T, l *lane, k health.Kind, all map[health.Target]*target, running map[*target]bool) {
	t.Helper()
	waiting, probes := 0, 0
	first := time.Time{}
	for _, of := range all {
		switch {
		case of.lane != l:
			continue
		case of.kind() != k:
			t.Fatalf("%v is in a lane of %v", of.name, k)
		case running[of]:
			probes++
			continue
		}
		waiting++
		if first.IsZero() || of.due.Before(first) {
			first = of.due
		}
	}
	if waiting != len(l.waiting) || probes != l.running || waiting > 0 && !l.waiting[0].due.Equal(first) {
		t.Fatalf("%d wait and %d run, want %d and %d", len(l.waiting), l.running, waiting, probes)
	}
}
