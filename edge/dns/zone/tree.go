package zone

import (
	"fmt"
	"maps"
	"slices"

	"github.com/miekg/dns"

	"github.com/waypost/waypost/edge/dns/wire"
)

// parent returns the name above name, which is not the root.
func parent(name string) string {
	i, end := dns.NextLabel(name, 0)
	if end {
		return "."
	}
	return name[i:]
}

// names returns the names of all nodes, sorted, so that problems come in the
// same order each time.
func (b *builder) names() []string { return slices.Sorted(maps.Keys(b.nodes)) }

// checkCNAMEs finds CNAMEs beside other records.
func (b *builder) checkCNAMEs() {
	for _, name := range b.names() {
		n := b.nodes[name]
		i := slices.IndexFunc(n.Sets, func(s RRset) bool { return s.Type == dns.TypeCNAME })
		if i < 0 {
			continue
		}
		if len(n.Sets) > 1 || n.Sets[i].Count > 1 {
			b.problem("%s: a CNAME cannot stand beside other records (RFC 1034 section 3.6.2)", name)
		}
	}
}

// addBetween adds the empty non-terminals (RFC 4592 section 2.2.2).
func (b *builder) addBetween() {
	for _, name := range b.names() {
		for name != b.origin {
			name = parent(name)
			b.node(name)
		}
	}
}

// cut marks all names at or below a delegation, the highest one if they nest.
func (b *builder) cut() {
	slices.SortFunc(b.cuts, func(x, y string) int { return dns.CountLabel(x) - dns.CountLabel(y) })
	for _, at := range b.cuts {
		n := b.nodes[at]
		if n.Cut != nil {
			b.problem("%s NS: is below another delegation", at)
			continue
		}
		c := &Cut{NS: n.Set(dns.TypeNS), DS: n.Set(dns.TypeDS), Labels: dns.CountLabel(at), Apex: n}
		for _, name := range b.names() {
			if below := b.nodes[name]; dns.IsSubDomain(at, name) {
				below.Cut = c
				b.checkForeign(at, name, below, "is at or below the delegation of "+at)
			}
		}
	}
}

// checkHidden finds names that another zone of this edge answers for.
func (b *builder) checkHidden(zs *Zones) {
	for _, name := range b.names() {
		var n wire.Name
		if !n.Set([]byte(wireName(name))) || b.nodes[name].Cut != nil {
			continue
		}
		if z := zs.Find(&n); z != nil && z.Labels > b.zone.Labels {
			b.checkForeign("", name, b.nodes[name], fmt.Sprintf("is in zone %q, which answers for it", z.Name))
		}
	}
}

// checkForeign finds what stands at a name that is not ours, for a reason, and
// is no glue; nor part of the delegation at.
func (b *builder) checkForeign(at, name string, n *Node, reason string) {
	if n.Tailored != nil {
		b.problem("mirrors: %s: %s", name, reason)
	}
	for i := range n.Sets {
		switch t := n.Sets[i].Type; {
		case t == dns.TypeA || t == dns.TypeAAAA:
		case t == dns.TypeNS || t == dns.TypeDS && name == at:
		default:
			b.problem("records: %s %s: %s", name, dns.Type(t), reason)
		}
	}
}

// addExtra gives NS sets the addresses of those servers that have a name in
// the zone.
func (b *builder) addExtra() {
	for _, name := range b.names() {
		n := b.nodes[name]
		set := n.Set(dns.TypeNS)
		if set == nil || set.Type != dns.TypeNS {
			continue
		}
		for at := 0; at < len(set.Records); at = recordEnd(set.Records, at) {
			server, _, err := dns.UnpackDomainName(set.Records[at+dataStart:recordEnd(set.Records, at)], 0)
			if err == nil {
				server, err = canonical(server)
			}
			if err != nil {
				b.problem("records: %s NS: %w", name, err)
				continue
			}
			b.addGlue(name, set, server)
		}
	}
}

// addGlue adds the addresses of one name server of set, the NS of name.
func (b *builder) addGlue(name string, set *RRset, server string) {
	have := false
	if n := b.nodes[server]; n != nil {
		for i := range n.Sets {
			if t := n.Sets[i].Type; t == dns.TypeA || t == dns.TypeAAAA {
				have = true
				set.addExtra(wireName(server), &n.Sets[i])
			}
		}
	}
	if !have && name != b.origin && dns.IsSubDomain(name, server) {
		b.problem("records: %s NS: want the addresses of %s, which is inside the delegation", name, server)
	}
}

// addExtra adds the records of from, whose owner is the name in wire form.
func (s *RRset) addExtra(owner string, from *RRset) {
	for at := 0; at < len(from.Records); at = recordEnd(from.Records, at) {
		s.Extra = append(s.Extra, owner...)
		s.Extra = append(s.Extra, from.Records[at+2:recordEnd(from.Records, at)]...)
		s.ExtraCount++
	}
}
