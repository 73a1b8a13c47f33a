package cluster

import (
	"context"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// Where a firewall lets TCP through and not UDP, members stay alive, for the
// library asks over TCP in the end whether they are; but gossip does not reach
// them, and what they know is as old as the last exchange of all that is known.
// So what is urgent is told to them over TCP, and operators are told of them.

const (
	overTCPEvery = 200 * time.Millisecond // as gossip
	overTCPTo    = 8                      // members to which an edge tells what is urgent, and about as many tell it to each
	overTCPOpen  = 32                     // streams at a time; what is beyond comes from others, or is compared
	overTCPWaits = 8                      // messages behind a stream, likewise
	overTCPBytes = 64 << 10               // of a message
	udpAgain     = 30 * time.Second       // on average, between packets that look whether a member answers over UDP now
)

// pass has others told of what this edge says: by gossip, and of what is urgent
// also over TCP, where some hear nothing else.
func (c *Cluster) pass(b *bulletin) {
	c.queue.add(b)
	if c.overTCP.Load() > 0 {
		c.direct.add(&bulletin{urgent: b.urgent, drains: b.drains})
	}
}

// passOn has others told of what this edge has heard. All edges hear it, so not
// all tell it over TCP, lest a member that hears nothing else get a stream from
// each of them.
func (c *Cluster) passOn(b *bulletin) {
	if rand.N(max(c.alive.Load(), 1)) < max(c.overTCP.Load(), overTCPTo) { //nolint:gosec // no secret
		c.pass(b)
	} else {
		c.queue.add(b)
	}
}

// hearsUDP notes whether a member answers over UDP.
func (c *Cluster) hearsUDP(name string, hears bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.members[name]
	if m == nil || !m.alive || m.overTCP == !hears {
		return
	}
	m.overTCP = !hears
	c.countOverTCP()
	switch {
	case hears:
		c.Log.Info("cluster: an edge answers over UDP again", "name", m.name, "address", m.address)
	case c.refusals.pace.allows("no UDP "+m.name, 10*time.Minute):
		c.Log.Warn("cluster: an edge answers over TCP and not over UDP, open both: it hears late of what is not urgent", "name", m.name, "address", m.address)
	}
}

// countOverTCP counts whom gossip does not reach. The caller holds the mutex.
func (c *Cluster) countOverTCP() {
	n := int32(0)
	for _, m := range c.members {
		if m.alive && m.overTCP {
			n++
		}
	}
	c.overTCP.Store(n)
}

// reachedOverTCP returns some members that gossip does not reach, at most so many,
// others each time.
func (c *Cluster) reachedOverTCP(most int) (some []*memberlist.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		if m.alive && m.overTCP {
			some = append(some, &memberlist.Node{Name: m.name, Addr: m.address.Addr().AsSlice(), Port: m.address.Port()})
		}
	}
	rand.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] }) //nolint:gosec // no secret
	return some[:min(len(some), most)]
}

// tellOverTCP tells members that gossip does not reach what is urgent, and looks
// whether it does by now, until ctx ends. Streams that are open then end with
// their timeouts.
func (c *Cluster) tellOverTCP(ctx context.Context) {
	tell := time.NewTicker(overTCPEvery)
	defer tell.Stop()
	to := streams{send: c.sendOverTCP, waiting: map[string][][]byte{}}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tell.C:
		}
		for message := c.direct.take(overTCPBytes); message != nil; message = c.direct.take(overTCPBytes) {
			for _, m := range c.reachedOverTCP(overTCPTo) {
				to.tell(m, message)
			}
		}
		c.tryUDP(float64(overTCPEvery) / float64(udpAgain))
	}
}

// sendOverTCP sends a message to a member, within the library's timeout.
func (c *Cluster) sendOverTCP(m *memberlist.Node, message []byte) error {
	err := c.network.list.SendReliable(m, message)
	if err == nil {
		c.counters.told.Add(1)
	}
	return err
}

// tryUDP has each member that did not answer over UDP asked once more with a
// chance, so that the packets to many are spread over time. It waits for no answer.
func (c *Cluster) tryUDP(chance float64) {
	for _, m := range c.reachedOverTCP(math.MaxInt) {
		if rand.Float64() >= chance { //nolint:gosec // no secret
			continue
		}
		ip, _ := netip.AddrFromSlice(m.Addr)
		go func() {
			if _, err := c.network.list.Ping(m.Name, net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, m.Port))); err == nil {
				c.hearsUDP(m.Name, true)
			}
		}()
	}
}

// Streams send messages to members, one stream to each at a time: one that does
// not answer holds up nobody else. They are for any number of goroutines.
type streams struct {
	send func(to *memberlist.Node, message []byte) error

	mu      sync.Mutex
	waiting map[string][][]byte // guarded by mu; by members to which a stream is open, what comes after it
}

// tell sends a message once those before it are sent, and waits for none. It drops
// what is too much.
func (s *streams) tell(to *memberlist.Node, message []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	after, open := s.waiting[to.Name]
	switch {
	case open && len(after) < overTCPWaits:
		s.waiting[to.Name] = append(after, message)
	case !open && len(s.waiting) < overTCPOpen:
		s.waiting[to.Name] = nil
		go s.run(to, message)
	}
}

// run sends a message and those that wait for it, until none does or one fails:
// those behind it would fail, too.
func (s *streams) run(to *memberlist.Node, message []byte) {
	for message != nil {
		err := s.send(to, message)
		message = s.next(to.Name, err == nil)
	}
}

// next returns the next message to a member; nil, and its place is free, if there
// is none, or there are to be no more.
func (s *streams) next(name string, more bool) (message []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if after := s.waiting[name]; more && len(after) > 0 {
		message, s.waiting[name] = after[0], after[1:]
		return message
	}
	delete(s.waiting, name)
	return nil
}
