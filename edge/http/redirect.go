package http

import "github.com/valyala/fasthttp"

func (s *Server) answerPath(r *request) {
	r.kind = listKind(r.raw)
	if !s.findClient(r) && r.kind == Other {
		r.fail(fasthttp.StatusBadRequest, "ip= is not an address\n")
		return
	}
	if r.kind != Other {
		s.mirrorlist(r)
	}
}
