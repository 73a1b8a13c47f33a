package service

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// behind lets a handler see clients as if they were its peers: where the peer is
// a trusted proxy, the client is the rightmost element of X-Forwarded-For, all
// its lines joined, that is not one. What stands left of it the client may have
// made up. From a peer that is not trusted, X-Forwarded-For, -Proto and -Host
// are taken away, so that nothing further in believes them.
func behind(trusted []netip.Prefix, h http.Handler) http.Handler {
	trusts := func(a netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if client := peer.Addr().Unmap().WithZone(""); err == nil && trusts(client) {
			r.RemoteAddr = net.JoinHostPort(forwardedFor(client, r.Header.Values("X-Forwarded-For"), trusts).String(), "0")
		} else {
			for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"} {
				r.Header.Del(name)
			}
		}
		h.ServeHTTP(w, r)
	})
}

// forwardedFor returns the client that a trusted peer stands for. The walk stops
// at an element that is no address.
func forwardedFor(client netip.Addr, lines []string, trusts func(netip.Addr) bool) netip.Addr {
	elements := strings.Split(strings.Join(lines, ","), ",")
	for _, element := range slices.Backward(elements) {
		element = strings.TrimSpace(element)
		if element == "" {
			continue // RFC 9110, section 5.6.1.2: empty elements do not count
		}
		a, err := netip.ParseAddr(element)
		if err != nil {
			p, portErr := netip.ParseAddrPort(element)
			if a = p.Addr(); portErr != nil {
				return client
			}
		}
		if client = a.Unmap().WithZone(""); !trusts(client) {
			return client
		}
	}
	return client
}
