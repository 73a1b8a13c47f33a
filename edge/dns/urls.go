package dns

import (
	"bytes"
	"slices"
	"strings"

	"github.com/waypost/waypost/edge/dns/wire"
	"github.com/waypost/waypost/edge/index"
)

// fillCNAME names the host in the best host's URL. Hosts whose URL has an
// address instead of a name are passed over, so more hosts are asked for until
// one will do. The scope is the longest of all these answers: clients of one
// class take the same steps.
func (w *Work) fillCNAME() bool {
	l := &w.lookup
	l.query.Schemes = index.Web
	for tried, count := 0, 1; ; count *= 2 {
		l.query.Count = count
		hosts := l.answer(&w.answer)
		if slices.ContainsFunc(hosts[tried:], w.writeCNAME) {
			return true
		}
		if tried = len(hosts); tried < count {
			return false
		}
	}
}

// writeCNAME writes the answer unless the host has no name for it, or this
// very one.
func (w *Work) writeCNAME(h uint32) bool {
	l, r := &w.lookup, &w.reply
	if from := l.view.Index.Registered(h); len(from.Addresses) > 0 && !from.DNS {
		return false
	}
	url := w.answer.URL(h, index.Web, l.family())
	if url == nil {
		return false
	}
	r.OpenSet(wire.Answer)
	r.OpenRecord(wire.TypeCNAME, wire.ClassIN, l.name.TTL)
	if !r.Host(hostOf(url.Base)) || bytes.Equal(r.Data(), w.query.Name.Bytes()) {
		r.DropSet()
		return false
	}
	w.lookup.host = h + 1
	r.CloseRecord()
	r.CloseSet()
	return true
}

// hostOf returns the host of a URL, with the bracket where it is a v6 address.
func hostOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	if !strings.HasPrefix(rest, "[") {
		rest, _, _ = strings.Cut(rest, ":")
	}
	return rest
}

// fillHTTPS writes one HTTPS record (RFC 9460) with the addresses of the best
// hosts that have https as hints: the same hosts as A and AAAA, as long as
// they all have https.
func (w *Work) fillHTTPS() bool {
	const hint4, hint6 = 4, 6 // SvcParamKeys, RFC 9460 section 14.3.2
	w.lookup.query.Schemes = index.HTTPS
	r := &w.reply
	r.OpenSet(wire.Answer)
	r.OpenRecord(wire.TypeHTTPS, wire.ClassIN, w.lookup.name.TTL)
	r.Uint16(1) // priority
	r.Byte(0)   // target: this name
	four := w.writeHint(hint4, index.V4, 4)
	six := w.writeHint(hint6, index.V6, 16)
	if !four && !six {
		r.DropSet()
		return false
	}
	r.CloseRecord()
	r.CloseSet()
	return true
}

// writeHint writes the addresses of one family, of size bytes each.
func (w *Work) writeHint(key uint16, f index.Family, size int) bool {
	l, r := &w.lookup, &w.reply
	l.query.Record = f
	hosts := l.answerInOrder(&w.answer)
	if len(hosts) == 0 {
		return false
	}
	r.Uint16(key)
	r.Uint16(uint16(len(hosts) * size))
	for _, h := range hosts {
		r.Addr(address(l.view.Index, h, f))
	}
	return true
}

// fillURLs writes URI or TXT records with the base URLs of the best hosts.
func (w *Work) fillURLs() bool {
	l := &w.lookup
	l.query.Schemes = index.Web
	hosts := l.answerInOrder(&w.answer)
	if len(hosts) == 0 {
		return false
	}
	w.reply.OpenSet(wire.Answer)
	for i, h := range hosts {
		w.writeURL(i, w.url(h))
	}
	w.reply.CloseSet()
	return true
}

// url returns where host h, which has such a URL, carries the name's path,
// good until the next call.
func (w *Work) url(h uint32) []byte {
	l := &w.lookup
	b := append(w.text[:0], w.answer.URL(h, index.Web, l.family()).Base...)
	b = append(b, '/')
	for _, c := range l.view.Index.Suffix(&l.query.Target) {
		b = appendEscaped(b, c)
	}
	w.text = b
	return b
}

// appendEscaped appends a byte of a path as URLs have it: all but unreserved
// characters and slashes percent-encoded (RFC 3986 section 2.3).
func appendEscaped(b []byte, c byte) []byte {
	const hex = "0123456789ABCDEF"
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~', c == '/':
		return append(b, c)
	}
	return append(b, '%', hex[c>>4], hex[c&15])
}

// writeURL writes the record of the host that comes place hosts after the best.
func (w *Work) writeURL(place int, url []byte) {
	r := &w.reply
	r.OpenRecord(w.query.Type, wire.ClassIN, w.lookup.name.TTL)
	if w.query.Type == wire.TypeURI { // RFC 7553 section 4.5
		r.Uint16(uint16(place + 1))
		r.Uint16(1) // weight
		r.Bytes(url)
	} else {
		for ; len(url) > 255; url = url[255:] {
			r.CharacterString(url[:255])
		}
		r.CharacterString(url)
	}
	r.CloseRecord()
}
