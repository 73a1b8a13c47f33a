package http

import (
	"bytes"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
)

// A file is what is known of the current version of a file. The zero value
// knows nothing.
type file struct {
	files   *snapshot.Files
	version uint32
}

// fileOf returns what is known of a target.
func fileOf(ix *index.Index, t *index.Target) file {
	if !t.HasFile {
		return file{}
	}
	files := ix.Files()
	from, to := files.Versions(t.File)
	if from == to {
		return file{}
	}
	return file{files, from}
}

// size returns the size in bytes, -1 if unknown.
func (f file) size() int64 {
	if f.files == nil {
		return -1
	}
	return f.files.Size(f.version)
}

// mtime returns the time of change in Unix seconds, 0 if unknown.
func (f file) mtime() int64 {
	if f.files == nil {
		return 0
	}
	return f.files.MTime(f.version)
}

// hash returns a hash, nil if unknown.
func (f file) hash(k snapshot.HashKind) []byte {
	if f.files == nil {
		return nil
	}
	return f.files.Hash(f.version, k)
}

// verifiable reports whether size and some hash are known, so that a metalink
// of the file is worth having.
func (f file) verifiable() bool {
	if f.size() < 0 {
		return false
	}
	for k := range snapshot.HashKinds {
		if f.hash(k) != nil {
			return true
		}
	}
	return false
}

// dated reports whether the file has validators: its size and time are known.
func (f file) dated() bool { return f.size() >= 0 && f.mtime() != 0 }

// appendETag appends our entity tag of the file, which must be dated:
// "MTIME-SIZE" in hexadecimal.
func (f file) appendETag(dst []byte) []byte {
	dst = append(dst, '"')
	dst = strconv.AppendInt(dst, f.mtime(), 16)
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, f.size(), 16)
	return append(dst, '"')
}

// appendLastModified appends the file's time as an HTTP date.
func (f file) appendLastModified(dst []byte) []byte {
	return time.Unix(f.mtime(), 0).UTC().AppendFormat(dst, httpDate)
}

// validate sets ETag and Last-Modified where they are known, and reports
// whether the client has the file already. Strictly, a redirect has no
// validators and no 304 may come in its place; but clients that compare their
// copy's date with ours save a round trip to a mirror, as they do with other
// redirectors. Mirrors have entity tags of their own, and clocks, so only our
// own tag and exactly the known time count. If-None-Match wins (RFC 9110,
// section 13.2.2).
func (f file) validate(r *request) (fresh bool) {
	if !f.dated() {
		return false
	}
	header, etag := &r.ctx.Response.Header, f.appendETag(r.scratch[:0])
	header.SetBytesV(fasthttp.HeaderETag, etag)
	lines := r.ctx.Request.Header.PeekAll(fasthttp.HeaderIfNoneMatch)
	for _, line := range lines {
		fresh = fresh || matchesTag(line, etag)
	}
	r.scratch = f.appendLastModified(etag[:0])
	header.SetBytesV(fasthttp.HeaderLastModified, r.scratch)
	if len(lines) > 0 {
		return fresh
	}
	return bytes.Equal(r.ctx.Request.Header.Peek(fasthttp.HeaderIfModifiedSince), r.scratch)
}

// matchesTag reports whether a line of If-None-Match is * or names the tag,
// weakly or not (RFC 9110, section 13.1.2).
func matchesTag(line, tag []byte) bool {
	if string(bytes.TrimSpace(line)) == "*" {
		return true
	}
	for len(line) > 0 {
		var element []byte
		element, line = cutElement(line)
		element = bytes.TrimPrefix(bytes.TrimSpace(element), []byte("W/"))
		if bytes.Equal(element, tag) {
			return true
		}
	}
	return false
}
