package node

import (
	"fmt"
	"net/netip"

	"github.com/waypost/waypost/edge/snapshot/strict"
)

// A listener is what the configuration has listen for connections over TCP. All
// that listen over UDP listen over TCP, too.
type listener struct {
	key string // that of the configuration
	at  netip.AddrPort
}

// listeners returns all listeners that the configuration has.
func (c *Config) listeners() (all []listener) {
	if c.HTTP != nil {
		all = append(all, listenersOf("edge.http.listen", c.HTTP.Listen...)...)
	}
	if c.DNS != nil {
		all = append(all, listenersOf("edge.dns.listen", c.DNS.Listen...)...)
	}
	if c.Admin != nil {
		all = append(all, listenersOf("edge.admin.listen", c.Admin.Listen)...)
	}
	return append(all, c.late()...)
}

// late returns those that are not handed over: a process that follows another one
// opens them once that one has closed them.
func (c *Config) late() (all []listener) {
	if c.ASN.BGP != nil {
		all = append(all, listenersOf("edge.asn.bgp.listen", c.ASN.BGP.Listen...)...)
	}
	if c.ASN.BMP != nil {
		all = append(all, listenersOf("edge.asn.bmp.listen", c.ASN.BMP.Listen)...)
	}
	if c.Cluster != nil {
		full := c.Cluster.WithDefaults()
		all = append(all, listenersOf("edge.cluster.listen", full.Listen)...)
		if full.Share.IsValid() && c.Source.Control != nil && len(c.Cluster.KeyFiles) > 0 { // else nothing is shared
			all = append(all, listenersOf("edge.cluster.share", full.Share)...)
		}
	}
	return all
}

func listenersOf(key string, at ...netip.AddrPort) (all []listener) {
	for i, a := range at {
		k := key
		if len(at) > 1 {
			k = fmt.Sprintf("%s[%d]", key, i)
		}
		all = append(all, listener{k, a})
	}
	return all
}

// clashes reports whether another listener keeps this one from listening.
func (l listener) clashes(other netip.AddrPort) bool {
	a, b := l.at.Addr().Unmap(), other.Addr().Unmap()
	return l.at.IsValid() && l.at.Port() != 0 && l.at.Port() == other.Port() && a.Is4() == b.Is4() &&
		(a == b || a.IsUnspecified() || b.IsUnspecified())
}

// checkListeners notes which listeners want the port of another.
func (c *Config) checkListeners(doc *strict.Doc) {
	all := c.listeners()
	for i, l := range all {
		for _, before := range all[:i] {
			if l.clashes(before.at) {
				doc.Problem(l.key, "want a port of its own: %s listens at %s", before.key, before.at)
				break
			}
		}
	}
}
