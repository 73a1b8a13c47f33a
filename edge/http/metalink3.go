package http

import (
	"bytes"
	"encoding/hex"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// A metalink of version 3 as MirrorManager's servers write it, to the blank:
// programs with regular expressions read it too.
//
//	<?xml version="1.0" encoding="utf-8"?>
//	<metalink version="3.0" … pubdate="…" generator="mirrormanager" …>
//	 <files>
//	  <file name="repomd.xml">
//	   <mm0:timestamp>1752422400</mm0:timestamp>
//	   <size>7108</size>
//	   <verification>
//	    <hash type="sha256">…</hash>
//	   </verification>
//	   <mm0:alternates>                     older versions that mirrors may still hold
//	    <mm0:alternate>…</mm0:alternate>
//	   </mm0:alternates>
//	   <resources maxconnections="1">
//	    <url protocol="https" type="https" location="DE" preference="100">…</url>
//	   </resources>
//	  </file>
//	 </files>
//	</metalink>
//
// The preference falls by one a host, down to 1. Clients accept a file that has
// the hashes of the file or of any alternate, so a host with such an older
// version is named, after all hosts with the current one.

// appendMetalinkHead appends the first two lines.
func appendMetalinkHead(buf []byte, now *moment) []byte {
	buf = append(buf, `<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" type="dynamic" pubdate="`...)
	buf = append(buf, now.http...)
	return append(buf, `" generator="mirrormanager" xmlns:mm0="http://fedorahosted.org/mirrormanager">
`...)
}

// answerMetalink answers with the metalink of l.target.
func (s *Server) answerMetalink(r *request) {
	l := &r.list
	buf := appendMetalinkHead(r.buf[:0], s.now())
	buf = append(buf, " <files>\n  <file name=\""...)
	buf = appendListXML(buf, l.target.Path[bytes.LastIndexByte(l.target.Path, '/')+1:])
	buf = append(buf, "\">\n"...)
	buf = appendVersions(buf, r.view.Index.Files(), l.target.File)
	buf = append(buf, "   <resources maxconnections=\"1\">\n"...)
	buf = l.appendResources(buf, r)
	r.buf = append(buf, "   </resources>\n  </file>\n </files>\n</metalink>\n"...)
	r.send(fasthttp.StatusOK, typeMetalink)
}

// appendVersions appends what is known of a file's versions.
func appendVersions(buf []byte, files *snapshot.Files, file uint32) []byte {
	from, to := files.Versions(file)
	if from == to {
		return buf
	}
	buf = appendVersion(buf, files, from, "  ")
	if from+1 == to {
		return buf
	}
	buf = append(buf, "   <mm0:alternates>\n"...)
	for v := from + 1; v < to; v++ {
		buf = append(buf, "    <mm0:alternate>\n"...)
		buf = appendVersion(buf, files, v, "     ")
		buf = append(buf, "    </mm0:alternate>\n"...)
	}
	return append(buf, "   </mm0:alternates>\n"...)
}

func appendVersion(buf []byte, files *snapshot.Files, v uint32, indent string) []byte {
	if t := files.MTime(v); t > 0 {
		buf = append(append(buf, indent...), " <mm0:timestamp>"...)
		buf = strconv.AppendInt(buf, t, 10)
		buf = append(buf, "</mm0:timestamp>\n"...)
	}
	if size := files.Size(v); size > 0 {
		buf = append(append(buf, indent...), " <size>"...)
		buf = strconv.AppendInt(buf, size, 10)
		buf = append(buf, "</size>\n"...)
	}
	buf = append(append(buf, indent...), " <verification>\n"...)
	for k := range snapshot.HashKinds {
		if sum := files.Hash(v, k); sum != nil {
			buf = append(append(buf, indent...), "  <hash type=\""...)
			buf = append(append(buf, k.String()...), "\">"...)
			buf = append(hex.AppendEncode(buf, sum), "</hash>\n"...)
		}
	}
	return append(append(buf, indent...), " </verification>\n"...)
}

// maxPreference is the preference of the first host.
const maxPreference = 100

// appendResources appends the URLs of all hosts: of each all its URLs, or as
// many of those that protocol= asks for as it names protocols.
func (l *list) appendResources(buf []byte, r *request) []byte {
	ix := r.view.Index
	most := math.MaxInt
	if n := len(l.params.protocols); n > 0 {
		most = n
	}
	l.setResourceTail()
	preference := int64(maxPreference)
	for _, h := range r.answer.Hosts() {
		urls, left := ix.URLs(l.target.Category, h), most
		for i := range urls {
			if left > 0 && l.wants(r, h, &urls[i]) {
				buf = l.appendResource(buf, &urls[i], ix.Host(h), preference)
				left--
			}
		}
		if left < most && preference > 1 {
			preference--
		}
	}
	return buf
}

// setResourceTail makes l.tail what follows the base URL to the end of the line.
func (l *list) setResourceTail() {
	l.text = append(l.text[:0], l.tail...)
	l.tail = appendListXML(l.tail[:0], l.text)
	l.tail = append(l.tail, "</url>\n"...)
}

func (l *list) appendResource(buf []byte, u *index.URL, h *index.Host, preference int64) []byte {
	switch u.Scheme {
	case index.HTTPS:
		buf = append(buf, `    <url protocol="https" type="https" location="`...)
	case index.HTTP:
		buf = append(buf, `    <url protocol="http" type="http" location="`...)
	case index.RSYNC:
		buf = append(buf, `    <url protocol="rsync" type="rsync" location="`...)
	case index.FTP:
		buf = append(buf, `    <url protocol="ftp" type="ftp" location="`...)
	default:
		buf = appendOtherScheme(buf, u.Base)
	}
	if h.Country.Known() {
		buf = append(buf, h.Country[0], h.Country[1])
	}
	buf = append(buf, `" preference="`...)
	buf = strconv.AppendInt(buf, preference, 10)
	if h.Private {
		buf = append(buf, `" mm0:private="True`...)
	}
	buf = append(buf, `">`...)
	buf = append(buf, u.XML...)
	return append(buf, l.tail...)
}

func appendOtherScheme(buf []byte, base string) []byte {
	scheme := []byte(base)
	if colon := bytes.IndexByte(scheme, ':'); colon >= 0 {
		scheme = scheme[:colon]
	}
	buf = appendXML(append(buf, `    <url protocol="`...), scheme)
	buf = appendXML(append(buf, `" type="`...), scheme)
	return append(buf, `" location="`...)
}

// appendListXML is appendXML, but leaves single quotes as they are, as
// MirrorManager does: what it appends stands in double quotes at most.
func appendListXML(buf, text []byte) []byte {
	for {
		quote := bytes.IndexByte(text, '\'')
		if quote < 0 {
			return appendXML(buf, text)
		}
		buf = append(appendXML(buf, text[:quote]), '\'')
		text = text[quote+1:]
	}
}

// appendComment appends text as the content of an XML comment, followed by
// more: two hyphens, which must not occur in one, get a blank between them.
func appendComment(buf, text []byte) []byte {
	for len(text) > 0 {
		c, n := utf8.DecodeRune(text)
		switch {
		case c == '-' && len(buf) > 0 && buf[len(buf)-1] == '-':
			buf = append(buf, ' ', '-')
		case c < ' ' && c != '\n', c == 0xfffe, c == 0xffff:
			buf = utf8.AppendRune(buf, utf8.RuneError)
		default:
			buf = utf8.AppendRune(buf, c)
		}
		text = text[n:]
	}
	return buf
}
