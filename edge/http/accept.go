package http

import "bytes"

// A quality is how much a client wants a media type, in thousandths.
type quality int

const unnamed quality = -1 // the type is not in Accept

// accepts returns the quality of a media type, such as "application/json", in
// the lines of an Accept header (RFC 9110, section 12.5.1). Only the type
// itself counts: that */* or application/* would take it says nothing. Where
// it is named more than once, the highest quality holds.
func accepts(lines [][]byte, media string) quality {
	best := unnamed
	for _, line := range lines {
		for len(line) > 0 {
			var element []byte
			element, line = cutElement(line)
			name, parameters, _ := bytes.Cut(element, []byte(";"))
			if equalFold(bytes.TrimSpace(name), media) {
				best = max(best, qualityOf(parameters))
			}
		}
	}
	return best
}

// cutElement cuts the first element off a comma-separated list; commas in
// quotes belong to it.
func cutElement(list []byte) (element, rest []byte) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ',' && !quoted:
			return list[:i], list[i+1:]
		}
	}
	return list, nil
}

// qualityOf returns the value of q= among a type's parameters; 1, the default,
// where there is none or it cannot be read.
func qualityOf(parameters []byte) quality {
	for len(parameters) > 0 {
		var p []byte
		p, parameters, _ = bytes.Cut(parameters, []byte(";"))
		key, value, _ := bytes.Cut(bytes.TrimSpace(p), []byte("="))
		if equalFold(key, "q") {
			return parseQuality(value)
		}
	}
	return 1000
}

// parseQuality parses a qvalue: 0 to 1 with up to three decimals.
func parseQuality(b []byte) quality {
	if len(b) == 0 || b[0] != '0' || len(b) > 1 && b[1] != '.' {
		return 1000
	}
	q, unit := quality(0), quality(100)
	for _, c := range b[min(2, len(b)):] {
		if c < '0' || c > '9' {
			return 1000
		}
		q += quality(c-'0') * unit
		unit /= 10
	}
	return q
}

// equalFold reports whether b is the lower-case ASCII text s in any case.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != s[i] {
			return false
		}
	}
	return true
}

const (
	typeMetalink4 = "application/metalink4+xml"
	typeMetalink3 = "application/metalink+xml"
)

// metalinkWanted returns which metalink a client asks for by Accept, or Other.
// A type that is named counts even beside */*: zypper sends both beside it
// with every file. Of two, the one with the higher quality, of equals v4.
func metalinkWanted(lines [][]byte) Kind {
	v4, v3 := accepts(lines, typeMetalink4), accepts(lines, typeMetalink3)
	switch {
	case v4 > 0 && v4 >= v3:
		return Metalink4
	case v3 > 0:
		return Metalink3
	}
	return Other
}

// jsonWanted reports whether JSON is named and not less wanted than HTML.
func jsonWanted(lines [][]byte) bool {
	json := accepts(lines, "application/json")
	return json > 0 && json >= accepts(lines, "text/html")
}
