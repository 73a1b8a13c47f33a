package cluster

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/waypost/waypost/edge/cluster/door"
)

// Limits of the streams that others open. Those who show no key take no more
// memory than this many goroutines that wait for a greeting.
const (
	maxStrangers = 128             // that have shown no key yet
	maxStreams   = 256             // that have; the library takes half as many exchanges at a time
	showWithin   = 5 * time.Second // a key
)

// A transport is the network, with counters of what is sent over it. The library
// gets streams only from those who have shown a key.
type transport struct {
	*memberlist.NetTransport

	sink      *sink
	handshake handshake
	door      *door.Door
	known     chan net.Conn // that have shown a key
	work      sync.WaitGroup
	once      sync.Once
	closed    chan struct{}

	packets, packetBytes atomic.Uint64
	streams, streamBytes atomic.Uint64
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

// newTransport listens.
func newTransport(c *Config, keys *keyring, s *sink) (*transport, error) {
	sockets, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{
		BindAddrs: []string{c.Listen.Addr().String()}, BindPort: int(c.Listen.Port()), Logger: s.logger(),
	})
	if err != nil {
		return nil, err
	}
	t := &transport{
		NetTransport: sockets, sink: s, handshake: handshake{keys: keys, label: c.Label}, known: make(chan net.Conn), closed: make(chan struct{}),
		door: newDoor(),
	}
	t.work.Go(t.accept)
	return t, nil
}

// newDoor returns the door for streams. Members may all be of one network.
func newDoor() *door.Door {
	return door.New(door.Limits{Strangers: maxStrangers, Known: maxStreams, OfNetwork: maxStreams})
}

// busy returns how many streams were closed because there were too many.
func (t *transport) busy() uint64 {
	if t.door == nil { // it does not listen
		return 0
	}
	return t.door.Busy()
}

// StreamCh returns the streams of those who have shown a key.
func (t *transport) StreamCh() <-chan net.Conn { return t.known }

// accept has everybody shown in who comes, until the transport is shut down.
func (t *transport) accept() {
	for {
		select {
		case conn := <-t.NetTransport.StreamCh():
			stranger := t.door.Enter(conn)
			t.work.Go(func() { t.welcome(stranger) })
		case <-t.closed:
			t.door.CloseStrangers()
			return
		}
	}
}

// welcome passes a stranger on that shows a key. All others are refused.
func (t *transport) welcome(c *door.Conn) {
	_ = c.SetDeadline(time.Now().Add(showWithin))
	reason, err := t.handshake.listen(c)
	if err != nil {
		_ = c.Close()
		if reason != "" && !errors.Is(err, net.ErrClosed) { // not one that made room for another
			t.sink.refuse(reason, c.RemoteAddr().String(), err.Error())
		}
		return
	}
	if !c.Admit() {
		return
	}
	select {
	case t.known <- c:
	case <-t.closed:
		_ = c.Close()
	}
}

// Shutdown ends it. It is called once and more.
func (t *transport) Shutdown() error {
	t.work.Go(t.drain)               // its packets, too, which nobody takes if the library did not start
	err := t.NetTransport.Shutdown() // as long as it takes, somebody has to take its connections
	t.once.Do(func() { close(t.closed) })
	t.work.Wait()
	return err
}

// drain drops packets, until the transport is shut down.
func (t *transport) drain() {
	for {
		select {
		case <-t.PacketCh():
		case <-t.closed:
			return
		}
	}
}

// WriteToAddress sends a packet.
func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	t.packets.Add(1)
	t.packetBytes.Add(uint64(len(b)))
	return t.NetTransport.WriteToAddress(b, a)
}

// DialAddressTimeout opens a stream, to an edge that shows a key. All that is
// done with the stream has to end within the timeout, unless the library gives
// it another one.
func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	until, _ := ctx.Deadline()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", a.Addr)
	if err != nil {
		return nil, err
	}
	t.streams.Add(1)
	counted := &countedConn{conn, &t.streamBytes}
	_ = conn.SetDeadline(until)
	if err := t.handshake.dial(counted); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return counted, nil
}

// A countedConn is a stream whose bytes are counted in both directions.
type countedConn struct {
	net.Conn

	bytes *atomic.Uint64
}

// Read reads.
func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.bytes.Add(uint64(n))
	return n, err
}

// Write writes.
func (c *countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.bytes.Add(uint64(n))
	return n, err
}
