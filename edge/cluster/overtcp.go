package cluster

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"
)

// Where a firewall lets TCP through and not UDP, members stay alive, for the
// library asks over TCP in the end whether they are; but gossip does not reach
// them, and what they know is as old as the last exchange of all that is known.
// So what is urgent is told to them over TCP, and operators are told of them.

const (
	overTCPEvery = 200 * time.Millisecond // as gossip
	overTCPTo    = 8                      // members to which an edge passes news on, in a cluster where no UDP goes
	overTCPOpen  = 32                     // streams at a time; what is beyond comes from others, or is compared
	overTCPBytes = 64 << 10               // of a message
	udpAgain     = 30 * time.Second       // between packets that look whether UDP goes now
	udpTries     = 16                     // of them at a time
)

// pass has others told of a bulletin: by gossip, and of what is urgent also over
// TCP, where some hear nothing else.
func (c *Cluster) pass(b *bulletin) {
	c.queue.add(b)
	if c.overTCP.Load() > 0 {
		c.direct.add(&bulletin{urgent: b.urgent, drains: b.drains})
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
	tell, again := time.NewTicker(overTCPEvery), time.NewTicker(udpAgain)
	defer tell.Stop()
	defer again.Stop()
	open := make(chan struct{}, overTCPOpen)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tell.C:
			for message := c.direct.take(overTCPBytes); message != nil; message = c.direct.take(overTCPBytes) {
				c.sendOverTCP(message, open)
			}
		case <-again.C:
			c.tryUDP()
		}
	}
}

// sendOverTCP sends a message to some members, as long as open has room.
func (c *Cluster) sendOverTCP(message []byte, open chan struct{}) {
	for _, to := range c.reachedOverTCP(overTCPTo) {
		select {
		case open <- struct{}{}:
		default:
			return
		}
		go func() {
			defer func() { <-open }()
			if err := c.network.list.SendReliable(to, message); err == nil {
				c.counters.told.Add(1)
			}
		}()
	}
}

// tryUDP has members that did not answer over UDP asked once more. It waits for
// no answer.
func (c *Cluster) tryUDP() {
	for _, m := range c.reachedOverTCP(udpTries) {
		ip, _ := netip.AddrFromSlice(m.Addr)
		go func() {
			if _, err := c.network.list.Ping(m.Name, net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, m.Port))); err == nil {
				c.hearsUDP(m.Name, true)
			}
		}()
	}
}
