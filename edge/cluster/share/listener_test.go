package share

import (
	"net/netip"
	"testing"
)

func TestNetworkOf(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7":            "192.0.2.7/32",
		"::ffff:192.0.2.7":     "192.0.2.7/32",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0":         "fe80::/64",
	} {
		if got := networkOf(netip.MustParseAddr(in)); got.String() != want {
			t.Errorf("%s is of %s, want %s", in, got, want)
		}
	}
}

// from returns a connection from an address that is not there.
func (l *limited) from(address string) *connection {
	return &connection{of: l, from: networkOf(netip.MustParseAddr(address))}
}

func newLimited() *limited { return &limited{counters: &counters{}, of: map[netip.Prefix]int{}} }

// Strangers make room for one another: where most are of, the oldest goes.
func TestStrangersMakeRoom(t *testing.T) {
	l := newLimited()
	first, peer := l.from("2001:db8::1"), l.from("192.0.2.1")
	l.enter(first)
	l.enter(peer)
	second := l.from("2001:db8::2")
	for _, c := range []*connection{second, l.from("192.0.2.1")} {
		if l.enter(c) != nil {
			t.Fatal("somebody had to go while there was room")
		}
	}
	for len(l.strangers) < maxStrangers {
		l.enter(l.from("2001:db8::ffff:1"))
	}
	for i, want := range []*connection{first, second} {
		if got := l.enter(l.from("198.51.100.1")); got != want {
			t.Errorf("%d: %v had to go, want %v", i, got, want)
		}
	}
	if !l.admit(peer) || l.open != 1 || len(l.strangers) != maxStrangers-1 {
		t.Errorf("%d peers, %d strangers", l.open, len(l.strangers))
	}
	for range 2 * maxStrangers {
		if l.enter(l.from("2001:db8::3")) == peer {
			t.Fatal("a peer had to go")
		}
	}
}

// Peers have a limit for all and one for each network, and give their places back
// once.
func TestAdmit(t *testing.T) {
	l := newLimited()
	var open []*connection
	admit := func(address string) bool {
		c := l.from(address)
		l.enter(c)
		room := l.admit(c)
		if room {
			open = append(open, c)
		}
		return room && l.admit(c)
	}
	for range maxOfNetwork {
		if !admit("2001:db8::1") {
			t.Fatal("there is no room")
		}
	}
	if admit("2001:db8::2") {
		t.Error("one /64 has more than its part")
	}
	for i := range maxConnections - maxOfNetwork {
		if !admit(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String()) {
			t.Fatal("there is no room")
		}
	}
	if admit("192.0.2.1") {
		t.Error("there are more than there may be")
	}
	for range 2 {
		for _, c := range open {
			l.leave(c)
		}
	}
	if l.open != 0 || len(l.of) != 0 || len(l.strangers) != 0 || !admit("2001:db8::2") {
		t.Errorf("%d of %v are left, and %d strangers", l.open, l.of, len(l.strangers))
	}
}
