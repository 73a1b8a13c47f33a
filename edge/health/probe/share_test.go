package probe

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
)

// teller keeps what a prober told last, of each host.
type teller struct {
	mu       sync.Mutex
	states   map[string]vote.State
	abstains [health.Kinds]bool
}

func (l *teller) tell(seen []vote.Seen, abstains [health.Kinds]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.abstains = abstains
	for _, s := range seen {
		l.states[s.Target.Host] = s.Sight.State
	}
}

// of returns the hosts that are in a state.
func (l *teller) of(s vote.State) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var hosts []string
	for host, state := range l.states {
		if state == s {
			hosts = append(hosts, host)
		}
	}
	slices.Sort(hosts)
	return hosts
}

// sharing runs a prober that tells.
func sharing(t *testing.T, hosts ...string) (*world, *teller) {
	t.Helper()
	l := &teller{states: map[string]vote.State{}}
	return start(t, Config{Tell: l.tell}, compile(t, mirrors("DE", hosts...)...)), l
}

// until waits at most so long, and returns how long it took.
func until(t *testing.T, limit time.Duration, so func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for synctest.Wait(); !so(); synctest.Wait() {
		if time.Since(began) > limit {
			t.Fatalf("not within %v", limit)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}

func TestTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l := sharing(t, "a", "b", "c", "d", "e")
		w.after(t, interval)
		if diff := cmp.Diff([]string{"a", "b", "c", "d", "e"}, l.of(vote.Good)); diff != "" {
			t.Error(diff)
		}
		w.set(Refused, "a", "b")
		until(t, interval, func() bool { return len(l.of(vote.Doubtful)) > 0 })
		w.after(t, interval) // it publishes nothing
		if got := l.of(vote.Failing); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("failing: %v", got)
		}
		w.set(OK, "a")
		w.set(Local, "c") // says nothing
		w.after(t, 2*interval)
		if got := l.of(vote.Good); !slices.Equal(got, []string{"a", "c", "d", "e"}) {
			t.Errorf("good: %v", got)
		}
		w.Update(compile(t, mirrors("DE", "a")...))
		synctest.Wait()
		if got := l.of(vote.Unseen); !slices.Equal(got, []string{"b", "c", "d", "e"}) {
			t.Errorf("unseen: %v", got)
		}
	})
}

// TestTellsNothing: what this edge cannot judge, and what is not there, is told as that.
func TestTellsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &teller{states: map[string]vote.State{}}
		hosts := mirrors("DE", "inside", "seen", "a", "b")
		hosts[0].private, hosts[1].private = true, true
		w := start(t, Config{Tell: l.tell}, compile(t, hosts...))
		w.set(Timeout, "inside")
		w.set(NoAddress, "a")
		w.after(t, interval)
		for s, want := range map[vote.State][]string{vote.Blind: {"inside"}, vote.Absent: {"a"}, vote.Good: {"b", "seen"}} {
			if diff := cmp.Diff(want, l.of(s)); diff != "" {
				t.Errorf("%v: %s", s, diff)
			}
		}
		w.set(Timeout, "seen")
		w.after(t, 2*interval)
		if diff := cmp.Diff([]string{"seen"}, l.of(vote.Failing)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestLook: a failure that others have seen has this prober look within a
// second, and where others confirm its own, one failure is enough.
func TestLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l := sharing(t, "a", "b", "c", "d")
		w.after(t, 2*interval)
		w.set(Timeout, "a")
		if n := len(l.of(vote.Doubtful)); n > 0 {
			t.Fatal("too soon for this test")
		}
		w.Look(newName("a"))
		w.Look(newName("x"))
		took := until(t, time.Second, func() bool { return len(l.of(vote.Doubtful)) == 1 })
		w.Confirm(newName("a"))
		w.Confirm(newName("b"))
		synctest.Wait()
		if diff := cmp.Diff([]string{"a"}, l.of(vote.Failing)); diff != "" {
			t.Error(diff)
		}
		before := len(w.seen()["a"])
		w.Look(newName("a")) // it knows
		w.after(t, 2*time.Second)
		if n := len(w.seen()["a"]); n > before+1 {
			t.Errorf("probed %d times more", n-before)
		}
		t.Log("looked after", took)
	})
}

// TestTurns: the observers of a host come evenly, and only they come.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := names("m", 40)
		var edges []*world
		for turn := range 5 {
			w, _ := sharing(t, all...)
			w.Assign(func(host string) (int, int, bool) { return turn, 5, host != fmt.Sprint("m", turn) })
			edges = append(edges, w)
		}
		time.Sleep(2 * interval)
		began := time.Now()
		time.Sleep(3 * interval)
		for _, host := range all {
			var probes []time.Time
			for turn, w := range edges {
				at := slices.DeleteFunc(slices.Clone(w.seen()[host]), func(at time.Time) bool { return at.Before(began) })
				if mine := host != fmt.Sprint("m", turn); mine != (len(at) > 0) {
					t.Errorf("edge %d probes %s %d times", turn, host, len(at))
				}
				probes = append(probes, at...)
			}
			slices.SortFunc(probes, time.Time.Compare)
			if len(probes) < 12 || slices.Contains(all[:5], host) {
				continue
			}
			for i := range probes[1:] {
				if gap := probes[i+1].Sub(probes[i]); gap < interval/5-time.Millisecond || gap > interval/5+time.Millisecond {
					t.Fatalf("%s is probed after %v", host, gap)
				}
			}
		}
	})
}

// TestDoubt: all is probed anew at once, and until then the prober abstains.
func TestDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := names("m", 20)
		w, l := sharing(t, hosts...)
		w.after(t, 2*interval)
		abstains := func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.abstains[0]
		}
		before := maps.Clone(w.seen())
		w.Doubt()
		synctest.Wait()
		if !abstains() {
			t.Error("does not abstain")
		}
		until(t, interval/10, func() bool { return !abstains() })
		for _, host := range hosts {
			if len(w.seen()[host]) == len(before[host]) {
				t.Errorf("%s was not probed", host)
			}
		}
		w.set(NoRoute, hosts...)
		w.Doubt()
		w.after(t, 4*interval)
		if !abstains() || len(l.of(vote.Failing)) > 0 {
			t.Errorf("cut off, it has %v failing", l.of(vote.Failing))
		}
		w.set(OK, hosts...)
		w.after(t, interval)
		if abstains() {
			t.Error("it abstains for ever")
		}
	})
}

// TestDoubtLane: who waits for a second look, since it failed here or elsewhere,
// goes on to do so, sooner.
func TestDoubtLane(t *testing.T) {
	p := newProber(Config{}.WithDefaults(), nil)
	p.Update(compile(t, mirrors("DE", "a", "b")...))
	for i, host := range []string{"a", "b"} {
		at := p.targets[newName(host)]
		p.wait(at, time.Now().Add(time.Hour), i)
		p.Doubt()
		if at.lane != &p.lanes[at.kind()][i] || time.Until(at.due) > interval/10 {
			t.Errorf("%s waits in another lane, or until %v", host, at.due)
		}
	}
}

func TestHosts(t *testing.T) {
	ix := compile(t, mirrors("DE", "b", "a")...)
	w := newProber(Config{}.WithDefaults(), nil)
	w.Assign(func(string) (int, int, bool) { return 0, 1, false })
	w.Update(ix)
	want := []string{"a", "b"}
	for _, hosts := range [][]vote.Host{w.Hosts(), Hosts(ix)} {
		var got []string
		for _, h := range hosts {
			if h.Kinds == [health.Kinds]bool{true} && string(h.Country[:]) == "DE" {
				got = append(got, h.Name)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if len(w.targets) != 0 {
		t.Error("it probes what others do")
	}
}

// TestUnable: who lacks an address of the family abstains from it.
func TestUnable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l := sharing(t, "a", "b")
		w.set(Local, "a", "b")
		abstains := func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.abstains[0]
		}
		w.set(OK, "a")
		w.after(t, 2*interval)
		if abstains() || len(l.of(vote.Good)) != 1 {
			t.Errorf("abstains %v, good %v", abstains(), l.of(vote.Good))
		}
		w.set(NoAddress, "a") // nobody can reach it: it is not down
		w.after(t, 2*interval)
		if !abstains() || len(l.of(vote.Absent)) != 1 {
			t.Errorf("abstains %v, absent %v", abstains(), l.of(vote.Absent))
		}
	})
}
