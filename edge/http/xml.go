package http

import "unicode/utf8"

// appendXML appends text for XML 1.0, between tags or inside quotes of either
// kind. What XML cannot say, bytes that are not UTF-8 and most controls,
// becomes U+FFFD.
func appendXML(dst, text []byte) []byte {
	for len(text) > 0 {
		c, size := utf8.DecodeRune(text)
		text = text[size:]
		switch {
		case c == '&':
			dst = append(dst, "&amp;"...)
		case c == '<':
			dst = append(dst, "&lt;"...)
		case c == '>':
			dst = append(dst, "&gt;"...)
		case c == '"':
			dst = append(dst, "&quot;"...)
		case c == '\'':
			dst = append(dst, "&#39;"...)
		case c == '\t' || c == '\n' || c == '\r':
			dst = append(dst, '&', '#', '0'+byte(c)/10, '0'+byte(c)%10, ';')
		case c < ' ' || c == 0xfffe || c == 0xffff:
			dst = utf8.AppendRune(dst, utf8.RuneError)
		default:
			dst = utf8.AppendRune(dst, c)
		}
	}
	return dst
}
