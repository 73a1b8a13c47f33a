// Package zone holds the zones of an edge, ready for the fast path: static
// RRsets in wire form, delegations, and the names whose answers are made for
// each client.
//
//	Config ──► Compile ──► Zones.Find(name) ──► Zone.Find(name) ──► Match
//
// [Compile] refuses what is wrong and names all of it. Zones are immutable and
// safe for any number of goroutines; finding a name costs two or three map
// look-ups, one more for each label that is not there, and allocates nothing.
//
// # How a zone is stored
//
// Every name that exists has a [Node], the empty non-terminals between too
// (RFC 4592 section 2.2.2). So a name without a node does not exist, unless
// its closest encloser, the nearest ancestor with a node, has a wildcard. A
// record's owner is not stored: it is the question's name or an ancestor of it,
// and so a pointer into the question.
package zone

import (
	"net/netip"

	"github.com/waypost/waypost/edge/dns/wire"
)

// Zones are all zones of an edge. The zero value has none.
type Zones struct {
	zones  []*Zone
	byName map[string]*Zone
	depth  int // labels of the longest name
}

// All returns the zones, in the order of the configuration.
func (zs *Zones) All() []*Zone { return zs.zones }

// Find returns the nearest zone at or above a name, nil if there is none.
func (zs *Zones) Find(n *wire.Name) *Zone {
	for labels := min(n.Labels(), zs.depth); labels >= 0; labels-- {
		if z := zs.byName[string(n.Suffix(labels))]; z != nil {
			return z
		}
	}
	return nil
}

// A Zone is one compiled zone.
type Zone struct {
	Name              string // as in the configuration
	Labels            int
	Negative          RRset        // the SOA with the TTL of RFC 2308 section 5
	Fallback          []netip.Addr // of both families
	PrivateByResolver bool
	IgnoreECS         bool
	Mirrors           []*Tailored

	nodes map[string]*Node
	depth int // labels of the longest name
}

// An RRset is static records of one name and type.
type RRset struct {
	Type    uint16
	Count   int
	Records []byte // in wire form; each owner is a pointer to the question's name

	Extra      []byte // addresses of name servers, with their owner names
	ExtraCount int
}

// A Node is one name of a zone.
type Node struct {
	Sets     []RRset
	Tailored *Tailored // nil for static names
	Cut      *Cut      // the delegation at or above; nil in the zone's own part

	wildcard *Node // *.NAME
}

// A Cut is a delegation to another zone.
type Cut struct {
	NS     *RRset
	DS     *RRset // nil if there is none
	Labels int
	Apex   *Node // where it is
}

// Tailored is a name with tailored answers.
type Tailored struct {
	Zone  *Zone
	Name  string // full, for messages
	Path  []byte
	TTL   uint32
	Count int
	Types Types
}

// Types are the kinds of tailored answers that a name gives.
type Types uint8

// The kinds.
const (
	Addresses Types = 1 << iota // A and AAAA
	CNAME                       // for any type
	HTTPS
	URI
	TXT
)

// Answers reports whether the name gives a tailored answer for a type.
func (t *Tailored) Answers(rrtype uint16) bool { return t.Types&kindOf(rrtype) != 0 }

func kindOf(rrtype uint16) Types {
	switch rrtype {
	case wire.TypeA, wire.TypeAAAA:
		return Addresses | CNAME
	case wire.TypeHTTPS:
		return HTTPS | CNAME
	case wire.TypeURI:
		return URI | CNAME
	case wire.TypeTXT:
		return TXT | CNAME
	}
	return CNAME
}

// Find returns the node that answers for a name in or below z: its own, or
// the wildcard that stands for it. A name below a delegation has the node of
// the delegation, or one under it, so look at its Cut first. nil means that
// the name does not exist (RFC 1034 section 4.3.2, RFC 4592 section 3.3.1).
func (z *Zone) Find(n *wire.Name) *Node {
	labels := n.Labels()
	if labels <= z.depth {
		if node := z.nodes[string(n.Bytes())]; node != nil {
			return node
		}
	}
	for labels = min(labels-1, z.depth); ; labels-- {
		if node := z.nodes[string(n.Suffix(labels))]; node != nil {
			if node.Cut != nil {
				return node
			}
			return node.wildcard
		}
	}
}

// Set returns the RRset of a type, or the CNAME that stands for all types;
// nil if there is none.
func (n *Node) Set(rrtype uint16) *RRset {
	for i := range n.Sets {
		if t := n.Sets[i].Type; t == rrtype || t == wire.TypeCNAME {
			return &n.Sets[i]
		}
	}
	return nil
}
