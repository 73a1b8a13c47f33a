package wire

// A Name is a domain name in lower case. The zero value is not a name; fill
// it with [Name.parse] or [Name.Set].
type Name struct {
	b      [255]byte
	n      int
	labels int        // without the root
	at     [128]uint8 // where each label starts, the first first; after them the root
}

// Bytes returns the name in wire form, good until the Name changes.
func (n *Name) Bytes() []byte { return n.b[:n.n] }

// Labels returns the number of labels, the root not counted.
func (n *Name) Labels() int { return n.labels }

// Suffix returns the name of the last labels labels, in wire form.
func (n *Name) Suffix(labels int) []byte { return n.b[n.at[n.labels-labels]:n.n] }

// Offset returns how many bytes of the name come before its last labels labels.
func (n *Name) Offset(labels int) int { return int(n.at[n.labels-labels]) }

// parse reads an uncompressed name at the start of b and returns its length,
// or -1 if there is no name. The name in a question has nothing before it
// that it could point to, so compression is an error there.
func (n *Name) parse(b []byte) int {
	n.labels = 0
	for at := 0; at < len(b) && at < len(n.b); {
		size := int(b[at])
		n.at[n.labels] = uint8(at)
		n.b[at] = b[at]
		if at++; size == 0 {
			n.n = at
			return at
		}
		if size > 63 || at+size >= len(b) || at+size >= len(n.b) {
			return -1
		}
		for _, c := range b[at : at+size] {
			n.b[at] = lower(c)
			at++
		}
		n.labels++
	}
	return -1
}

// Set makes n the name in wire form w and reports whether it is one.
func (n *Name) Set(w []byte) bool { return n.parse(w) == len(w) }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// skipName returns where the possibly compressed name at b[at:] ends, or -1.
func skipName(b []byte, at int) int {
	for at < len(b) {
		switch size := int(b[at]); {
		case size == 0:
			return at + 1
		case size >= 0xc0:
			if at+2 > len(b) {
				return -1
			}
			return at + 2
		case size > 63:
			return -1
		default:
			at += 1 + size
		}
	}
	return -1
}

// AppendHost appends the host name in text, as URLs have it, in wire form and
// lower case. It is not ok, and appends nothing, where text is an IP address
// or no host name: letters, digits, hyphens and underscores in labels of 1 to
// 63, the last of which is not a number.
func AppendHost(b []byte, text string) (_ []byte, ok bool) {
	start := len(b)
	if text != "" && text[len(text)-1] == '.' {
		text = text[:len(text)-1]
	}
	if len(text) == 0 || len(text) > 253 {
		return b[:start], false
	}
	label, numeric := len(b), true
	b = append(b, 0)
	for i := range len(text) {
		c := lower(text[i])
		switch {
		case c == '.':
			if len(b)-label-1 == 0 || len(b)-label-1 > 63 {
				return b[:start], false
			}
			b[label] = byte(len(b) - label - 1)
			label, numeric = len(b), true
			b = append(b, 0)
			continue
		case 'a' <= c && c <= 'z' || c == '-' || c == '_':
			numeric = false
		case '0' <= c && c <= '9':
		default:
			return b[:start], false
		}
		b = append(b, c)
	}
	if size := len(b) - label - 1; size == 0 || size > 63 || numeric {
		return b[:start], false
	}
	b[label] = byte(len(b) - label - 1)
	return append(b, 0), true
}
