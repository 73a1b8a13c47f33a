package dns

import (
	"sync/atomic"

	"github.com/waypost/waypost/edge/dns/wire"
)

// Counters say what a server did since it was made. They have no client and
// no name in them, so their number is fixed.
type Counters struct {
	UDP, TCP    uint64 // queries
	Rcodes      [wire.Rcodes]uint64
	Dropped     uint64 // packets that get no answer: answers, and less than a header
	Malformed   uint64 // queries with a format error
	Truncated   uint64 // answers that did not fit
	ECS         uint64 // queries with a client subnet
	CookiesOK   uint64 // queries with a valid server cookie
	CookiesBad  uint64 // queries with another server cookie
	Tailored    uint64 // tailored answers with at least one host
	AllDown     uint64 // of these, with hosts that are all down
	Fallback    uint64 // answers with fallback addresses
	NoHost      uint64 // tailored names that had to answer SERVFAIL
	ReadErrors  uint64 // UDP reads and TCP accepts
	WriteErrors uint64 // answers that the kernel did not take
	Connections uint64 // TCP connections taken
	Refused     uint64 // TCP connections closed for being over a limit
	Slow        uint64 // TCP connections closed amid a message, for time or size
}

// A shard counts for a few goroutines. Nothing else is in its cache lines.
type shard struct {
	_      [64]byte
	rcodes [wire.Rcodes]atomic.Uint64

	udp, tcp, dropped, malformed, truncated, ecs, cookiesOK, cookiesBad,
	tailored, allDown, fallback, noHost,
	readErrors, writeErrors, connections, refused, slow atomic.Uint64
	_ [64]byte
}

// query counts a query that was read.
func (c *shard) query(udp bool, q *wire.Query, valid bool) {
	if udp {
		c.udp.Add(1)
	} else {
		c.tcp.Add(1)
	}
	if q.Subnet.Present {
		c.ecs.Add(1)
	}
	switch {
	case valid:
		c.cookiesOK.Add(1)
	case q.Cookie.Offered():
		c.cookiesBad.Add(1)
	}
}

// done counts an answer; parsed is what reading the query gave.
func (c *shard) done(r *wire.Reply, parsed wire.Rcode) {
	c.rcodes[r.Rcode].Add(1)
	if parsed == wire.FormErr {
		c.malformed.Add(1)
	}
	if r.Truncated {
		c.truncated.Add(1)
	}
}

// Counters returns what the server did so far.
func (s *Server) Counters() Counters {
	var sum Counters
	for i := range s.shards {
		c := &s.shards[i]
		for code := range c.rcodes {
			sum.Rcodes[code] += c.rcodes[code].Load()
		}
		for _, each := range []struct {
			to   *uint64
			from *atomic.Uint64
		}{
			{&sum.UDP, &c.udp},
			{&sum.TCP, &c.tcp},
			{&sum.Dropped, &c.dropped},
			{&sum.Malformed, &c.malformed},
			{&sum.Truncated, &c.truncated},
			{&sum.ECS, &c.ecs},
			{&sum.CookiesOK, &c.cookiesOK},
			{&sum.CookiesBad, &c.cookiesBad},
			{&sum.Tailored, &c.tailored},
			{&sum.AllDown, &c.allDown},
			{&sum.Fallback, &c.fallback},
			{&sum.NoHost, &c.noHost},
			{&sum.ReadErrors, &c.readErrors},
			{&sum.WriteErrors, &c.writeErrors},
			{&sum.Connections, &c.connections},
			{&sum.Refused, &c.refused},
			{&sum.Slow, &c.slow},
		} {
			*each.to += each.from.Load()
		}
	}
	return sum
}
