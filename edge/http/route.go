package http

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// route finds out what is asked for and answers it.
func (s *Server) route(r *request) {
	if r.view == nil {
		s.unavailable(r)
		return
	}
	if s.config.MirrorlistServer {
		s.routeList(r)
		return
	}
	switch {
	case r.ctx.IsGet(), r.ctx.IsHead():
		s.routePath(r)
	case r.ctx.IsOptions():
		r.ctx.Response.Header.Set(fasthttp.HeaderAllow, allow)
		r.ctx.SetStatusCode(fasthttp.StatusNoContent)
	default:
		r.ctx.Response.Header.Set(fasthttp.HeaderAllow, allow)
		r.fail(fasthttp.StatusMethodNotAllowed, "only GET, HEAD and OPTIONS are answered here\n")
	}
}

const allow = "GET, HEAD, OPTIONS"

// routeList answers as Fedora's mirrorlist-server does: whatever the method,
// by the end of the path, and nothing else exists.
func (s *Server) routeList(r *request) {
	r.raw, r.query, _ = split(r.ctx.Request.Header.RequestURI())
	if r.kind = listKind(r.raw); r.kind == Other {
		r.ctx.Response.Header.SetNoDefaultContentType(true)
		r.ctx.SetStatusCode(fasthttp.StatusNotFound)
		r.ctx.SetBodyString("We don't serve their kind here!")
		return
	}
	s.findListClient(r)
	s.mirrorlist(r)
}

// listKind returns which of MirrorManager's lists a raw path asks for, or Other.
func listKind(raw []byte) Kind {
	switch {
	case bytes.HasSuffix(raw, []byte("/mirrorlist")):
		return Mirrorlist
	case bytes.HasSuffix(raw, []byte("/metalink")):
		return Metalink3
	}
	return Other
}

// routePath answers GET and HEAD.
func (s *Server) routePath(r *request) {
	var ok bool
	r.raw, r.query, ok = split(r.ctx.Request.Header.RequestURI())
	if len(r.raw) > maxPath {
		r.fail(fasthttp.StatusRequestURITooLong, "the path is too long\n")
		return
	}
	if ok {
		r.path, r.dir, ok = appendPath(r.pathBuf[:0], r.raw)
	}
	if !ok {
		r.fail(fasthttp.StatusBadRequest, "the path is malformed\n")
		return
	}
	r.pathBuf = r.path
	s.answerPath(r)
}

// fail answers with a status and a line for people.
func (r *request) fail(status int, text string) {
	r.ctx.SetStatusCode(status)
	r.ctx.SetContentType(plain)
	r.ctx.Response.Header.Set(fasthttp.HeaderCacheControl, "no-store")
	r.ctx.SetBodyString(text)
}

const plain = "text/plain; charset=utf-8"

// unavailable answers that there is nothing to say now, but may be later.
func (s *Server) unavailable(r *request) {
	r.ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "300")
	r.fail(fasthttp.StatusServiceUnavailable, "no mirror can serve this now\n")
}
