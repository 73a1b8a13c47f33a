package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/geo"
)

// An edge is a cluster's member in a test, on loopback. It is its own prober.
type edge struct {
	*Cluster

	t    *testing.T
	stop context.CancelFunc
	done chan error

	mu        sync.Mutex
	down      string
	turns     string
	looked    []health.Target
	confirmed []health.Target
	doubts    int
	retold    int
}

func (e *edge) Assign(of func(string) (int, int, bool)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	turn, turns, mine := of("h1")
	e.turns = fmt.Sprint(turn, turns, mine)
}

func (e *edge) Look(t health.Target) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.looked = append(e.looked, t)
}

func (e *edge) Confirm(t health.Target) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.confirmed = append(e.confirmed, t)
}

func (e *edge) Retell() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.retold++
}

func (e *edge) hasRetold() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.retold > 0
}

func (e *edge) Doubt() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.doubts++
}

// start starts an edge; join are those that it joins.
func start(t *testing.T, name string, c Config, join ...*edge) *edge {
	t.Helper()
	e := &edge{t: t, done: make(chan error, 1)}
	if !c.Listen.IsValid() {
		c.Listen = netip.MustParseAddrPort("127.0.0.1:0")
	}
	c.Timings = "lan"
	for _, other := range join {
		c.Join = append(c.Join, other.Address().String())
	}
	var err error
	e.Cluster, err = New(Options{Config: c, Name: name, Program: "test", Prober: e, Fall: 2, MaxDown: 0.5, Decided: e.decided})
	if err == nil {
		err = e.Open()
	}
	if err != nil {
		t.Fatal(err)
	}
	e.SetHosts(hosts("h1", "h2", "h3"))
	ctx, stop := context.WithCancel(t.Context())
	e.stop = stop
	go func() { e.done <- e.Run(ctx) }()
	t.Cleanup(e.end)
	return e
}

// end ends the edge, once.
func (e *edge) end() {
	e.stop()
	if err, ok := <-e.done; ok {
		close(e.done)
		if err != nil {
			e.t.Error(err)
		}
	}
}

func hosts(names ...string) (all []vote.Host) {
	for _, name := range names {
		all = append(all, vote.Host{Name: name, Kinds: [health.Kinds]bool{true, true}, Country: geo.Country{'D', 'E'}})
	}
	return all
}

func (e *edge) decided(d *vote.Decision) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = fmt.Sprint(d.Down) + strings.Join(d.Drained, " ") + " "
}

// saw has the edge see http over IPv4 of h1 so.
func (e *edge) saw(s vote.State) {
	e.See([]vote.Seen{{Target: health.Kind(0).Of("h1"), Sight: vote.Sight{State: s, Verdict: 1, RoundTrip: 10}}}, [health.Kinds]bool{})
}

func (e *edge) isDown(host string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Contains(e.down, host+" ")
}

func (e *edge) sees(n int) bool { return int(e.alive.Load()) == n }

// eventually waits until what is so, at most a minute.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for !so() {
		select {
		case <-limit:
			t.Fatalf("waited a minute in vain: %s", what)
		case <-tick.C:
		}
	}
}

func all(edges []*edge, so func(*edge) bool) func() bool {
	return func() bool { return !slices.ContainsFunc(edges, func(e *edge) bool { return !so(e) }) }
}

// keyFile writes a key file.
func keyFile(t *testing.T, keys ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gossip.key")
	if err := os.WriteFile(path, []byte("# keys\n"+strings.Join(keys, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestVotes: three edges agree on a host, within about the time of gossip; one
// of them starts anew, in silence, and one drains.
func TestVotes(t *testing.T) {
	key := keyFile(t, GenerateKey())
	a := start(t, "a", Config{KeyFiles: []string{key}, Region: "north"})
	b := start(t, "b", Config{KeyFiles: []string{key}, Region: "south"}, a)
	c := start(t, "c", Config{KeyFiles: []string{key}}, a)
	edges := []*edge{a, b, c}
	eventually(t, "all are members", all(edges, func(e *edge) bool { return e.sees(3) }))
	eventually(t, "all have turns", all(edges, func(e *edge) bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.turns == fmt.Sprint(slices.Index(edges, e), 3, true)
	}))
	for _, e := range edges {
		e.saw(vote.Good)
	}
	a.saw(vote.Failing)
	eventually(t, "the others look", all(edges[1:], func(e *edge) bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return slices.Contains(e.looked, health.Kind(0).Of("h1"))
	}))
	if a.isDown("h1") {
		t.Error("one of three is a majority")
	}
	began := time.Now()
	b.saw(vote.Doubtful)
	eventually(t, "h1 is down", all(edges, func(e *edge) bool { return e.isDown("h1") }))
	t.Logf("all know after %v", time.Since(began))
	eventually(t, "b's doubt is confirmed", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return slices.Contains(b.confirmed, health.Kind(0).Of("h1"))
	})
	votes, err := c.Votes("h1")
	if err != nil || len(votes.Votes) != 3 || len(votes.Down) != 1 {
		t.Errorf("%+v, %v", votes, err)
	}

	if slices.ContainsFunc(edges, (*edge).hasRetold) {
		t.Error("they are to tell again what the others know")
	}
	at := b.Address() // b starts anew, and knows nothing of what it said
	b.Silence()
	b.end()
	b = start(t, "b", Config{KeyFiles: []string{key}, Region: "south", Listen: at}, a)
	edges[1] = b
	eventually(t, "b is back", all(edges, func(e *edge) bool { return e.sees(3) }))
	eventually(t, "b is to tell what it has inherited", b.hasRetold)
	b.saw(vote.Good)
	eventually(t, "the new b is believed", all(edges, func(e *edge) bool { return !e.isDown("h1") }))
	if n := a.Counters().Conflicts + c.Counters().Conflicts; n > 0 {
		t.Errorf("%d conflicts", n)
	}

	if err = c.Drain("h2", false, time.Minute, false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "h2 is drained", all(edges, func(e *edge) bool { return e.isDown("h2") }))
	if err = a.Undrain("h2", false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "h2 is back", all(edges, func(e *edge) bool { return !e.isDown("h2") }))
	if a.Drain("h1", false, 0, false) == nil || a.Drain("x", true, time.Hour, false) == nil || a.Undrain("h2", false) == nil {
		t.Error("what makes no sense is ordered")
	}

	c.SetMeta(Meta{Snapshot: 7, Data: time.Unix(1_800_000_000, 0), Leaving: true, Announce: []netip.Prefix{netip.MustParsePrefix("198.18.0.0/24")}})
	eventually(t, "a knows of c's data", func() bool {
		m := a.Members()
		return len(m) == 3 && m[2].Snapshot == 7 && m[2].Leaving && m[2].Announces(netip.MustParsePrefix("198.18.0.0/24")) &&
			!m[2].Announces(netip.MustParsePrefix("198.19.0.0/24")) && m[2].Data.Unix() == 1_800_000_000 && m[1].Region == "south"
	})
	c.end() // with a word
	eventually(t, "c has left", func() bool { return a.sees(2) && b.sees(2) })
}

// TestWrongKey: who has another key is refused, and counted.
func TestWrongKey(t *testing.T) {
	a := start(t, "a", Config{KeyFiles: []string{keyFile(t, GenerateKey())}})
	b := start(t, "b", Config{KeyFiles: []string{keyFile(t, GenerateKey())}}, a)
	none := start(t, "none", Config{}, a)
	other := start(t, "other", Config{KeyFiles: []string{keyFile(t, GenerateKey())}, Label: "other"}, a)
	eventually(t, "a counts refusals", func() bool { n := a.Counters(); return n.WrongKey >= 2 && n.WrongLabel > 0 })
	for _, e := range []*edge{a, b, none, other} {
		if !e.sees(1) {
			t.Errorf("%s has %d members", e.Name, e.alive.Load())
		}
	}
}

// TestRotation changes the key of a cluster that goes on meanwhile.
func TestRotation(t *testing.T) {
	old, fresh := GenerateKey(), GenerateKey()
	fileA, fileB := keyFile(t, old), keyFile(t, old)
	a := start(t, "a", Config{KeyFiles: []string{fileA}})
	b := start(t, "b", Config{KeyFiles: []string{fileB}}, a)
	eventually(t, "both are members", func() bool { return a.sees(2) && b.sees(2) })
	rewrite := func(file string, keys ...string) {
		t.Helper()
		later := time.Now().Add(time.Duration(len(keys)) * time.Hour) // another time than before, whatever the clock's steps
		written := os.WriteFile(file+".new", []byte(strings.Join(keys, "\n")), 0o600)
		if err := errors.Join(written, os.Chtimes(file+".new", later, later), os.Rename(file+".new", file)); err != nil {
			t.Fatal(err)
		}
	}
	rewrite(fileA, old, fresh)
	eventually(t, "a has both", func() bool { return len(a.Keys()) == 2 })
	id := a.keys.ids()[1]
	if err := a.UseKey(id, false); err == nil {
		t.Error("a key is used that b does not know")
	}
	rewrite(fileB, old, fresh)
	eventually(t, "each knows that the other has both", all([]*edge{a, b}, func(e *edge) bool {
		k := e.Keys()
		return len(k) == 2 && len(k[0].Accepts) == 2 && len(k[1].Accepts) == 2
	}))
	oldID := a.keys.ids()[0]
	for _, e := range []*edge{a, b} {
		if err := e.UseKey(id, false); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, e := range []*edge{a, b} {
				for _, m := range e.Members() {
					t.Logf("at %s: %s has %v; in the ring are %v", e.Name, m.Name, m.Keys, e.keys.ids())
				}
			}
		}
	})
	eventually(t, "all use it", func() bool { k := a.Keys(); return len(k[0].Uses) == 2 && k[0].ID == id })
	eventually(t, "b too knows", func() bool { k := b.Keys(); return len(k[0].Uses) == 2 })
	for _, e := range []*edge{a, b} {
		if err := e.RemoveKey(oldID, false); err != nil {
			t.Fatal(err)
		}
	}
	rewrite(fileA, "not a key")
	a.saw(vote.Failing)
	b.saw(vote.Failing)
	eventually(t, "they still talk", func() bool { return a.isDown("h1") && b.isDown("h1") })
	if a.RemoveKey(id, true) == nil {
		t.Error("the last key is removed")
	}
}

// TestSameName has a second edge with the name of another: it is refused, and
// the first one stays. When the first one has died, the name can move.
func TestSameName(t *testing.T) {
	a := start(t, "a", Config{})
	b := start(t, "b", Config{}, a)
	eventually(t, "both are members", func() bool { return a.sees(2) && b.sees(2) })
	at := b.Address()
	second := start(t, "b", Config{}, a)
	b.saw(vote.Good)
	second.saw(vote.Failing)
	eventually(t, "the conflict is counted", func() bool { return a.Counters().Conflicts > 0 })
	if m := a.Members(); len(m) != 2 || m[1].Address != at {
		t.Errorf("%+v", m)
	}
	before := a.Counters().Heard
	tick := time.NewTicker(2 * time.Second)
	<-tick.C
	tick.Stop()
	if n := a.Counters().Heard - before; n > 100 {
		t.Errorf("%d messages in 2 seconds: they shout", n)
	}
}
