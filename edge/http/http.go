// Package http is the HTTP mouth of an edge: redirects, mirrorlists, metalinks
// and pages for people. It is the home of fasthttp.
//
//	request ─► route ─► client ─┬─ /…/mirrorlist, /…/metalink   MirrorManager's lists
//	           path             ├─ /PATH                        302, 304, by Accept a metalink
//	                            ├─ /PATH.meta4, .sha256, …      what is known of a file
//	                            └─ /PATH?mirrorlist, /          pages, and JSON
//
// A path is decoded once and resolved before anything else looks at it
// (target.go), and encoded afresh where it goes into a header or a document
// (escape.go, xml.go): no byte of a request gets into an answer another way.
// Who the client is, and whom it is told by, is in client.go; what it may be
// given is decided by edge/answer alone.
//
// Nothing of a fasthttp.RequestCtx outlives the handler, and nothing that a
// handler writes into it may change afterwards. A handler takes the view of
// the engine once; a request and its answer live in pooled memory, so that a
// redirect allocates nothing of ours. It takes a few microseconds beside
// what fasthttp and the kernel need. Pages take up to milliseconds.
package http

import (
	"log/slog"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/handover"
	"github.com/waypost/waypost/edge/statistics"
)

// A Config is what a [Server] needs.
type Config struct {
	Engine *answer.Engine // required

	// TrustedProxies are the peers whose X-Forwarded-For and X-Forwarded-Proto
	// count, and the clients whose ip= does.
	TrustedProxies []netip.Prefix

	// MirrorlistServer makes the server a drop-in for Fedora's
	// mirrorlist-server: only /…/mirrorlist and /…/metalink exist, every
	// method is answered as GET, all peers are trusted, and the client is the
	// last element of the first X-Forwarded-For line.
	MirrorlistServer bool

	// MinimumHosts overrides the policies' minimum in lists; 0: it does not.
	MinimumHosts int

	Statistics *StatisticsLog // where lists by repository are logged; nil: nowhere
	Logger     *slog.Logger   // for what operators should know; nil: discard

	// Passage leads connections to the next process, and brings those of the
	// process before; nil: there are no such processes.
	Passage *handover.Passage
}

// A Server answers HTTP requests. It is safe for any number of goroutines.
type Server struct {
	config Config
	pool   sync.Pool // of *request
	count  counters
	clock  atomic.Pointer[moment]
	pages  pages
	door   door

	leaving atomic.Bool // connections are closed after their next answer
}

// New returns a server. It takes as many connections as half of the process's
// file descriptors, at most 262,144; those after them are refused.
func New(c Config) *Server {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Passage == nil {
		c.Passage = (&handover.Process{}).Passage("http")
	}
	c.TrustedProxies = unmapped(c.TrustedProxies)
	s := &Server{config: c, pages: parsePages()}
	s.door.most = descriptors() / 2
	s.pool.New = func() any { return &request{shard: s.count.assign()} }
	s.tick(time.Now())
	return s
}

// A request is one request while it is answered. Requests are pooled: nothing
// may point into one after its handler.
type request struct {
	ctx    *fasthttp.RequestCtx
	view   *answer.View
	client netip.Addr // unmapped
	given  string     // the client address as it was given, for the statistics log
	secure bool       // the client speaks https, to us or to a trusted proxy
	target

	kind    Kind // what was asked for
	allDown bool // every eligible host was down
	origin  bool // it was sent to an origin
	offered bool // its metalink names an origin, after all hosts
	shard   *shard
	event   statistics.Event // what is counted of it
	counts  bool             // it is about something that is counted

	asked   answer.Query
	answer  answer.Answer
	list    list
	buf     []byte // for a body
	pathBuf []byte // of target.path
	scratch []byte // of decoded
}

// unframed is the length of the body of a GET that says nothing of a body.
// After any other request the connection is closed. Nothing here wants a body,
// and where a proxy ahead of us counts its bytes otherwise than fasthttp does,
// what follows could be taken for the answer to somebody else's request (RFC
// 9112, section 11.2).
const unframed = -2

// Handle answers one request.
func (s *Server) Handle(ctx *fasthttp.RequestCtx) {
	defer s.survive(ctx)
	r, _ := s.pool.Get().(*request)
	r.ctx, r.view = ctx, s.config.Engine.View()
	r.kind, r.allDown, r.origin, r.offered, r.counts = Other, false, false, false, false
	ctx.Response.Header.DisableNormalizing() // names are written as they should look
	if s.leaving.Load() || ctx.Request.Header.ContentLength() != unframed {
		ctx.SetConnectionClose()
	}
	s.route(r)
	r.shard.count(r)
	r.tally()
	r.ctx, r.view, r.answer.View = nil, nil, nil
	r.client, r.given, r.target = netip.Addr{}, "", target{}
	s.pool.Put(r)
}

// survive answers 500 where a handler panics. fasthttp would let the process
// end, and one request that finds a mistake of ours could be sent to every
// edge. What the request had in hand is not used again.
func (s *Server) survive(ctx *fasthttp.RequestCtx) {
	if x := recover(); x != nil {
		s.config.Logger.Error("a request found a mistake of ours",
			"uri", string(ctx.Request.Header.RequestURI()), "panic", x, "stack", string(debug.Stack()))
		ctx.Response.Reset()
		ctx.SetStatusCode(fasthttp.StatusInternalServerError)
	}
}
