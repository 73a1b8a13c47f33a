package bgp

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
)

// BMP messages have a header of 6 bytes: version, length, type; most go on with
// a header of 42 bytes that says which of the router's peers they are about
// (RFC 7854 section 4).
const (
	bmpVersion    = 3
	bmpHeader     = 6
	bmpPeerHeader = 42
	maxBMP        = 1 << 20 // bytes; a route has at most 64 KiB
)

// Types of BMP messages.
const (
	bmpRoutes      = 0
	bmpStatistics  = 1
	bmpPeerDown    = 2
	bmpPeerUp      = 3
	bmpInitiation  = 4
	bmpTermination = 5
	bmpMirroring   = 6
)

// Types and flags of peers (RFC 7854 section 4.2, RFC 8671, RFC 9069).
const (
	bmpGlobal      = 0
	bmpLocRIB      = 3
	bmpIPv6        = 0x80
	bmpPostPolicy  = 0x40
	bmpTwoByteASNs = 0x20
	bmpRIBOut      = 0x10
)

// A bmpView is one of the tables that a router shows: that of a peer before or
// after its policy, or the router's own. Views are sorted by preference.
type bmpView struct {
	router netip.Addr
	rank   byte // 0: the router's own table, 1: after policy, 2: before
	peer   netip.Addr
}

// compare orders views by preference: the table that a router goes by itself
// says best where a client is.
func (v bmpView) compare(w bmpView) int {
	if v.rank != w.rank {
		return int(v.rank) - int(w.rank)
	}
	if c := v.router.Compare(w.router); c != 0 {
		return c
	}
	return v.peer.Compare(w.peer)
}

// A bmpMessage is a message of which we need something.
type bmpMessage struct {
	kind byte
	view bmpView // without the router
	as   uint32  // the peer's
	as2  bool    // paths have 2-byte ASNs
	rest []byte  // after the peer's header
	skip bool    // of another kind of table: a VPN's, or what the router sends
}

// readBMP reads one message into buf, which grows as needed and is returned.
// The error is one after which nothing more can be read.
func readBMP(r io.Reader, buf []byte) (m bmpMessage, _ []byte, err error) {
	var head [bmpHeader]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return m, buf, err
	}
	n := int(binary.BigEndian.Uint32(head[1:]))
	if head[0] != bmpVersion || n < bmpHeader || n > maxBMP {
		return m, buf, fmt.Errorf("want BMP version 3, got version %d and a message of %d bytes", head[0], n)
	}
	if n -= bmpHeader; cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err = io.ReadFull(r, buf); err != nil {
		return m, buf, fmt.Errorf("a message of %d bytes: %w", n, err)
	}
	m, err = parseBMP(head[5], buf)
	return m, buf, err
}

// parseBMP reads the body of a message.
func parseBMP(kind byte, b []byte) (m bmpMessage, err error) {
	m.kind = kind
	switch kind {
	case bmpRoutes, bmpPeerDown, bmpPeerUp:
	case bmpStatistics, bmpInitiation, bmpTermination, bmpMirroring:
		return m, nil
	default: // RFC 7854 section 4.1: of a later version
		return m, nil
	}
	if len(b) < bmpPeerHeader {
		return m, fmt.Errorf("a BMP message of type %d has %d bytes after its header, want at least %d", kind, len(b), bmpPeerHeader)
	}
	of, flags := b[0], b[1]
	m.as, m.rest = binary.BigEndian.Uint32(b[26:]), b[bmpPeerHeader:]
	switch {
	case of == bmpLocRIB:
		m.view.peer = netip.IPv6Unspecified()
		m.skip = binary.BigEndian.Uint64(b[2:]) != 0 // of a VPN
		return m, nil
	case of != bmpGlobal || flags&bmpRIBOut != 0:
		m.skip = true
		return m, nil
	}
	m.as2 = flags&bmpTwoByteASNs != 0
	m.view.rank = 2
	if flags&bmpPostPolicy != 0 {
		m.view.rank = 1
	}
	if flags&bmpIPv6 != 0 {
		m.view.peer = netip.AddrFrom16([16]byte(b[10:26]))
	} else {
		m.view.peer = netip.AddrFrom4([4]byte(b[22:26]))
	}
	return m, nil
}

// update returns the body of the UPDATE message that a route monitoring message
// holds (RFC 7854 section 4.6).
func (m *bmpMessage) update() ([]byte, error) {
	b := m.rest
	if len(b) < headerLen || int(binary.BigEndian.Uint16(b[16:])) != len(b) || b[18] != msgUpdate {
		return nil, fmt.Errorf("want an UPDATE message of BGP, got %d bytes that are none", len(b))
	}
	return b[headerLen:], nil
}
