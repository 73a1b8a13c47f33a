package node

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
)

// guard keeps the admin pages from web pages that an operator's browser shows
// while it can reach the edge. Orders do not come from pages of other origins.
// And pages are not read under a name that leads here only since somebody has
// it do so (DNS rebinding): a browser takes the page of such a name for its own.
// Names of which nobody can have that are those without a dot, and those of this
// machine and this edge. What monitoring reads is there under all names.
func (n *Node) guard(pages http.Handler) http.Handler {
	machine, _ := os.Hostname() // "": no name of the machine
	orders := http.NewCrossOriginProtection().Handler(pages)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/metrics", "/healthz", "/readyz":
		default:
			host := hostOf(r)
			if !isSafe(host) && !strings.EqualFold(host, machine) && !strings.EqualFold(host, n.config.Name) {
				http.Error(w, fmt.Sprintf("host: want an address, a name without a dot, or that of the machine or the edge, got %.260q: else a web page could give orders, by a name that leads here; curl takes -H 'Host: localhost'", host), http.StatusForbidden)
				return
			}
		}
		orders.ServeHTTP(w, r)
	})
}

// hostOf returns the host that a request is for, without the port.
func hostOf(r *http.Request) string {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.TrimSuffix(strings.Trim(host, "[]"), ".")
}

// isSafe reports whether a host is an address, or a name that nobody can buy.
func isSafe(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return !strings.Contains(host, ".")
}
