package http

import (
	"sync/atomic"

	"github.com/valyala/fasthttp"
)

// A Kind is what a request asked for.
type Kind uint8

// The kinds of requests.
const (
	Other      Kind = iota // what is not served here: unknown paths, bad requests, other methods
	Redirect               // /PATH, answered by a redirect or a 304
	Mirrorlist             // MirrorManager's /…/mirrorlist
	Metalink3              // MirrorManager's /…/metalink, and /PATH.metalink
	Metalink4              // /PATH.meta4
	Page                   // ?mirrorlist and the start page
	Hash                   // /PATH.sha256 and its like
	Kinds                  // how many there are
)

// String returns the kind as a metric label: redirect, mirrorlist, metalink3,
// metalink4, page, hash or other.
func (k Kind) String() string {
	return [Kinds]string{"other", "redirect", "mirrorlist", "metalink3", "metalink4", "page", "hash"}[k]
}

// StatusClasses is how many classes of status codes are counted; class 2 is 2xx.
const StatusClasses = 6

// Counters are sums since the server was made.
type Counters struct {
	Kinds       [Kinds]uint64         // requests by kind
	Status      [StatusClasses]uint64 // answers by the first digit of their status code
	NotModified uint64                // 304s
	AllDown     uint64                // answers for which every eligible host was down
	Origin      uint64                // redirects to an origin

	Open    int    // connections, now
	Refused uint64 // connections, for there were too many
	Failed  uint64 // connections that could not be accepted, as without descriptors left
}

// shards is how many copies of the counters there are, so that requests on
// different processors seldom write to one cache line.
const shards = 16

// counters are the counters of a server. The zero value is ready.
type counters struct {
	next  atomic.Uint32 // the shard of the next pooled request
	shard [shards]shard
}

// A shard is one copy of the counters, alone on its cache lines.
type shard struct {
	kinds       [Kinds]atomic.Uint64
	status      [StatusClasses]atomic.Uint64
	notModified atomic.Uint64
	allDown     atomic.Uint64
	origin      atomic.Uint64
	_           [128]byte
}

// assign returns a shard for a new pooled request.
func (c *counters) assign() *shard { return &c.shard[c.next.Add(1)%shards] }

// count counts one answered request.
func (sh *shard) count(r *request) {
	status := r.ctx.Response.StatusCode()
	sh.kinds[r.kind].Add(1)
	sh.status[status/100%StatusClasses].Add(1)
	if status == fasthttp.StatusNotModified {
		sh.notModified.Add(1)
	}
	if r.allDown {
		sh.allDown.Add(1)
	}
	if r.origin {
		sh.origin.Add(1)
	}
}

// Counters returns the sums over all shards. It is for the scrape of metrics;
// counters that belong to one request may be caught at different times.
func (s *Server) Counters() Counters {
	d := &s.door
	sum := Counters{Open: int(d.open.Load()), Refused: d.refused.Load(), Failed: d.failed.Load()}
	for i := range s.count.shard {
		sh := &s.count.shard[i]
		for k := range sum.Kinds {
			sum.Kinds[k] += sh.kinds[k].Load()
		}
		for class := range sum.Status {
			sum.Status[class] += sh.status[class].Load()
		}
		sum.NotModified += sh.notModified.Load()
		sum.AllDown += sh.allDown.Load()
		sum.Origin += sh.origin.Load()
	}
	return sum
}
