package cluster

import (
	"log"
	"net"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// A transport is the network, with counters of what is sent over it.
type transport struct {
	*memberlist.NetTransport

	packets, packetBytes atomic.Uint64
	streams, streamBytes atomic.Uint64
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

// newTransport listens.
func newTransport(c *Config, l *log.Logger) (*transport, error) {
	t, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{
		BindAddrs: []string{c.Listen.Addr().String()}, BindPort: int(c.Listen.Port()), Logger: l,
	})
	return &transport{NetTransport: t}, err
}

// WriteToAddress sends a packet.
func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	t.packets.Add(1)
	t.packetBytes.Add(uint64(len(b)))
	return t.NetTransport.WriteToAddress(b, a)
}

// WriteTo sends a packet.
func (t *transport) WriteTo(b []byte, address string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: address})
}

// DialAddressTimeout opens a stream.
func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	conn, err := t.NetTransport.DialAddressTimeout(a, timeout)
	if err != nil {
		return nil, err
	}
	t.streams.Add(1)
	return &countedConn{conn, &t.streamBytes}, nil
}

// DialTimeout opens a stream.
func (t *transport) DialTimeout(address string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: address}, timeout)
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
