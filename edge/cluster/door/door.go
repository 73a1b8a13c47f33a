// Package door limits the connections to a port that only those who have a key
// should use, and that anybody may reach.
//
//	accept ─► Enter: a stranger ─► it shows a key ─► Admit: known ─► Close
//	             └─► the oldest of the network that has most strangers goes
//
// Strangers do not count among those who are known, and make room for one
// another: who fills the port with connections shuts out nobody but himself,
// unless he has as many networks as there may be strangers, and uses them all
// while a member says its first words.
package door

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
)

// Limits are how many connections may be open at a time. None is zero.
type Limits struct {
	Strangers int // that have shown no key yet
	Known     int // that have
	OfNetwork int // of these, from one address of IPv4 or one /64 of IPv6
}

// A Door counts the connections to a port. Its methods are safe for any number
// of goroutines.
type Door struct {
	limits Limits

	admitted, busy atomic.Uint64

	mu        sync.Mutex
	strangers []*Conn              // guarded by mu; the oldest first
	known     int                  // guarded by mu
	of        map[netip.Prefix]int // guarded by mu; of the known, by where they came from
}

// New returns a door through which nobody has come.
func New(l Limits) *Door { return &Door{limits: l, of: map[netip.Prefix]int{}} }

// Admitted returns how many connections were admitted, ever.
func (d *Door) Admitted() uint64 { return d.admitted.Load() }

// Busy returns how many connections were closed, ever, because there were too
// many.
func (d *Door) Busy() uint64 { return d.busy.Load() }

// Enter takes in a connection as that of a stranger. Where there are too many of
// them, the oldest of the network that has most is closed. It costs a look at all
// strangers then.
func (d *Door) Enter(c net.Conn) *Conn {
	at, _ := c.RemoteAddr().(*net.TCPAddr)
	fresh := &Conn{Conn: c, of: d, from: networkOf(at.AddrPort().Addr())}
	if oldest := d.enter(fresh); oldest != nil {
		d.busy.Add(1)
		_ = oldest.Close()
	}
	return fresh
}

// networkOf returns what one host may have all addresses of.
func networkOf(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	p, _ := a.Prefix(min(a.BitLen(), 64))
	return p
}

// enter counts a stranger, and returns the one that has to go for it.
func (d *Door) enter(c *Conn) (oldest *Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.strangers) >= d.limits.Strangers {
		of, most := map[netip.Prefix]int{}, 0
		for _, s := range d.strangers {
			of[s.from]++
			most = max(most, of[s.from])
		}
		i := slices.IndexFunc(d.strangers, func(s *Conn) bool { return of[s.from] == most })
		oldest = d.strangers[i]
		d.strangers = slices.Delete(d.strangers, i, i+1)
	}
	d.strangers = append(d.strangers, c)
	return oldest
}

// CloseStrangers closes the connections of all strangers.
func (d *Door) CloseStrangers() {
	d.mu.Lock()
	all := slices.Clone(d.strangers)
	d.mu.Unlock()
	for _, c := range all {
		_ = c.Close()
	}
}

// A Conn is a connection that came through a [Door]. It gives its place back when
// it is closed.
type Conn struct {
	net.Conn

	of       *Door
	from     netip.Prefix
	admitted bool // guarded by of.mu
}

// Admit counts a connection among the known: its other side has shown a key. It
// reports whether there is room; if not, the connection is closed. Further calls
// change nothing.
func (c *Conn) Admit() bool {
	if c.of.admit(c) {
		return true
	}
	c.of.busy.Add(1)
	_ = c.Close()
	return false
}

func (d *Door) admit(c *Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.Index(d.strangers, c)
	if i < 0 {
		return true // it was admitted before, or is closed
	}
	d.strangers = slices.Delete(d.strangers, i, i+1)
	if d.known >= d.limits.Known || d.of[c.from] >= d.limits.OfNetwork {
		return false
	}
	d.known++
	d.of[c.from]++
	c.admitted = true
	d.admitted.Add(1)
	return true
}

// Close closes the connection.
func (c *Conn) Close() error {
	c.of.leave(c)
	return c.Conn.Close()
}

// leave counts a connection no more.
func (d *Door) leave(c *Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := slices.Index(d.strangers, c); i >= 0 {
		d.strangers = slices.Delete(d.strangers, i, i+1)
	}
	if !c.admitted {
		return
	}
	c.admitted = false
	d.known--
	if d.of[c.from]--; d.of[c.from] == 0 {
		delete(d.of, c.from)
	}
}
