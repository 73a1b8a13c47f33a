package http

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// A redirect says more than where to go: Link names further hosts of the file
// and its metalink (RFC 6249), Digest and Repr-Digest what must arrive
// (RFC 3230, RFC 9530).

const (
	maxLinks     = 5       // rel=duplicate links beside the Location
	maxLinkBytes = 4 << 10 // all of them together: some clients' buffers are small
)

// redirect sends the client to the best host of a target.
func (s *Server) redirect(r *request, t *index.Target, f file) {
	header := &r.ctx.Response.Header
	header.Set(fasthttp.HeaderCacheControl, private)
	if f.validate(r) {
		r.ctx.SetStatusCode(fasthttp.StatusNotModified)
		return
	}
	r.ask(t)
	r.asked.Count = 1 + maxLinks
	r.view.Answer(&r.asked, &r.answer)
	r.allDown = r.answer.AllDown()
	hosts := r.answer.Hosts()
	origin := originOf(r, t)
	r.origin = origin != "" && (len(hosts) == 0 || r.allDown)
	switch {
	case r.origin:
		r.buf = appendURL(r.buf[:0], origin, r, t)
	case len(hosts) == 0:
		header.Del(fasthttp.HeaderETag)
		header.Del(fasthttp.HeaderLastModified)
		s.unavailable(r)
		return
	default:
		r.buf = appendURL(r.buf[:0], r.base(hosts[0]), r, t)
	}
	header.SetBytesV(fasthttp.HeaderLocation, r.buf)
	r.ctx.SetStatusCode(fasthttp.StatusFound)
	if !r.origin && !r.isDir(t) {
		r.linkDuplicates(t, hosts[1:])
	}
	if f.verifiable() {
		r.linkMetalink()
		r.setDigests(f)
	}
}

// private says that an answer is for this client and this moment only.
const private = "private, no-store"

// isDir reports whether the target is a directory, or was asked for as one.
func (r *request) isDir(t *index.Target) bool { return r.dir || t.IsDir }

// base returns where host h carries the category, for this client. Hosts that
// were answered have such a URL.
func (r *request) base(h uint32) string { return baseOf(&r.answer, &r.asked, h) }

func baseOf(a *answer.Answer, q *answer.Query, h uint32) string {
	if u := a.URL(h, q.Schemes, q.Reach); u != nil {
		return u.Base
	}
	return ""
}

// originOf returns the origin of a target's category, "" if there is none that
// this client may be sent to: a client of https goes to https only.
func originOf(r *request, t *index.Target) string {
	origin := r.view.Index.Category(t.Category).Origin
	if origin == "" || r.secure && index.SchemeOf(origin) != index.HTTPS {
		return ""
	}
	return origin
}

// appendURL appends the URL of a target below base, the URL of its category's
// top directory. Directories end with a slash; the query stays behind.
func appendURL(dst []byte, base string, r *request, t *index.Target) []byte {
	dst = append(dst, base...)
	if suffix := r.view.Index.Suffix(t); len(suffix) > 0 {
		dst = append(dst, '/')
		dst = appendEscaped(dst, suffix)
	}
	if r.isDir(t) {
		dst = append(dst, '/')
	}
	return dst
}

// linkDuplicates adds the next best hosts, a line each, since aria2 reads one
// link from a line (RFC 6249, section 3).
func (r *request) linkDuplicates(t *index.Target, hosts []uint32) {
	total := 0
	for i, h := range hosts {
		base := r.base(h)
		if strings.IndexByte(base, '>') >= 0 {
			continue // it would end the link, and MirrorManager lets its mirrors' admins write what they like
		}
		r.buf = append(r.buf[:0], '<')
		r.buf = appendURL(r.buf, base, r, t)
		r.buf = append(r.buf, ">; rel=duplicate; pri="...)
		r.buf = strconv.AppendInt(r.buf, int64(i+1), 10)
		if c := r.view.Index.Registered(h).Country; c.Known() {
			r.buf = append(r.buf, "; geo="...)
			r.buf = append(r.buf, lower(c[0]), lower(c[1]))
		}
		if total += len(r.buf); total > maxLinkBytes {
			return
		}
		r.ctx.Response.Header.AddBytesV("Link", r.buf)
	}
}

// linkMetalink adds the link to the file's metalink (RFC 6249, section 4).
func (r *request) linkMetalink() {
	r.buf = append(r.buf[:0], "</"...)
	r.buf = appendEscaped(r.buf, r.path)
	r.buf = append(r.buf, `.meta4>; rel=describedby; type="`+typeMetalink4+`"`...)
	r.ctx.Response.Header.AddBytesV("Link", r.buf)
}

// setDigests sets the hashes of the file: Digest with all that are known, the
// strongest first, and Repr-Digest with those that RFC 9530 calls active.
func (r *request) setDigests(f file) {
	header := &r.ctx.Response.Header
	r.buf = r.buf[:0]
	for _, d := range [...]struct {
		kind snapshot.HashKind
		name string
	}{{snapshot.SHA512, "SHA-512="}, {snapshot.SHA256, "SHA-256="}, {snapshot.SHA1, "SHA="}, {snapshot.MD5, "MD5="}} {
		r.buf = appendDigest(r.buf, d.name, "", f.hash(d.kind))
	}
	header.SetBytesV("Digest", r.buf)
	r.buf = appendDigest(r.buf[:0], "sha-512=:", ":", f.hash(snapshot.SHA512))
	r.buf = appendDigest(r.buf, "sha-256=:", ":", f.hash(snapshot.SHA256))
	if len(r.buf) > 0 {
		header.SetBytesV("Repr-Digest", r.buf)
	}
}

// appendDigest appends an element of a digest list, nothing if sum is unknown.
func appendDigest(dst []byte, before, after string, sum []byte) []byte {
	if sum == nil {
		return dst
	}
	if len(dst) > 0 {
		dst = append(dst, ',')
	}
	dst = append(dst, before...)
	dst = base64.StdEncoding.AppendEncode(dst, sum)
	return append(dst, after...)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
