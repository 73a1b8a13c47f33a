// Package dns is the DNS mouth of an edge: queries come in over UDP and TCP,
// answers made for each client go out. It is the home of miekg/dns, which
// reads zone text; what is on the fast path is read and written by wire.
//
//	packet ─► wire.Query ─► zone ─► node ─┬─ static records, made before
//	                                      └─ tailored: client ─► edge/answer ─► records
//	      ◄── wire.Reply ◄────────────────┘
//
// [Server.Answer] is a pure function of the query's bytes, who sent it and
// when: any socket loop can drive it. It allocates nothing, takes no lock,
// reads no clock and logs nothing. [Server.Serve] is the socket loop for UDP
// and TCP.
//
// # Whose address counts
//
//	no client subnet, or source /0    the resolver's, which opens no private host; scope 0
//	private space that no host named  the resolver's; scope of that private block (RFC 7871 section 10)
//	else                              the client subnet's; scope of [answer.Answer.Scope]
//
// An untailored answer has scope 0. So no two answers that differ, given at
// the same moment to one resolver, have overlapping scopes.
//
// # What is not here
//
// Zones are not signed and not transferred: AXFR and IXFR are refused. CNAMEs
// are not followed, not even inside a zone, so that an answer has one scope.
package dns

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/dns/wire"
	"github.com/waypost/waypost/edge/dns/zone"
	"github.com/waypost/waypost/edge/handover"
)

// A Config is what a [Server] needs.
type Config struct {
	Engine *answer.Engine // required

	// Name is the edge's own: NSID, and CH TXT id.server. Up to 100 bytes.
	Name string

	// Version answers CH TXT version.bind; empty: that is refused.
	Version string

	// Secrets sign server cookies; all edges of an anycast group want the
	// same. Default: a random one.
	Secrets wire.Secrets

	// MaxNoCookie is the size in bytes of the largest UDP answer for clients
	// without a valid server cookie, whose address may be forged; longer ones
	// are truncated. 0: there is no such limit.
	MaxNoCookie int

	TCP TCPLimits

	// Passage leads TCP connections to the next process, and brings those of the
	// process before; nil: there are no such.
	Passage *handover.Passage
}

// MaxName is the longest name of a server: question and OPT together stay below 512 bytes.
const MaxName = 100

// A Server answers DNS queries. It is safe for any number of goroutines.
type Server struct {
	config  Config
	zones   atomic.Pointer[zone.Zones]
	secrets atomic.Pointer[wire.Secrets]
	now     atomic.Uint32 // Unix seconds, kept by Serve
	shards  []shard
	next    atomic.Uint32 // the shard of the next Work
}

// New returns a server without zones: it refuses all queries until [Server.SetZones].
func New(c Config) (*Server, error) {
	if c.Engine == nil {
		return nil, errors.New("dns: want an engine")
	}
	if len(c.Name) > MaxName {
		return nil, fmt.Errorf("dns: name: want at most %d bytes, got %q", MaxName, c.Name)
	}
	if c.MaxNoCookie < 0 {
		return nil, fmt.Errorf("dns: max_nocookie: want a size in bytes, got %d", c.MaxNoCookie)
	}
	if len(c.Secrets) == 0 {
		c.Secrets = wire.RandomSecrets()
	}
	c.TCP = c.TCP.withDefaults()
	s := &Server{config: c, shards: make([]shard, runtime.GOMAXPROCS(0))}
	s.SetZones(&zone.Zones{})
	s.SetSecrets(c.Secrets)
	s.now.Store(unixSeconds(time.Now()))
	return s, nil
}

// SetZones puts zones in use.
func (s *Server) SetZones(zs *zone.Zones) { s.zones.Store(zs) }

// Zones returns the zones in use.
func (s *Server) Zones() *zone.Zones { return s.zones.Load() }

// Secrets returns the cookie secrets in use.
func (s *Server) Secrets() wire.Secrets { return *s.secrets.Load() }

// SetSecrets puts cookie secrets, at least one, in use.
func (s *Server) SetSecrets(ss wire.Secrets) { s.secrets.Store(&ss) }

func unixSeconds(t time.Time) uint32 { return uint32(t.Unix()) }

// A Meta is what a socket knows of a query.
type Meta struct {
	Client netip.Addr // who sent it
	UDP    bool
	Now    uint32 // Unix seconds, for cookies
}

// A Work is the memory for one query at a time. Keep one for each goroutine.
type Work struct {
	query  wire.Query
	reply  wire.Reply
	edns   wire.EDNS
	answer answer.Answer
	lookup lookup
	text   []byte
	client netip.Addr // of Meta, unmapped
	valid  bool       // the query has a valid server cookie
	count  *shard
}

// NewWork returns memory for [Server.Answer].
func (s *Server) NewWork() *Work {
	return &Work{count: &s.shards[int(s.next.Add(1))%len(s.shards)]}
}

// Answer returns the answer to a packet, in dst's memory if it has room
// enough, or nil if there is none to give. It costs a few hundred nanoseconds
// beyond that of [answer.View.Answer], and allocates nothing where dst has
// [wire.MaxUDP] bytes.
func (s *Server) Answer(dst, packet []byte, meta Meta, w *Work) []byte {
	q, r := &w.query, &w.reply
	rcode, ok := q.Parse(packet)
	if !ok {
		w.count.dropped.Add(1)
		return nil
	}
	r.Begin(dst, q, &w.edns, s.prepare(meta, w))
	switch {
	case rcode != wire.NoError:
		r.Rcode = rcode
	case !q.Asked:
		s.confirmCookie(w)
	case q.Class == wire.ClassCH:
		s.answerChaos(w)
	default:
		s.answerZone(w)
	}
	w.count.done(r, rcode)
	return r.Finish(q, &w.edns)
}

// prepare looks at the cookie, and returns how long the answer may be.
func (s *Server) prepare(meta Meta, w *Work) (limit int) {
	q := &w.query
	w.client = meta.Client.Unmap().WithZone("")
	w.edns = wire.EDNS{Server: s.config.Name, Secrets: *s.secrets.Load(), Client: w.client, Now: meta.Now}
	w.valid = q.Cookie.Present && w.edns.Secrets.Verify(&q.Cookie, w.client, meta.Now)
	w.count.query(meta.UDP, q, w.valid)
	switch {
	case !meta.UDP:
		return wire.MaxMessage
	case s.config.MaxNoCookie > 0 && !w.valid:
		return min(q.Size, wire.MaxUDP, s.config.MaxNoCookie)
	}
	return min(q.Size, wire.MaxUDP)
}

// confirmCookie answers a query for a cookie, which asks nothing else (RFC
// 7873 section 5.4).
func (s *Server) confirmCookie(w *Work) {
	if w.query.Cookie.Offered() && !w.valid {
		w.reply.Rcode = wire.BadCookie
	}
}

// answerZone answers from the nearest zone (RFC 1034 section 4.3.2).
func (s *Server) answerZone(w *Work) {
	q, r := &w.query, &w.reply
	z := s.zones.Load().Find(&q.Name)
	if z == nil || q.Class != wire.ClassIN || q.Type == wire.TypeAXFR || q.Type == wire.TypeIXFR {
		r.Rcode = wire.Refused
		return
	}
	r.Subnet = !z.IgnoreECS
	switch node := z.Find(&q.Name); {
	case node == nil:
		r.Rcode = wire.NXDomain
		s.negative(w, z)
	case node.Cut != nil:
		s.refer(w, z, node)
	case node.Tailored != nil && node.Tailored.Answers(q.Type):
		s.answerTailored(w, node.Tailored)
	case q.Type == wire.TypeANY:
		s.answerANY(w, z, node)
	default:
		s.static(w, z, node.Set(q.Type))
	}
}

// static answers with an RRset, or says that there is none.
func (s *Server) static(w *Work, z *zone.Zone, set *zone.RRset) {
	if set == nil {
		s.negative(w, z)
		return
	}
	w.reply.Authoritative = true
	w.reply.Static(wire.Answer, wire.AtQuestion, set.Count, set.Records)
	w.reply.Extra(set.ExtraCount, set.Extra, false)
}

// negative says NXDOMAIN or NODATA (RFC 2308 section 2).
func (s *Server) negative(w *Work, z *zone.Zone) {
	w.reply.Authoritative = true
	owner := w.query.Name.Offset(z.Labels)
	w.reply.Static(wire.Authority, owner, z.Negative.Count, z.Negative.Records)
}

// refer answers with a delegation. Its DS is on our side of it (RFC 4035
// section 3.1.4.1).
func (s *Server) refer(w *Work, z *zone.Zone, node *zone.Node) {
	q, r, cut := &w.query, &w.reply, node.Cut
	if q.Type == wire.TypeDS && q.Name.Labels() == cut.Labels {
		s.static(w, z, cut.DS)
		return
	}
	r.Static(wire.Authority, q.Name.Offset(cut.Labels), cut.NS.Count, cut.NS.Records)
	r.Extra(cut.NS.ExtraCount, cut.NS.Extra, true) // RFC 9471: glue, or a truncated answer
}

// answerANY names one record that nobody needs, or the CNAME (RFC 8482 section 4.2).
func (s *Server) answerANY(w *Work, z *zone.Zone, node *zone.Node) {
	if alias := node.Set(wire.TypeCNAME); alias != nil || len(node.Sets) == 0 && node.Tailored == nil {
		s.static(w, z, alias)
		return
	}
	r := &w.reply
	r.Authoritative = true
	r.OpenSet(wire.Answer)
	r.OpenRecord(wire.TypeHINFO, wire.ClassIN, zone.DefaultTTL)
	r.CharacterString([]byte("RFC8482"))
	r.CharacterString(nil)
	r.CloseRecord()
	r.CloseSet()
}

// Names of class CH, in wire form.
const (
	idServer      = "\x02id\x06server\x00" // RFC 4892
	hostnameBind  = "\x08hostname\x04bind\x00"
	versionBind   = "\x07version\x04bind\x00"
	versionServer = "\x07version\x06server\x00"
)

// answerChaos says who we are.
func (s *Server) answerChaos(w *Work) {
	q, r := &w.query, &w.reply
	var text string
	switch string(q.Name.Bytes()) {
	case idServer, hostnameBind:
		text = s.config.Name
	case versionBind, versionServer:
		text = s.config.Version
	}
	if text == "" {
		r.Rcode = wire.Refused
		return
	}
	r.Authoritative = true
	if q.Type != wire.TypeTXT && q.Type != wire.TypeANY {
		return
	}
	r.OpenSet(wire.Answer)
	r.OpenRecord(wire.TypeTXT, wire.ClassCH, 0)
	r.CharacterString([]byte(text[:min(len(text), 255)]))
	r.CloseRecord()
	r.CloseSet()
}
