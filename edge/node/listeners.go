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
	add := func(key string, at ...netip.AddrPort) {
		for i, a := range at {
			k := key
			if len(at) > 1 {
				k = fmt.Sprintf("%s[%d]", key, i)
			}
			all = append(all, listener{k, a})
		}
	}
	if c.HTTP != nil {
		add("edge.http.listen", c.HTTP.Listen...)
	}
	if c.DNS != nil {
		add("edge.dns.listen", c.DNS.Listen...)
	}
	if c.Admin != nil {
		add("edge.admin.listen", c.Admin.Listen)
	}
	if c.ASN.BGP != nil {
		add("edge.asn.bgp.listen", c.ASN.BGP.Listen...)
	}
	if c.ASN.BMP != nil {
		add("edge.asn.bmp.listen", c.ASN.BMP.Listen)
	}
	if c.Cluster != nil {
		full := c.Cluster.WithDefaults()
		add("edge.cluster.listen", full.Listen)
		if full.Share.IsValid() {
			add("edge.cluster.share", full.Share)
		}
	}
	return all
}

// clashes reports whether only one of two listeners can listen.
func (l listener) clashes(other listener) bool {
	a, b := l.at.Addr().Unmap(), other.at.Addr().Unmap()
	return l.at.IsValid() && l.at.Port() != 0 && l.at.Port() == other.at.Port() && a.Is4() == b.Is4() &&
		(a == b || a.IsUnspecified() || b.IsUnspecified())
}

// checkListeners notes which listeners want the port of another.
func (c *Config) checkListeners(doc *strict.Doc) {
	all := c.listeners()
	for i, l := range all {
		for _, before := range all[:i] {
			if l.clashes(before) {
				doc.Problem(l.key, "want a port of its own: %s listens at %s", before.key, before.at)
				break
			}
		}
	}
}
