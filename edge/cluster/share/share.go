// Package share lets edges get published snapshots from one another, so that a
// hundred edges do not cost the control plane a hundred downloads.
//
//	control plane ──► two edges ──► the first edge of each region ──► edges of the region
//	                   (leaders)       a tree, three children each       trees, likewise
//
// Each edge tells by gossip which version it has. When the control plane
// publishes, all edges hear of it at once (source.Remote asks for no more than
// the ETag). Edges are ranked by a hash of their names and the manifest, so
// that it is others each time: the first two get it from the control plane, and
// every other edge from one that ranks before it, as it comes in there. So no
// edge sends a snapshot more than six times, and one copy goes to each region.
// An edge that was away asks in the same way those that have it all. Where
// peers are of no help, the control plane is asked after some seconds; what is on
// its way to them is waited for as long as a slow control plane may take to send
// it: all edges together would only slow it down. Where it is away, peers suffice,
// for snapshots are signed.
//
// # Between edges
//
// HTTP/1.1 over TLS 1.3 at a port of its own:
//
//	GET /v1/manifest                    the manifest in use
//	GET /v1/manifest/SHA256?wait=TIME   the manifest of that hash
//	GET /v1/sections/SHA256?wait=TIME   the section
//
// What is not there is answered with 404, and with 503 if it is on its way. With
// wait, such as 10s, an answer comes as soon as there is one, and no later.
// Only sections of the snapshot in use, the one before, and the one that is
// being fetched are there.
//
// # Who is a peer
//
// Whoever has a key of the gossip: HKDF (RFC 5869) makes an Ed25519 key pair of
// it, and both sides want the other to prove that it has one of these. Keys of
// sessions are agreed anew each time, so that a gossip key that gets out opens
// no traffic of the past. When keys rotate, all keys of the ring count, and the
// first is this edge's own. Snapshots name private mirrors: without a key
// nothing is shared.
//
// What peers send is verified as if it came from anywhere. One that sends other
// bytes than were asked for is left alone for ten minutes, one that does not
// answer for half a minute, and longer each time. That something is on its way is
// an answer, for a time that goes by its size.
package share

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/waypost/waypost/edge/cluster/door"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// A Peer is another edge that shares, as gossip tells of it.
type Peer struct {
	Name    string
	Region  string
	Address netip.AddrPort // where it shares
	Version uint64         // of the snapshot that it has; 0: none

	// Seed is set where no more than the address is known, and that may be of
	// no use: nobody waits for it.
	Seed bool
}

// again is how often opening the socket is tried.
const again = time.Second

// A Holder has snapshots: those that others get here. Its methods are safe for
// any number of goroutines.
type Holder interface {
	// Latest returns the manifest in use, nil if there is none.
	Latest() []byte

	// Manifest returns the manifest of a hash. If it is not here, it returns a
	// channel that is closed when that may have changed.
	Manifest(wire.Hash) (b []byte, changed <-chan struct{})

	// Section returns verified bytes of a section, nil if it is not here. If it
	// is on its way, it returns a channel that is closed when it is here, or will
	// not come.
	Section(wire.Hash) (b []byte, coming <-chan struct{})
}

// Options are what a [Share] works with. All but Log are required.
type Options struct {
	Listen netip.AddrPort  // over TCP
	Name   string          // of this edge
	Region string          // where it stands
	Keys   func() [][]byte // of the gossip, this edge's own first; called for each connection
	Peers  func() []Peer   // that are alive, without this edge; called once a second and more
	Holder Holder
	Log    *slog.Logger // nil: nobody is told
}

// A Share is this edge's part in sharing: [Share.Run] serves, and what it asks
// of others is in its other methods, which are safe for any number of goroutines.
type Share struct {
	Options

	ring     *ring
	listener net.Listener
	port     atomic.Uint32
	client   *client
	standing standings
	roster   roster
	sending  *slots
	door     *door.Door
	counters counters
}

type counters struct {
	manifests, sections, bytes   atomic.Uint64 // sent
	refused                      atomic.Uint64
	wrong, failed, lacked, asked atomic.Uint64
}

// Counters are what a [Share] counted since it was made.
type Counters struct {
	Manifests   uint64 `json:"manifests"`   // that were sent to peers
	Sections    uint64 `json:"sections"`    // likewise
	Bytes       uint64 `json:"bytes"`       // of both
	Connections uint64 `json:"connections"` // that peers opened
	Refused     uint64 `json:"refused"`     // connections by whoever has no key of the gossip, or speaks another language
	Busy        uint64 `json:"busy"`        // connections that were too many, or made room for others before they showed a key
	Asked       uint64 `json:"asked"`       // requests to peers
	Lacked      uint64 `json:"lacked"`      // of these, those that the peer did not have
	Failed      uint64 `json:"failed"`      // of these, those without an answer in time
	Wrong       uint64 `json:"wrong"`       // of these, those with other bytes than were asked for
	LeftAlone   int    `json:"left_alone"`  // peers that are not asked now
}

// New makes a Share that does not listen yet.
func New(o Options) (*Share, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Share{
		Options: o, ring: &ring{keys: o.Keys}, sending: newSlots(maxSending, maxSendingTo),
		door: door.New(door.Limits{Strangers: maxStrangers, Known: maxConnections, OfNetwork: maxOfNetwork}),
	}
	if _, err := s.ring.current(); err != nil {
		return nil, fmt.Errorf("sharing snapshots with other edges: %w", err)
	}
	s.client = newClient(s.ring, &s.standing)
	return s, nil
}

// Open opens the socket. [Share.Run] does if it was not called.
func (s *Share) Open() error {
	l, err := net.Listen("tcp", s.Listen.String())
	if err != nil {
		return fmt.Errorf("listening for edges that share snapshots: %w", err)
	}
	s.serveAt(l)
	return nil
}

// serveAt has [Share.Run] serve at a listener.
func (s *Share) serveAt(l net.Listener) {
	s.listener = &guarded{Listener: l, door: s.door}
	s.port.Store(uint32(s.Address().Port()))
}

// Port returns the port where the edge listens, 0 if it does not yet.
func (s *Share) Port() uint16 { return uint16(s.port.Load()) }

// Address returns where the edge listens. Call it after Open.
func (s *Share) Address() netip.AddrPort {
	a, _ := s.listener.Addr().(*net.TCPAddr)
	return a.AddrPort()
}

// Run serves until ctx ends. While the address is in use, perhaps by a process
// that this one takes the place of, it tries again: the edge can do without. It is
// called once.
func (s *Share) Run(ctx context.Context) error {
	defer s.client.close()
	complained := false
	for s.listener == nil {
		err := s.Open()
		if err == nil {
			break
		}
		if !complained {
			s.Log.Warn("other edges get no snapshots here, for now", "error", err)
			complained = true
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(again):
		}
	}
	server := s.server()
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	defer s.port.Store(0)
	err := server.ServeTLS(s.listener, "", "")
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Counters returns the counters.
func (s *Share) Counters() Counters {
	c := &s.counters
	return Counters{
		Manifests: c.manifests.Load(), Sections: c.sections.Load(), Bytes: c.bytes.Load(), Connections: s.door.Admitted(),
		Refused: c.refused.Load(), Busy: s.door.Busy(), Asked: c.asked.Load(), Lacked: c.lacked.Load(), Failed: c.failed.Load(),
		Wrong: c.wrong.Load(), LeftAlone: s.standing.alone(time.Now()),
	}
}
