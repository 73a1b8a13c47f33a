// Package speaker is the small process that announces an edge's service
// prefixes by BGP. It is a process of its own so that sessions outlive an
// upgrade of the edge, and so that nothing the edge does can delay a withdrawal.
//
//	edge ──► Order {generation, sessions, routes}   every second ──► speaker ──► BGP ──► routers
//	     ◄── Report {sessions, what is announced}                ◄──
//
// An order is the whole of what is wanted, not a change; it is a lease, too: an
// edge that is not heard of for [Lease] has its routes withdrawn. While an edge
// is upgraded there are two processes of it: the order of the one with the
// higher generation counts, as long as its lease lives.
//
// Sessions stay up without routes, so that a router sees an edge that is down
// for maintenance as what it is. Graceful restart is never negotiated: a
// speaker that dies takes its routes along at once, as it must, for nobody
// would be there to answer.
//
// What is announced is exactly what an order names, by two policies beside that:
// only our own routes are exported, and nothing of a neighbour's is imported.
//
// # Protocol
//
// Over a stream socket of the file system, which only the user may open: JSON
// values, an [Order] and then its [Report], in turn.
package speaker

import (
	"net/netip"
	"slices"
	"time"
)

// Lease is how long an order counts.
const Lease = 3 * time.Second

// An Order is what an edge wants of the speaker.
type Order struct {
	// Generation tells processes of one edge apart: it grows with each that
	// starts. Of the orders that live the one with the highest counts.
	Generation uint64 `json:"generation"`

	Sessions Sessions `json:"sessions"`
	Routes   []Route  `json:"routes"`
}

// Sessions are what the speaker needs to know of BGP.
type Sessions struct {
	LocalASN uint32     `json:"local_asn"`
	RouterID netip.Addr `json:"router_id"`
	Peers    []Peer     `json:"peers"`
}

// A Peer is a BGP neighbour.
type Peer struct {
	Address  netip.Addr    `json:"address"`
	Port     uint16        `json:"port"` // 0: 179
	ASN      uint32        `json:"asn"`
	Local    netip.Addr    `json:"local"`    // the address to speak from; zero: the system's choice
	Password string        `json:"password"` // TCP MD5 (RFC 2385); "": none
	Hops     uint8         `json:"hops"`     // for eBGP over routers: the TTL of packets; 0: the neighbour is on the link
	MinTTL   uint8         `json:"min_ttl"`  // GTSM (RFC 5082): packets with a lower TTL are dropped; 0: off
	Hold     time.Duration `json:"hold"`     // hold time; 0: 9s
	Both     bool          `json:"both"`     // IPv4 and IPv6 over one session, not only the family of Address
}

// carries reports whether routes of a family are spoken of on the session.
func (p *Peer) carries(v4 bool) bool { return p.Both || p.Address.Is4() == v4 }

// A Route is a prefix to announce, and how.
type Route struct {
	Prefix netip.Prefix `json:"prefix"`

	// NextHop is where packets are to go; zero: the speaker's end of each
	// session, which must then be of the prefix's family.
	NextHop netip.Addr `json:"next_hop"`

	Communities []uint32    `json:"communities,omitempty"` // RFC 1997
	Large       [][3]uint32 `json:"large,omitempty"`       // RFC 8092
	MED         *uint32     `json:"med,omitempty"`         // nil: none
	Prepend     int         `json:"prepend,omitempty"`     // how often our ASN is put before the path once more
}

// same reports whether r and s are announced alike.
func (r *Route) same(s *Route) bool {
	med := (r.MED == nil) == (s.MED == nil) && (r.MED == nil || *r.MED == *s.MED)
	return med && r.Prefix == s.Prefix && r.NextHop == s.NextHop && r.Prepend == s.Prepend &&
		slices.Equal(r.Communities, s.Communities) && slices.Equal(r.Large, s.Large)
}

// A Report is what the speaker answers to an order.
type Report struct {
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`

	// Superseded tells that a process of a higher generation rules.
	Superseded bool `json:"superseded,omitempty"`

	// Error says why the order could not be carried out as a whole.
	Error string `json:"error,omitempty"`

	Routes []Route      `json:"routes"`
	Peers  []PeerReport `json:"peers"`
}

// A PeerReport says how a session does.
type PeerReport struct {
	Address     netip.Addr     `json:"address"`
	ASN         uint32         `json:"asn"`
	State       string         `json:"state"` // as RFC 4271 section 8.2.2 calls it, in lower case: established, …
	Established bool           `json:"established"`
	Since       time.Time      `json:"since,omitzero"` // of the session that is up
	Flaps       uint32         `json:"flaps"`          // how often it has gone down
	Prefixes    []netip.Prefix `json:"prefixes"`       // what the neighbour is told of

	// Trouble is why there is no session, as far as that is known.
	Trouble string `json:"trouble,omitempty"`
}
