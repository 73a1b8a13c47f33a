package cluster

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/waypost/waypost/edge/cluster/vote"
)

// A network is the library, once the sockets are open.
type network struct {
	why atomic.Pointer[string] // it is not open, as the last attempt said; nil: it is, or nobody has tried

	mu        sync.Mutex    // held while it opens or closes, which takes seconds; guards what follows
	opened    chan struct{} // closed once list, transport and sink are set, which are then read without mu
	list      *memberlist.Memberlist
	transport *transport
	sink      *sink
	closed    bool // for good
}

// Open opens the sockets, if it has not done so, so that others can be joined.
// Until then the edge is a cluster of its own. If it fails, it may be called again.
func (c *Cluster) Open() error {
	n := &c.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.list != nil || n.closed {
		return nil
	}
	if err := c.listen(); err != nil {
		err = fmt.Errorf("listening for the cluster on %s: %w", c.Config.Listen, err)
		why := err.Error()
		n.why.Store(&why)
		return err
	}
	n.why.Store(nil)
	close(n.opened)
	return nil
}

// listen starts the library. The caller holds the mutex of the network.
func (c *Cluster) listen() (err error) {
	settings, n := c.Config.memberlist(), &c.network
	n.sink = &sink{
		name: c.Name, log: c.Log, refusals: &c.refusals, noUDP: func(member string) { c.hearsUDP(member, false) },
	}
	settings.Name, settings.Logger, settings.Keyring = c.Name, n.sink.logger(), c.keys.ring
	if n.transport, err = newTransport(&c.Config, c.keys, n.sink); err != nil {
		return err
	}
	if c.Config.Listen.Port() == 0 { // in tests
		settings.BindPort = n.transport.GetAutoBindPort()
		settings.AdvertisePort = settings.BindPort
	}
	d := &delegate{c}
	settings.Transport, settings.Delegate, settings.Events, settings.Conflict = n.transport, d, d, d
	if n.list, err = memberlist.Create(settings); err != nil {
		_ = n.transport.Shutdown()
	}
	return err
}

// addSelf has this edge be a member before the library says so.
func (c *Cluster) addSelf() {
	c.members[c.Name] = &member{
		name: c.Name, address: c.Config.Advertise, meta: c.meta, alive: true, since: time.Now(), format: vote.Format,
	}
	c.alive.Store(1)
	signal(c.moved)
}

// IsOpen reports whether the sockets are open.
func (c *Cluster) IsOpen() bool {
	select {
	case <-c.network.opened:
		return true
	default:
		return false
	}
}

// transport returns the network with its counters; one that has counted nothing
// while it is not open.
func (c *Cluster) transport() *transport {
	if c.IsOpen() {
		return c.network.transport
	}
	return new(transport)
}

// whyClosed returns why the sockets are not open; "" if they are, or nobody has tried.
func (c *Cluster) whyClosed() string {
	if why := c.network.why.Load(); why != nil {
		return *why
	}
	return ""
}

// Close leaves, as [Cluster.Run] does at its end; it is for those who do not run it.
// It takes up to three seconds. Once it has left, Close does nothing.
func (c *Cluster) Close() error {
	n := &c.network
	n.mu.Lock()
	defer n.mu.Unlock()
	done := n.closed || n.list == nil
	if n.closed = true; done {
		return nil
	}
	var err error
	if !c.silent.Load() {
		c.mu.Lock()
		c.meta.Leaving = true // so that nobody takes it for a loss
		c.mu.Unlock()
		_ = n.list.UpdateNode(tellWithin)
		err = n.list.Leave(leaveWithin)
		if err != nil && strings.Contains(err.Error(), "timeout") {
			err = nil // it was sent, if not to all; they will notice
		}
	}
	err = errors.Join(err, n.list.Shutdown())
	n.sink.close()
	return err
}
