package dns

import (
	"net/netip"
	"slices"

	"github.com/waypost/waypost/edge/dns/wire"
	"github.com/waypost/waypost/edge/dns/zone"
	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/statistics"
)

// answerTailored answers with the hosts that are best for the client.
func (s *Server) answerTailored(w *Work, name *zone.Tailored) {
	w.reply.Authoritative = true
	if ok := s.fill(w, name); ok {
		w.tally(statistics.DNS)
		w.count.tailored.Add(1)
		if w.answer.AllDown() {
			w.count.allDown.Add(1)
		}
	} else {
		s.noHost(w)
	}
	if subnet := &w.query.Subnet; subnet.Present {
		w.reply.Scope = subnet.Scope(w.lookup.scope)
	}
	w.lookup.view, w.answer.View = nil, nil // an idle Work keeps no old index alive
}

// fill writes the answer, and reports whether there is a host in it.
func (s *Server) fill(w *Work, name *zone.Tailored) bool {
	l := &w.lookup
	*l = lookup{view: s.config.Engine.View(), name: name}
	if l.view == nil {
		return false
	}
	target, ok := l.view.Index.Find(name.Path)
	if !ok {
		l.view = nil
		return false
	}
	l.query.Target, l.query.Sticky, l.query.Count = target, true, name.Count
	l.place(w)
	switch t := w.query.Type; {
	case name.Types == zone.CNAME:
		return w.fillCNAME()
	case t == wire.TypeA:
		return w.fillAddresses(index.V4)
	case t == wire.TypeAAAA:
		return w.fillAddresses(index.V6)
	case t == wire.TypeHTTPS:
		return w.fillHTTPS()
	default:
		return w.fillURLs()
	}
}

// fillAddresses writes the A or AAAA records of the best hosts.
func (w *Work) fillAddresses(f index.Family) bool {
	l := &w.lookup
	l.query.Record = f
	hosts := l.answer(&w.answer)
	w.reply.OpenSet(wire.Answer)
	for i, h := range hosts {
		a := address(l.view.Index, h, f)
		if !w.repeats(hosts[:i], f, a) {
			w.reply.Address(l.name.TTL, a)
		}
	}
	w.reply.CloseSet()
	return len(hosts) > 0
}

// address returns the first address of a host, which has one of the family.
func address(ix *index.Index, h uint32, f index.Family) netip.Addr {
	if f == index.V4 {
		return ix.Host(h).V4[0]
	}
	return ix.Host(h).V6[0]
}

// repeats reports whether a is the address of a host before: an RRset has no
// record twice (RFC 2181 section 5).
func (w *Work) repeats(before []uint32, f index.Family, a netip.Addr) bool {
	return slices.ContainsFunc(before, func(h uint32) bool { return address(w.lookup.view.Index, h, f) == a })
}

// noHost answers where no host may serve the client: if none of the name has
// the type for anyone, that is NODATA, the same for all; else the zone's
// fallback addresses; else NODATA again if all that have the type are drained, and
// a failure, which nobody keeps for long, if they are there for others.
func (s *Server) noHost(w *Work) {
	l, r := &w.lookup, &w.reply
	if l.view != nil && !l.exists(l.view.Index, nil, w.query.Type) {
		l.scope = 0
		s.negative(w, l.name.Zone)
		return
	}
	l.host = 0
	w.tally(statistics.Unserved)
	r.OpenSet(wire.Answer)
	for _, a := range l.name.Zone.Fallback {
		if a = a.Unmap(); w.query.Type == wire.TypeA && a.Is4() || w.query.Type == wire.TypeAAAA && a.Is6() {
			r.Address(l.name.TTL, a)
		}
	}
	r.CloseSet()
	if r.Records(wire.Answer) > 0 || r.Truncated {
		w.count.fallback.Add(1)
		return
	}
	if l.view != nil && !l.exists(l.view.Index, l.view.Health.Drained(), w.query.Type) {
		l.scope = 0
		s.negative(w, l.name.Zone)
		return
	}
	r.Rcode, r.Authoritative = wire.ServFail, false
	w.count.noHost.Add(1)
}

// exists reports whether some host of the name has the type for anyone, without
// those that are drained.
func (l *lookup) exists(ix *index.Index, drained hostset.Set, rrtype uint16) bool {
	t := &l.query.Target
	var lacking hostset.Set
	if t.HasFile {
		lacking = ix.Lacking(t.File)
	}
	holders := ix.Holders(t.Directory)
	for h := holders.Next(0); h >= 0; h = holders.Next(h + 1) {
		n := uint32(h)
		if ix.Active().Has(n) && !drained.Has(n) && !lacking.Has(n) && l.has(ix, n, rrtype) {
			return true
		}
	}
	return false
}

// has reports whether a host has what an answer of the type is made of.
func (l *lookup) has(ix *index.Index, h uint32, rrtype uint16) bool {
	v4, v6 := ix.WithRecord(index.V4).Has(h), ix.WithRecord(index.V6).Has(h)
	https := ix.WithScheme(l.query.Target.Category, index.HTTPS).Has(h)
	web := https || ix.WithScheme(l.query.Target.Category, index.HTTP).Has(h)
	switch {
	case l.name.Types == zone.CNAME:
		return web
	case rrtype == wire.TypeA:
		return v4
	case rrtype == wire.TypeAAAA:
		return v6
	case rrtype == wire.TypeHTTPS:
		return https && (v4 || v6)
	}
	return web
}
