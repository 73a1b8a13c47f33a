package http

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// answerPath answers for r.path, which may name, in this order:
//
//	a directory, or a file that is known      a redirect, or by Accept a metalink
//	…/mirrorlist, …/metalink                  MirrorManager's lists
//	/ where nothing is mapped there           the start page
//	a known file and .meta4, .sha256, …       what is known of it
//	what may exist on a mirror                a redirect
//
// and with ?mirrorlist, instead of a redirect, the page about it.
func (s *Server) answerPath(r *request) {
	known := s.findClient(r)
	t, found := r.view.Index.Find(r.path)
	found = found && (!t.HasFile || !r.dir)
	listed := found && (t.IsDir || t.HasFile)
	if r.kind = listKind(r.raw); r.kind != Other && !listed {
		s.mirrorlist(r)
		return
	}
	r.kind = Other
	switch {
	case !known:
		r.fail(fasthttp.StatusBadRequest, "ip= is not an address\n")
	case len(r.path) == 0 && !listed:
		s.start(r)
	case !listed && s.sidecar(r):
	case !found:
		r.fail(fasthttp.StatusNotFound, "nothing of this name is mirrored here\n")
	default:
		s.answerTarget(r, &t)
	}
}

// answerTarget answers for what is, or may be, on mirrors.
func (s *Server) answerTarget(r *request, t *index.Target) {
	r.about(t, 0)
	if _, page := param(r.query, "mirrorlist"); page {
		s.page(r, t)
		return
	}
	f := fileOf(r.view.Index, t)
	r.kind = Redirect
	if f.verifiable() {
		r.ctx.Response.Header.Set(fasthttp.HeaderVary, fasthttp.HeaderAccept)
		switch metalinkWanted(r.ctx.Request.Header.PeekAll(fasthttp.HeaderAccept)) {
		case Metalink4:
			r.saveAs(t, ".meta4")
			s.metalink4(r, t, f)
			return
		case Metalink3:
			r.saveAs(t, ".metalink")
			s.metalink3(r, t)
			return
		}
	}
	s.redirect(r, t, f)
}

// saveAs names an answer that has another name than its path says: without
// it, aria2 saves the metalink under the name of the file (RFC 6266).
func (r *request) saveAs(t *index.Target, suffix string) {
	r.buf = append(r.buf[:0], "attachment; filename*=UTF-8''"...)
	r.buf = appendExtValue(r.buf, baseName(t.Path))
	r.buf = append(r.buf, suffix...)
	r.ctx.Response.Header.SetBytesV(fasthttp.HeaderContentDisposition, r.buf)
}

// sidecar answers for a known file's name with one of our suffixes, and
// reports whether r.path is that.
func (s *Server) sidecar(r *request) bool {
	dot := bytes.LastIndexByte(r.path, '.')
	if dot < 0 || r.dir {
		return false
	}
	t, _ := r.view.Index.Find(r.path[:dot])
	if !t.HasFile {
		return false
	}
	r.about(&t, 0)
	f := fileOf(r.view.Index, &t)
	switch suffix := string(r.path[dot+1:]); suffix {
	case "meta4":
		s.metalink4(r, &t, f)
	case "metalink":
		s.metalink3(r, &t)
	default:
		return r.hash(&t, f, suffix)
	}
	return true
}

// hash answers with the line that sha256sum and its like check, and reports
// whether suffix names a hash that is known.
func (r *request) hash(t *index.Target, f file, suffix string) bool {
	for k := range snapshot.HashKinds {
		if suffix != k.String() || f.hash(k) == nil {
			continue
		}
		r.kind = Hash
		r.buf = appendHex(r.buf[:0], f.hash(k))
		r.buf = append(r.buf, "  "...)
		r.buf = append(r.buf, baseName(t.Path)...)
		r.buf = append(r.buf, '\n')
		r.ctx.Response.Header.Set(fasthttp.HeaderCacheControl, "no-cache")
		r.send(fasthttp.StatusOK, plain)
		return true
	}
	return false
}

// baseName returns the last element of a path.
func baseName(path []byte) []byte { return path[bytes.LastIndexByte(path, '/')+1:] }

func appendHex(dst, b []byte) []byte {
	const digits = "0123456789abcdef"
	for _, c := range b {
		dst = append(dst, digits[c>>4], digits[c&15])
	}
	return dst
}
