package cluster

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/memberlist"

	"github.com/waypost/waypost/edge/cluster/vote"
)

// A relay is an address by which an edge is reached over TCP, and over UDP once it
// is opened for that.
type relay struct {
	t    *testing.T
	at   netip.AddrPort
	edge netip.AddrPort
	work sync.WaitGroup
}

// newRelay makes the relay to an edge that is to listen at an address of its own, at
// the port of the relay.
func newRelay(t *testing.T, edge string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{t: t, at: netip.MustParseAddrPort(l.Addr().String())}
	r.edge = netip.AddrPortFrom(netip.MustParseAddr(edge), r.at.Port())
	r.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.work.Go(func() { r.stream(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		r.work.Wait()
	})
	return r
}

// stream passes on what comes over a connection, both ways.
func (r *relay) stream(c net.Conn) {
	there, err := net.Dial("tcp", r.edge.String())
	if err != nil {
		_ = c.Close()
		return
	}
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{c: there, there: c} {
		both.Go(func() {
			_, _ = io.Copy(to, from)
			_ = to.(*net.TCPConn).CloseWrite()
		})
	}
	both.Wait()
	_, _ = c.Close(), there.Close()
}

// openUDP has the relay pass packets on from now on.
func (r *relay) openUDP() {
	r.t.Helper()
	l, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(r.at))
	if err != nil {
		r.t.Fatal(err)
	}
	r.work.Go(func() {
		packet := make([]byte, 64<<10)
		for {
			n, _, err := l.ReadFromUDPAddrPort(packet)
			if err != nil {
				return
			}
			_, _ = l.WriteToUDPAddrPort(packet[:n], r.edge)
		}
	})
	r.t.Cleanup(func() { _ = l.Close() })
}

// TestOverTCP has a firewall let through TCP only: members are told of what is
// urgent all the same, operators are told of the firewall, and once it is opened
// all is as ever.
func TestOverTCP(t *testing.T) {
	key := keyFile(t, GenerateKey())
	var relays []*relay
	var edges []*edge
	for i, name := range []string{"a", "b", "c"} {
		r := newRelay(t, "127.0.77."+string(rune('1'+i)))
		relays = append(relays, r)
		c := Config{KeyFiles: []string{key}, Listen: r.edge, Advertise: r.at}
		for _, other := range relays[:i] {
			c.Join = append(c.Join, other.at.String())
		}
		edges = append(edges, start(t, name, c))
	}
	eventually(t, "all are members", all(edges, func(e *edge) bool { return e.sees(3) }))
	eventually(t, "all know that no UDP goes", all(edges, func(e *edge) bool { return e.Counters().OverTCP == 2 }))
	for _, m := range edges[0].Members() {
		if m.OverTCP == m.Self || !m.Alive {
			t.Errorf("%+v", m)
		}
	}
	for _, e := range edges {
		e.saw(vote.Good)
	}
	for _, e := range edges[:2] {
		e.saw(vote.Failing)
	}
	eventually(t, "h1 is down", all(edges, func(e *edge) bool { return e.isDown("h1") }))
	if n := edges[2].Counters(); n.Heard == 0 {
		t.Errorf("it was not told, but has compared: %+v", n)
	}
	for _, r := range relays {
		r.openUDP()
	}
	for _, e := range edges {
		e.tryUDP(1)
	}
	eventually(t, "all answer over UDP", all(edges, func(e *edge) bool { return e.Counters().OverTCP == 0 }))
}

// TestPassOnOverTCP: of what all edges have heard, about as many as ever tell each
// member that gossip does not reach, however many members there are of either kind.
func TestPassOnOverTCP(t *testing.T) {
	const news = 20000
	for _, x := range []struct {
		alive, overTCP int32
		want           float64 // by each edge, of so many pieces
	}{
		{1000, 0, 0},
		{1, 0, 0},
		{2, 1, news},
		{8, 2, news},
		{1000, 1, news * overTCPTo / 1000},
		{1000, overTCPTo, news * overTCPTo / 1000},
		{1000, 500, news / 2},
		{1000, 999, news * 999 / 1000},
	} {
		c := &Cluster{queue: newQueue(func() int { return 8 }), direct: newQueue(func() int { return 1 })}
		c.alive.Store(x.alive)
		c.overTCP.Store(x.overTCP)
		for i := range uint64(news) {
			c.passOn(&bulletin{urgent: []vote.Report{said(fmt.Sprint(i), 1, vote.Failing)}})
		}
		if got := c.direct.len(); math.Abs(float64(got)-x.want) > 6*math.Sqrt(x.want) || c.queue.len() != news {
			t.Errorf("%d of %d over TCP: %d are told over TCP, want about %v; %d by gossip", x.overTCP, x.alive, got, x.want, c.queue.len())
		}
		own := c.direct.len()
		c.pass(&bulletin{urgent: []vote.Report{said("own", 1, vote.Failing)}})
		if told := c.direct.len() > own; told != (x.overTCP > 0) {
			t.Errorf("%d of %d over TCP: told what this edge sees: %v", x.overTCP, x.alive, told)
		}
	}
}

// TestStreams: a member that does not answer has one stream, and others are told
// meanwhile, each in order. Once its stream has failed, it is told what comes then.
func TestStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		got, opened := map[string]string{}, map[string]int{}
		answers := make(chan error)
		s := streams{waiting: map[string][][]byte{}, send: func(to *memberlist.Node, message []byte) error {
			mu.Lock()
			opened[to.Name]++
			mu.Unlock()
			if to.Name == "silent" {
				if err := <-answers; err != nil {
					return err
				}
			}
			mu.Lock()
			defer mu.Unlock()
			got[to.Name] += string(message)
			return nil
		}}
		silent, other := &memberlist.Node{Name: "silent"}, &memberlist.Node{Name: "other"}
		for i := range 3 * overTCPOpen {
			s.tell(silent, []byte("s"))
			s.tell(other, []byte{byte('a' + i%26)})
			synctest.Wait()
		}
		if len(got["other"]) != 3*overTCPOpen || got["other"][:4] != "abcd" || opened["silent"] != 1 || len(s.waiting["silent"]) != overTCPWaits {
			t.Errorf("%v told, %v opened, %d wait", got, opened, len(s.waiting["silent"]))
		}
		answers <- errors.New("timeout")
		synctest.Wait()
		if len(s.waiting) != 0 || opened["silent"] != 1 {
			t.Errorf("after it failed, %v opened, %v wait", opened, s.waiting)
		}
		for _, text := range []string{"x", "y", "z"} {
			s.tell(silent, []byte(text))
		}
		for range 3 {
			answers <- nil
		}
		synctest.Wait()
		if diff := cmp.Diff("xyz", got["silent"]); diff != "" || len(s.waiting) != 0 {
			t.Error(diff)
		}
		s.send = func(*memberlist.Node, []byte) error { return <-answers }
		for i := range overTCPOpen + 3 {
			s.tell(&memberlist.Node{Name: fmt.Sprint(i)}, []byte("s"))
		}
		synctest.Wait()
		if len(s.waiting) != overTCPOpen {
			t.Errorf("%d streams are open", len(s.waiting))
		}
		close(answers)
	})
}
