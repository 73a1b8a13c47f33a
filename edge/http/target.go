package http

import "bytes"

// maxPath is the longest path that is answered, in bytes as sent. A redirect
// repeats it, encoded, in Location and a few Links.
const maxPath = 2048

// A target is what a request line names.
type target struct {
	raw   []byte // the path as it was sent
	query []byte // as it was sent, without the question mark
	path  []byte // the path decoded and resolved, without slashes at its ends
	dir   bool   // it was sent with a slash or a dot segment at its end
}

// split splits a request target into path and query. The absolute form, which
// clients send to proxies, loses its scheme and authority (RFC 9112, section
// 3.2). It is not ok where there is no path.
func split(uri []byte) (path, query []byte, ok bool) {
	path, query, _ = bytes.Cut(uri, []byte("?"))
	if at := bytes.Index(path, []byte("://")); at > 0 && path[0] != '/' {
		authority := path[at+len("://"):]
		slash := bytes.IndexByte(authority, '/')
		if slash < 0 {
			return []byte("/"), query, true
		}
		path = authority[slash:]
	}
	return path, query, len(path) > 0 && path[0] == '/'
}

// appendPath appends a raw path, decoded once and resolved, to dst; dir reports
// that it ends with a slash or a dot segment. It resolves after decoding, so
// that neither %2e%2e nor ..%2f is a way out. A path is not ok where it climbs
// above the root, or has a NUL, CR, LF, a bare # or an incomplete
// percent-encoding. It allocates nothing where dst has room.
func appendPath(dst, raw []byte) (path []byte, dir, ok bool) {
	start := len(dst)
	if dst, ok = appendUnescaped(dst, raw); !ok || bytes.IndexByte(raw, '#') >= 0 {
		return nil, false, false
	}
	decoded := dst[start:]
	if bytes.IndexByte(decoded, 0) >= 0 || bytes.IndexByte(decoded, '\r') >= 0 || bytes.IndexByte(decoded, '\n') >= 0 {
		return nil, false, false
	}
	return resolve(decoded)
}

// resolve drops empty and dot segments of p, and resolves .. as RFC 3986,
// section 5.2.4 does, but does not let it climb above the root. It works in
// place: what is written never overtakes what is read.
func resolve(p []byte) (path []byte, dir, ok bool) {
	path = p[:0]
	for rest := p; len(rest) > 0; {
		var segment []byte
		segment, rest, dir = bytes.Cut(rest, []byte("/"))
		switch string(segment) {
		case "", ".":
			dir = true
		case "..":
			if len(path) == 0 {
				return nil, false, false
			}
			path = path[:max(bytes.LastIndexByte(path, '/'), 0)]
			dir = true
		default:
			if len(path) > 0 {
				path = append(path, '/')
			}
			path = append(path, segment...)
		}
	}
	return path, dir, true
}

// appendUnescaped appends s with its percent-encodings decoded; it is not ok
// where one is incomplete.
func appendUnescaped(dst, s []byte) (out []byte, ok bool) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) {
				return dst, false
			}
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi > 15 || lo > 15 {
				return dst, false
			}
			c = hi<<4 | lo
			i += 2
		}
		dst = append(dst, c)
	}
	return dst, true
}

// unhex returns the value of a hexadecimal digit, 255 for anything else.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// param returns the raw value of the last parameter called name; given reports
// whether there is one. A parameter without = has an empty value.
func param(query []byte, name string) (value []byte, given bool) {
	for len(query) > 0 {
		var pair []byte
		pair, query, _ = bytes.Cut(query, []byte("&"))
		key, v, _ := bytes.Cut(pair, []byte("="))
		if string(key) == name {
			value, given = v, true
		}
	}
	return value, given
}

// decoded returns a parameter's value decoded, or as it is where its
// percent-encoding is incomplete. It is good until r.scratch is used again.
func (r *request) decoded(value []byte) []byte {
	out, ok := appendUnescaped(r.scratch[:0], value)
	if r.scratch = out; !ok {
		return value
	}
	return out
}
