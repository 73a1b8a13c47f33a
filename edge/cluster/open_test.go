package cluster

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/cluster/vote"
)

// TestWithoutNetwork: an edge whose port is in use decides by what it sees itself,
// takes orders, and says what is wrong. Once the port is free, it is a member by
// an edge that the process before could reach, and hears what others see.
func TestWithoutNetwork(t *testing.T) {
	other := start(t, "other", Config{})
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() //nolint:errcheck // it may be
	e := &edge{t: t, done: make(chan error, 1)}
	e.Cluster, err = New(Options{
		Config: Config{Listen: taken.Addr().(*net.TCPAddr).AddrPort(), Region: "here", Timings: "lan"}, Name: "e", Program: "test",
		Prober: e, Fall: 2, MaxDown: 1, Decided: e.decided,
		Known: []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::1]:7946"), other.Address()}, // the first of no use to it
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	e.stop = stop
	t.Cleanup(e.end)
	if err = e.Open(); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("opened: %v", err)
	}
	go func() { e.done <- e.Run(ctx) }()
	e.SetHosts(hosts("h1", "h2", "h3"))
	e.saw(vote.Good)
	eventually(t, "it probes alone", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.turns == "0 1 true"
	})
	e.saw(vote.Failing)
	eventually(t, "h1 is down", func() bool { return e.isDown("h1") })
	e.saw(vote.Good)
	eventually(t, "h1 is up", func() bool { return !e.isDown("h1") })
	if err = e.Drain("h2", false, time.Hour, false); err != nil {
		t.Error(err)
	}
	e.SetMeta(Meta{Snapshot: 7})
	s := e.Status()
	if len(s.Members) != 1 || !s.Members[0].Self || !s.Members[0].Alive || s.Members[0].Region != "here" || s.Members[0].Snapshot != 7 {
		t.Errorf("members: %+v", s.Members)
	}
	if !strings.Contains(s.Closed, "listening for the cluster on 127.0.0.1:") || e.IsOpen() || e.Counters().Packets > 0 {
		t.Errorf("status: %+v", s)
	}
	other.saw(vote.Failing)
	_ = taken.Close()
	if err = e.Open(); err != nil || !e.IsOpen() || e.Status().Closed != "" {
		t.Fatalf("opened: %v, %+v", err, e.Status())
	}
	if err = e.Open(); err != nil {
		t.Errorf("opened again: %v", err)
	}
	both := []*edge{e, other}
	eventually(t, "both are members", all(both, func(e *edge) bool { return e.sees(2) }))
	eventually(t, "the other one hears of the order", func() bool { return len(other.Drains()) == 1 })
	e.saw(vote.Failing)
	eventually(t, "h1 is down", all(both, func(e *edge) bool { return e.isDown("h1") }))
	if at := e.Reachable(); len(at) != 1 || at[0] != other.Address() {
		t.Errorf("reachable: %v", at)
	}
}

// TestReachable: until there are others, the next process is told what this one was.
func TestReachable(t *testing.T) {
	known := []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:7946")}
	c, err := New(Options{Config: Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")}, Name: "e", Known: known})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // it was never open
	if got := c.Reachable(); len(got) != 1 || got[0] != known[0] {
		t.Errorf("got %v", got)
	}
	for i := range byte(10) {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, i}), 7946)
		c.members[at.String()] = &member{name: at.String(), address: at, alive: i != 3, meta: Meta{Leaving: i == 4}}
	}
	got := c.Reachable()
	for _, at := range got {
		if a := at.Addr().As4(); a[3] == 3 || a[3] == 4 {
			t.Errorf("%v is gone, or will be", at)
		}
	}
	if len(got) != maxReachable {
		t.Errorf("%d of them", len(got))
	}
}

// TestClosedBeforeOpen: nothing is opened once an edge has ended.
func TestClosedBeforeOpen(t *testing.T) {
	c, err := New(Options{Config: Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")}, Name: "e"})
	if err != nil {
		t.Fatal(err)
	}
	if err = c.Close(); err != nil {
		t.Error(err)
	}
	if err = c.Open(); err != nil || c.IsOpen() {
		t.Errorf("it is open: %v", err)
	}
}

// TestLeaving: how the cluster is can be asked while the edge leaves, which takes
// seconds; and one that has left can be closed again.
func TestLeaving(t *testing.T) {
	e := start(t, "e", Config{})
	e.network.mu.Lock() // as Close does meanwhile
	if s := e.Status(); s.Closed != "" || len(s.Members) != 1 {
		t.Errorf("%+v", s)
	}
	e.network.mu.Unlock()
	e.end()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// TestMoved: an edge that leaves with a word is a member at another address at once,
// and nobody takes it for another edge.
func TestMoved(t *testing.T) {
	a := start(t, "a", Config{})
	b := start(t, "b", Config{}, a)
	both := func(e *edge) func() bool { return func() bool { return e.sees(2) } }
	eventually(t, "both are members", both(a))
	from := b.Address()
	b.end()
	eventually(t, "b has left", func() bool { return a.sees(1) })
	b = start(t, "b", Config{}, a)
	eventually(t, "b is there again", both(a))
	if b.Address() == from || a.Counters().Conflicts+b.Counters().Conflicts > 0 {
		t.Errorf("from %v to %v: %+v", from, b.Address(), a.Counters())
	}
}
