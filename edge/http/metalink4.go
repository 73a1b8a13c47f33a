package http

import (
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// maxMetalink is how many hosts a metalink of a file names.
const maxMetalink = 100

// answerList answers for t as long as MirrorManager's lists are and returns the
// origin to name after the hosts, if there is one; older says that hosts with an
// older version of the file will do. It is not ok where there is nothing to name;
// then the answer is 503.
func (s *Server) answerList(r *request, t *index.Target, older bool) (origin string, ok bool) {
	r.ask(t)
	r.asked.Older = older
	r.asked.List, r.asked.Minimum, r.asked.Count = true, s.config.MinimumHosts, maxMetalink
	r.view.Answer(&r.asked, &r.answer)
	r.allDown = r.answer.AllDown()
	origin = originOf(r, t)
	if len(r.answer.Hosts()) == 0 && origin == "" {
		s.unavailable(r)
		return "", false
	}
	r.offered = origin != ""
	r.ctx.Response.Header.Set(fasthttp.HeaderCacheControl, private)
	return origin, true
}

// metalink4 answers with the metalink of a known file (RFC 5854): its hosts in
// order, the origin last. There is no element for alternates, so that a file in
// an older version fails its hash: hosts with one are not named.
func (s *Server) metalink4(r *request, t *index.Target, f file) {
	r.kind = Metalink4
	origin, ok := s.answerList(r, t, false)
	if !ok {
		return
	}
	b := append(r.buf[:0], `<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
  <generator>Waypost</generator>
`...)
	now := s.now().time
	if created := r.view.Index.Created(); !created.IsZero() && created.Before(now) {
		b = appendDate(b, "published", created)
		b = appendDate(b, "updated", now)
	} else {
		b = appendDate(b, "published", now)
	}
	b = append(b, `  <file name="`...)
	b = appendXML(b, baseName(t.Path))
	b = append(b, "\">\n"...)
	b = f.appendFacts(b)
	for i, h := range r.answer.Hosts() {
		location := r.view.Index.Registered(h).Country.String()
		b = r.appendSource(b, t, r.base(h), location, i+1)
	}
	if origin != "" {
		b = r.appendSource(b, t, origin, "", len(r.answer.Hosts())+1)
	}
	r.buf = append(b, "  </file>\n</metalink>\n"...)
	r.send(fasthttp.StatusOK, typeMetalink4)
}

// appendDate appends an element with a time, RFC 5854, section 4.2.
func appendDate(b []byte, element string, at time.Time) []byte {
	b = append(b, "  <"...)
	b = append(b, element...)
	b = append(b, '>')
	b = at.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, "</"...)
	b = append(b, element...)
	return append(b, ">\n"...)
}

// appendFacts appends size and hashes, by their names in IANA's registry of
// textual hash function names, the strongest first.
func (f file) appendFacts(b []byte) []byte {
	if f.size() >= 0 {
		b = append(b, "    <size>"...)
		b = strconv.AppendInt(b, f.size(), 10)
		b = append(b, "</size>\n"...)
	}
	for _, h := range [...]struct {
		kind snapshot.HashKind
		name string
	}{{snapshot.SHA512, "sha-512"}, {snapshot.SHA256, "sha-256"}, {snapshot.SHA1, "sha-1"}, {snapshot.MD5, "md5"}} {
		if sum := f.hash(h.kind); sum != nil {
			b = append(b, `    <hash type="`...)
			b = append(b, h.name...)
			b = append(b, `">`...)
			b = appendHex(b, sum)
			b = append(b, "</hash>\n"...)
		}
	}
	return b
}

// appendSource appends one URL of the file. location may be unknown.
func (r *request) appendSource(b []byte, t *index.Target, base, location string, priority int) []byte {
	b = append(b, "    <url"...)
	if location != "" {
		b = append(b, ` location="`...)
		b = append(b, lower(location[0]), lower(location[1]))
		b = append(b, '"')
	}
	b = append(b, ` priority="`...)
	b = strconv.AppendInt(b, int64(priority), 10)
	b = append(b, `">`...)
	r.scratch = appendURL(r.scratch[:0], base, r, t)
	b = appendXML(b, r.scratch)
	return append(b, "</url>\n"...)
}

// metalink3 answers with the metalink of a known file in version 3, as
// MirrorManager writes it, with one URL of each host. Those with an older version
// that is among the alternates come after all others, and the origin last.
func (s *Server) metalink3(r *request, t *index.Target) {
	r.kind = Metalink3
	origin, ok := s.answerList(r, t, true)
	if !ok {
		return
	}
	ix, l := r.view.Index, &r.list
	l.tail = appendURL(l.tail[:0], "", r, t)
	l.setResourceTail()
	b := appendMetalinkHead(r.buf[:0], s.now())
	b = append(b, " <files>\n  <file name=\""...)
	b = appendXML(b, baseName(t.Path))
	b = append(b, "\">\n"...)
	b = appendVersions(b, ix.Files(), t.File)
	b = append(b, "   <resources maxconnections=\"1\">\n"...)
	preference := int64(maxPreference)
	for _, h := range r.answer.Hosts() {
		if u := r.answer.URL(h, r.asked.Schemes, r.asked.Reach); u != nil {
			b = l.appendResource(b, u, ix.Host(h), preference)
			preference = max(preference-1, 1)
		}
	}
	if origin != "" {
		u := index.URL{Scheme: index.SchemeOf(origin), Base: origin, XML: string(appendXML(nil, []byte(origin)))}
		b = l.appendResource(b, &u, &index.Host{}, preference)
	}
	r.buf = append(b, "   </resources>\n  </file>\n </files>\n</metalink>\n"...)
	r.send(fasthttp.StatusOK, typeMetalink3)
}
