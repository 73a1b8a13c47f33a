package cluster

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

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
		e.tryUDP()
	}
	eventually(t, "all answer over UDP", all(edges, func(e *edge) bool { return e.Counters().OverTCP == 0 }))
}
