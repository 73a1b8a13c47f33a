package door

import (
	"math/rand/v2"
	"net"
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

// A nobody is a connection from an address that is not there.
type nobody struct {
	net.Conn

	from   netip.Addr
	closed int
}

func (n *nobody) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(n.from, 1))
}

func (n *nobody) Close() error {
	n.closed++
	return nil
}

func from(address string) *nobody { return &nobody{from: netip.MustParseAddr(address)} }

// Strangers make room for one another: where most are of, the oldest goes.
func TestStrangersMakeRoom(t *testing.T) {
	const most = 16
	d := New(Limits{Strangers: most, Known: 8, OfNetwork: 8})
	first, second, member := from("2001:db8::1"), from("2001:db8::2"), from("192.0.2.1")
	d.Enter(first)
	admitted := d.Enter(member)
	d.Enter(second)
	for range most - 3 {
		d.Enter(from("2001:db8::ffff:1"))
	}
	if d.Busy() != 0 {
		t.Fatal("somebody had to go while there was room")
	}
	for i, want := range []*nobody{first, second} {
		d.Enter(from("198.51.100.1"))
		if want.closed != 1 || d.Busy() != uint64(i+1) {
			t.Errorf("%d: closed %d times, %d had to go", i, want.closed, d.Busy())
		}
	}
	if !admitted.Admit() || d.known != 1 || len(d.strangers) != most-1 {
		t.Errorf("%d known, %d strangers", d.known, len(d.strangers))
	}
	for range 2 * most {
		d.Enter(from("2001:db8::3"))
	}
	if member.closed != 0 {
		t.Error("a member had to go")
	}
	d.CloseStrangers()
	if member.closed != 0 || len(d.strangers) != 0 || d.known != 1 {
		t.Errorf("at the end %d strangers, %d known", len(d.strangers), d.known)
	}
}

// The known have a limit for all and one for each network, and give their places
// back once.
func TestAdmit(t *testing.T) {
	limits := Limits{Strangers: 4, Known: 12, OfNetwork: 8}
	d := New(limits)
	var open []*Conn
	admit := func(address string) bool {
		n := from(address)
		c := d.Enter(n)
		if !c.Admit() {
			return n.closed != 1
		}
		open = append(open, c)
		return c.Admit()
	}
	for range limits.OfNetwork {
		if !admit("2001:db8::1") {
			t.Fatal("there is no room")
		}
	}
	if admit("2001:db8::2") {
		t.Error("one /64 has more than its part")
	}
	for i := range limits.Known - limits.OfNetwork {
		if !admit(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String()) {
			t.Fatal("there is no room")
		}
	}
	if admit("192.0.2.1") || d.Busy() != 2 || d.Admitted() != uint64(limits.Known) {
		t.Errorf("%d are admitted, %d had to go", d.Admitted(), d.Busy())
	}
	for range 2 {
		for _, c := range open {
			_ = c.Close()
		}
	}
	if d.known != 0 || len(d.of) != 0 || len(d.strangers) != 0 || !admit("2001:db8::2") {
		t.Errorf("%d of %v are left, and %d strangers", d.known, d.of, len(d.strangers))
	}
}

// TestRandom compares a door with a slow one: whatever happens in whatever order, no
// limit is passed, those who have to go are strangers, and at the end nobody is left.
func TestRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	limits := Limits{Strangers: 5, Known: 7, OfNetwork: 3}
	d := New(limits)
	known := map[*Conn]bool{} // those that are open, and whether they are admitted
	count := func(want func(c *Conn, admitted bool) bool) (n int) {
		for c, admitted := range known {
			if want(c, admitted) {
				n++
			}
		}
		return n
	}
	all := []*Conn{d.Enter(from("192.0.2.1"))}
	known[all[0]] = false
	for range 20_000 {
		switch random.IntN(3) {
		case 0:
			c := d.Enter(from("192.0.2." + string(rune('1'+random.IntN(4)))))
			all, known[c] = append(all, c), false
			for other, admitted := range known {
				if isClosed(other) {
					if admitted || other == c {
						t.Fatal("the wrong one had to go")
					}
					delete(known, other)
				}
			}
		case 1:
			c := all[random.IntN(len(all))]
			admitted, open := known[c]
			room := count(func(_ *Conn, admitted bool) bool { return admitted }) < limits.Known &&
				count(func(other *Conn, admitted bool) bool { return admitted && other.from == c.from }) < limits.OfNetwork
			if got, want := c.Admit(), admitted || !open || room; got != want {
				t.Fatalf("admitted is %v, want %v", got, want)
			}
			if open && !admitted {
				if known[c] = true; !room {
					delete(known, c)
				}
			}
		case 2:
			c := all[random.IntN(len(all))]
			_ = c.Close()
			delete(known, c)
		}
		if strangers := count(func(_ *Conn, admitted bool) bool { return !admitted }); strangers > limits.Strangers || strangers != len(d.strangers) {
			t.Fatalf("%d strangers, counted %d", strangers, len(d.strangers))
		}
	}
	for c := range known {
		_ = c.Close()
	}
	if d.known != 0 || len(d.of) != 0 || len(d.strangers) != 0 || d.Admitted() == 0 || d.Busy() == 0 {
		t.Errorf("%d of %v are left, and %d strangers", d.known, d.of, len(d.strangers))
	}
}

func isClosed(c *Conn) bool {
	n, _ := c.Conn.(*nobody)
	return n.closed > 0
}
