package http

import (
	"bytes"
	"math"
	"net"
	"net/netip"
	"slices"
	"unsafe"

	"github.com/valyala/fasthttp"
)

// Who a client is.
//
// The peer of a connection is the client, unless it is a trusted proxy. Then
// the lines of X-Forwarded-For, joined, are walked from the right: each
// trusted proxy vouches for the element that it appended, so that the first
// address that is not a trusted proxy's is the client, and what stands left of
// it, which the client may have made up, is not looked at:
//
//	peer 10.0.0.1, X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.2
//	                                         └ client     └ trusted
//
// A client may speak for others by ip= only if it is itself a trusted address:
// else everybody could, through a proxy, see what private mirrors others have.
//
// A mirrorlist-server believes everybody, as Fedora's does: ip=, else the last
// element of the first X-Forwarded-For line, else the peer.

// findClient fills in who the client is. It is not ok where ip= counts and is
// not an address.
func (s *Server) findClient(r *request) (ok bool) {
	peer := peerOf(r.ctx)
	r.secure = r.ctx.IsTLS()
	r.client = peer.Unmap()
	if !s.trusts(r.client) {
		return true
	}
	var own bool
	r.client, own = s.walk(r.client, r.ctx.Request.Header.PeekAll(fasthttp.HeaderXForwardedFor))
	r.secure = r.secure || forwardedSecurely(&r.ctx.Request.Header)
	if ip, given := param(r.query, "ip"); own && given {
		r.client, ok = parseAddr(r.decoded(ip))
		return ok
	}
	return true
}

// findListClient is findClient for a mirrorlist-server: the address as it was
// given, and the zero Addr where that is none.
func (s *Server) findListClient(r *request) {
	r.secure = r.ctx.IsTLS() || forwardedSecurely(&r.ctx.Request.Header)
	text, _ := param(r.query, "ip")
	if text = r.decoded(text); len(text) == 0 {
		text = lastElement(r.ctx.Request.Header.Peek(fasthttp.HeaderXForwardedFor))
	}
	if len(text) == 0 {
		r.client = peerOf(r.ctx).Unmap()
		r.given = r.client.String()
		return
	}
	r.client, _ = parseAddr(text)
	r.given = string(text)
}

// peerOf returns the peer's address without a zone; the zero Addr where the
// connection is not TCP.
func peerOf(ctx *fasthttp.RequestCtx) netip.Addr {
	if a, ok := ctx.RemoteAddr().(*net.TCPAddr); ok {
		ip, _ := netip.AddrFromSlice(a.IP)
		return ip
	}
	return netip.Addr{}
}

// trusts reports whether an unmapped address is a trusted proxy's.
func (s *Server) trusts(a netip.Addr) bool {
	for _, p := range s.config.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// walk returns the client that the trusted peer stands for. It is the proxies'
// own, and may speak for others by ip=, where all addresses are trusted. The
// walk stops at an element that is no address.
func (s *Server) walk(peer netip.Addr, lines [][]byte) (client netip.Addr, own bool) {
	client = peer
	for _, rest := range slices.Backward(lines) {
		for len(rest) > 0 {
			var element []byte
			rest, element = cutLast(rest)
			if len(element) == 0 {
				continue // RFC 9110, section 5.6.1.2: empty elements do not count
			}
			a, ok := parseForwarded(element)
			if !ok {
				return client, false
			}
			if client = a; !s.trusts(a) {
				return client, false
			}
		}
	}
	return client, true
}

// cutLast cuts the last element off a comma-separated list.
func cutLast(list []byte) (rest, element []byte) {
	cut := bytes.LastIndexByte(list, ',')
	return list[:max(cut, 0)], bytes.Trim(list[cut+1:], " \t")
}

func lastElement(list []byte) []byte {
	_, element := cutLast(list)
	return element
}

// forwardedSecurely reports whether X-Forwarded-Proto has https. One is enough
// in its lists: proxies append or pass on as they like, and a client of https
// must never be sent to plain http.
func forwardedSecurely(h *fasthttp.RequestHeader) bool {
	for _, rest := range h.PeekAll(fasthttp.HeaderXForwardedProto) {
		for len(rest) > 0 {
			var element []byte
			rest, element = cutLast(rest)
			if equalFold(element, "https") {
				return true
			}
		}
	}
	return false
}

// parseForwarded parses an element of X-Forwarded-For: an address, or one with
// a port, or one in brackets, as some proxies write them.
func parseForwarded(b []byte) (netip.Addr, bool) {
	if b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		if end < 0 || !isPort(b[end+1:]) || bytes.IndexByte(b[:end], ':') < 0 {
			return netip.Addr{}, false
		}
		return parseAddr(b[1:end])
	}
	if colon := bytes.IndexByte(b, ':'); colon >= 0 && bytes.IndexByte(b, '.') >= 0 && isPort(b[colon:]) {
		b = b[:colon]
	}
	return parseAddr(b)
}

// isPort reports whether b is empty or a colon and a port.
func isPort(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	port := 0
	for _, c := range b[1:] {
		if port = 10*port + int(c-'0'); c < '0' || c > '9' || port > math.MaxUint16 {
			return false
		}
	}
	return b[0] == ':' && len(b) > 1
}

// parseAddr parses an address without a zone and unmaps it.
func parseAddr(b []byte) (netip.Addr, bool) {
	if len(b) == 0 || len(b) > maxAddr || bytes.IndexByte(b, '%') >= 0 {
		return netip.Addr{}, false
	}
	// Without a zone, no Addr keeps the text; an allocation for each request
	// behind a proxy is saved.
	a, err := netip.ParseAddr(unsafe.String(&b[0], len(b))) //nolint:gosec // see above
	return a.Unmap(), err == nil
}

// maxAddr is the length of the longest text of an address.
const maxAddr = len("0000:0000:0000:0000:0000:ffff:255.255.255.255")

// unmapped returns prefixes in which ::ffff:a.b.c.d/n is a.b.c.d/(n−96).
func unmapped(prefixes []netip.Prefix) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(prefixes))
	for _, p := range prefixes {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		out = append(out, p.Masked())
	}
	return out
}
