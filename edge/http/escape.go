package http

import "strings"

// Percent-encoding of paths.
//
// A path in a URL keeps RFC 3986's unreserved characters, the slash, and those
// of section 3.3 that mean nothing to anybody; all else is encoded, such as
// blanks, quotes, %, ?, #, controls and the bytes of UTF-8. + is legal as it
// is, but storage services read it as a blank, so it becomes %2B, which
// everybody reads as +.

// The ASCII characters that a path keeps, bit c%64 of word c/64.
const (
	keptLow  = 1<<'!' | 1<<'$' | 1<<'&' | 1<<'\'' | 1<<'(' | 1<<')' | 1<<'*' | 1<<',' | 1<<'-' | 1<<'.' | 1<<'/' | 1<<':' | 1<<';' | 1<<'=' | (1<<10-1)<<'0'
	keptHigh = 1<<('@'-64) | 1<<('_'-64) | 1<<('~'-64) | (1<<26-1)<<('A'-64) | (1<<26-1)<<('a'-64)
)

// kept reports whether a path keeps c.
func kept(c byte) bool {
	switch {
	case c < 64:
		return uint64(keptLow)>>c&1 != 0
	case c < 128:
		return uint64(keptHigh)>>(c-64)&1 != 0
	}
	return false
}

// appendEscaped appends path percent-encoded.
func appendEscaped(dst, path []byte) []byte {
	for _, c := range path {
		if kept(c) {
			dst = append(dst, c)
		} else {
			dst = appendEncoded(dst, c)
		}
	}
	return dst
}

// appendExtValue appends a name as a header parameter's extended value (RFC
// 8187, section 3.2.1), which keeps less than a path does.
func appendExtValue(dst, name []byte) []byte {
	for _, c := range name {
		if kept(c) && strings.IndexByte("'()*,/:;=@", c) < 0 {
			dst = append(dst, c)
		} else {
			dst = appendEncoded(dst, c)
		}
	}
	return dst
}

func appendEncoded(dst []byte, c byte) []byte {
	const hex = "0123456789ABCDEF"
	return append(dst, '%', hex[c>>4], hex[c&15])
}
