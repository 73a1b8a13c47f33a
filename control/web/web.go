// Package web is the control plane's API: JSON over HTTP, for people's tools
// (waypost ctl), for edges and for mirrors.
//
//	GET              /v1/{kind}                  objects of the registry, without their secrets
//	GET PUT PATCH DELETE /v1/{kind}/{key}        one of them; ETag and If-Match carry its revision
//	POST             /v1/tokens                  a new token; its secret is told once
//	POST             /v1/actions/{action}        crawl, scan, publish, rollback, password, pull-secret,
//	                                             announce, release-move, release-archive, expire-metadata
//	GET              /v1/status, /v1/audit, /v1/jobs, /v1/crawls, /v1/propagation, /v1/release-status, /v1/snapshots
//	GET              /v1/snapshot/manifest       for edges: what is published, with a long poll
//	GET              /v1/snapshot/sections/{sha256}
//	GET              /v1/exports/{format}        what is published, in the words of other programs
//	POST             /v1/statistics              what an edge counted
//	GET              /v1/statistics              what all edges counted
//	POST             /v1/checkin, /xmlrpc        for mirrors, answered by control/checkin
//	GET              /healthz, /readyz, /openapi.json
//
// All these routes are lines of one table, from which the mux, the rights and the
// OpenAPI document are made. Everything else is for [Config.Pages].
//
// A request goes through authentication (a bearer token, known by its hash, or a
// session of [Inside]), the scope of its route, and the authority of whom the token speaks for:
// administrators may do everything, others see and change what the sites that
// they administer need. What the caller may not see is not there. An error is
// {"error": "…"}, with "problems" where a document is wrong:
//
//	422 {"error": "…", "problems": [{"key": "carries[0].category", "text": "no category has the name \"oz\""}]}
//
// Each request reads the registry as the store has it, which costs a small query.
// What is kept between requests is the manifest that was published last, the
// exports of it that are not large, and for a while how far metadata has got.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
)

// Checkins answers the check-ins of mirrors; control/checkin's Server does.
type Checkins interface {
	ServeAPI(w http.ResponseWriter, r *http.Request)
	ServeXMLRPC(w http.ResponseWriter, r *http.Request)
}

// Config is what the API needs. Store is required.
type Config struct {
	Store *store.Store

	// Checkins answers mirrors. Nil: there are no routes for them.
	Checkins Checkins

	// Publish is told whenever something has changed that edges should hear of
	// soon. It must return at once. Nil: nobody is told.
	Publish func()

	// Seal encrypts a host's secret for its registry: [registry.SecretKey.Seal].
	// Nil: such secrets cannot be set.
	Seal func(secret, context string) (string, error)

	// Pages makes the pages for people, which answer what is not the API's. Nil:
	// there are none.
	Pages func(Inside) http.Handler

	// Applications is told of a site or host that begins to wait for approval, and
	// of one whose wait is over since it was approved or rejected, with who did
	// that; of one that is deleted it is not. It must return soon. Nil: nobody is
	// told.
	Applications func(ctx context.Context, o registry.Object, who string)

	// Log gets a line for each change and for what goes wrong. Nil: nothing is logged.
	Log *slog.Logger

	// Now is the clock; nil: [time.Now].
	Now func() time.Time

	// Poll is how often a long poll looks for a new manifest; 0: 1s. Those that
	// wait at the same time look together.
	Poll time.Duration
}

// A server answers requests. It is for any number of goroutines.
type server struct {
	Config

	published published
	exports   exports
	spreads   spreads
	openapi   []byte
}

// New returns the API as a handler. Limits of time are set for each request;
// those of headers and idle connections are left to the [http.Server].
func New(c Config) http.Handler {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Publish == nil {
		c.Publish = func() {}
	}
	if c.Poll == 0 {
		c.Poll = time.Second
	}
	s := &server{Config: c, spreads: spreads{turn: make(chan struct{}, 1)}, exports: exports{large: make(chan struct{}, 1)}}
	routes := s.routes()
	s.openapi = describe(routes)
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.Handle(r.method+" "+r.path, s.handler(r))
	}
	var pages http.Handler
	if c.Pages != nil {
		pages = c.Pages(Inside{mux})
	}
	mux.Handle("/", notThere(mux, routes, pages))
	return http.NewCrossOriginProtection().Handler(mux)
}
