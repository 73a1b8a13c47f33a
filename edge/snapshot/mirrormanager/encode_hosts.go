package mirrormanager

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// hostTables writes the URLs of hosts and what is known of them.
func (e *encoder) hostTables() {
	asns, netblocks := map[int64][]int64{}, map[netip.Prefix][]int64{}
	e.lists = make([][]list, len(e.snap.Hosts))
	next := int64(0)
	for i := range e.snap.Hosts {
		h := &e.snap.Hosts[i]
		allowed, ok := e.allowed(h)
		if h.Down || !ok {
			e.report.odd("host left out: it is down or serves no country", h.Name)
			continue
		}
		e.serves = append(e.serves, i)
		e.count(h)
		next = e.urlsOf(i, next)
		e.describe(i, allowed)
		for _, asn := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(h.ASNs, h.PeerASNs)))) {
			asns[int64(asn)] = append(asns[int64(asn)], e.ids[i])
		}
		for _, p := range h.Netblocks {
			netblocks[p] = append(netblocks[p], e.ids[i])
		}
	}
	for _, asn := range slices.Sorted(maps.Keys(asns)) {
		m := e.entry.reset()
		m.int(1, asn)
		m.values(asns[asn])
		e.write(10, *m)
	}
	for _, p := range slices.SortedFunc(maps.Keys(netblocks), netip.Prefix.Compare) {
		m := e.entry.reset()
		m.text(1, p.String())
		m.values(netblocks[p])
		e.write(15, *m)
	}
}

// values adds the values of a table's entry: numbers, which proto2 does not pack.
func (m *message) values(vs []int64) {
	for _, v := range vs {
		m.int(2, v)
	}
}

func (e *encoder) count(h *snapshot.Host) {
	e.report.Hosts++
	if h.Private {
		e.report.Private++
	}
	if len(h.PeerASNs) > 0 {
		e.report.odd("peer ASNs of a host became its own", h.Name)
	}
	if h.Bandwidth == 0 {
		e.report.odd("bandwidth of a host raised from 0 to 1", h.Name)
	}
	if len(h.Excluded) > 0 {
		e.report.odd("excluded countries of a host became a list of all others, without clients of no known country", h.Name)
	}
}

// urlsOf writes the URLs of a host, numbered above next; a URL that it has in
// several categories has one number.
func (e *encoder) urlsOf(host int, next int64) int64 {
	e.urls = map[string]int64{}
	for _, mount := range e.snap.Hosts[host].Mounts {
		l := list{category: mount.Category}
		for _, url := range mount.URLs {
			id, ok := e.urls[url]
			if !ok {
				next++
				id = next
				e.urls[url] = id
				m := e.entry.reset()
				m.int(1, id)
				m.text(2, url)
				e.write(4, *m)
			}
			l.ids = append(l.ids, id)
		}
		e.lists[host] = append(e.lists[host], l)
	}
	return next
}

// describe writes a host's country, bandwidth and the countries it serves.
func (e *encoder) describe(host int, allowed []geo.Country) {
	h, id := &e.snap.Hosts[host], e.ids[host]
	m := e.entry.reset()
	if h.Country.Known() {
		e.country[host] = h.Country.String()
		m.int(1, id)
		m.text(2, h.Country.String())
		e.write(12, *m)
	}
	m = e.entry.reset()
	m.int(1, id)
	m.int(2, int64(max(h.Bandwidth, 1)))
	e.write(13, *m)
	if len(allowed) == 0 {
		return
	}
	m = e.entry.reset()
	m.int(1, id)
	for _, c := range allowed {
		m.text(2, c.String())
	}
	e.write(14, *m)
}

// allowed returns the countries that a host serves, nil for all, and false if
// it serves none.
func (e *encoder) allowed(h *snapshot.Host) (allowed []geo.Country, ok bool) {
	if len(h.Excluded) == 0 {
		return h.Allowed, true
	}
	allowed = slices.Clone(h.Allowed)
	if len(allowed) == 0 {
		allowed = countries()
	}
	allowed = slices.DeleteFunc(allowed, func(c geo.Country) bool { return slices.Contains(h.Excluded, c) })
	return allowed, len(allowed) > 0
}

// countries returns all countries whose place is known.
func countries() (all []geo.Country) {
	for a := byte('A'); a <= 'Z'; a++ {
		for b := byte('A'); b <= 'Z'; b++ {
			if _, ok := geo.Centroid(geo.Country{a, b}); ok {
				all = append(all, geo.Country{a, b})
			}
		}
	}
	return all
}
