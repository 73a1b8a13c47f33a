// Package wire reads DNS queries and writes answers, byte by byte: what the
// fast path of an edge needs and no more.
//
//	bytes ──► Query.Parse ──► name, type, class, EDNS, client subnet, cookie
//	Reply.Begin ──► Append… records by whole RRset ──► Finish ──► bytes
//
// It is strict where a standard says so: a malformed OPT, client subnet
// (RFC 7871) or cookie (RFC 7873) makes the query a format error, which is
// still answered with an OPT. A [Query] and a [Reply] are memory for one
// message at a time; working in them allocates nothing. No part of this
// package knows zones or mirrors.
//
// # What a query looks like
//
//	 0  ID | flags | QDCOUNT | ANCOUNT | NSCOUNT | ARCOUNT    two bytes each, RFC 1035 section 4.1.1
//	12  name | type | class                                   the question
//	    …
//	    0 | 41 | UDP size | 0, version, flags | length        the OPT, RFC 6891 section 6.1.2
//	    code | length | data …                                its options
package wire

// Types of records that this server treats in a special way.
const (
	TypeA     = 1
	TypeNS    = 2
	TypeCNAME = 5
	TypeSOA   = 6
	TypeHINFO = 13
	TypeTXT   = 16
	TypeAAAA  = 28
	TypeDNAME = 39
	TypeOPT   = 41
	TypeDS    = 43
	TypeHTTPS = 65
	TypeIXFR  = 251
	TypeAXFR  = 252
	TypeANY   = 255
	TypeURI   = 256
)

// Classes.
const (
	ClassIN = 1
	ClassCH = 3
)

// An Rcode is a response code; those above 15 need an OPT.
type Rcode uint16

// The response codes that this server gives.
const (
	NoError   Rcode = 0
	FormErr   Rcode = 1
	ServFail  Rcode = 2
	NXDomain  Rcode = 3
	NotImp    Rcode = 4
	Refused   Rcode = 5
	BadVers   Rcode = 16 // RFC 6891 section 6.1.3
	BadCookie Rcode = 23 // RFC 7873 section 8
	Rcodes          = 24 // one more than the highest
)

// String returns the code's name, as dig prints it.
func (r Rcode) String() string {
	switch r {
	case NoError:
		return "NOERROR"
	case FormErr:
		return "FORMERR"
	case ServFail:
		return "SERVFAIL"
	case NXDomain:
		return "NXDOMAIN"
	case NotImp:
		return "NOTIMP"
	case Refused:
		return "REFUSED"
	case BadVers:
		return "BADVERS"
	case BadCookie:
		return "BADCOOKIE"
	}
	return "RCODE" + string(rune('0'+r/10)) + string(rune('0'+r%10))
}

// Sizes of messages, in bytes.
const (
	headerLen  = 12
	MinUDP     = 512   // what a client without EDNS takes, RFC 1035 section 4.2.1
	MaxUDP     = 1232  // what we send at most over UDP, so that no path fragments it
	MaxMessage = 65535 // what fits over TCP
)

// Bits of the flags word of the header.
const (
	flagQR     = 1 << 15
	flagAA     = 1 << 10
	flagTC     = 1 << 9
	flagRD     = 1 << 8
	maskOpcode = 15 << 11
)

func uint16At(b []byte, at int) uint16 { return uint16(b[at])<<8 | uint16(b[at+1]) }

func putUint16(b []byte, at int, v uint16) { b[at], b[at+1] = byte(v>>8), byte(v) }
