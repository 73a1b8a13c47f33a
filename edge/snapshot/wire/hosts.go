package wire

import (
	"fmt"
	"net/netip"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// packHost packs all of a host but what it holds.
func packHost(p *packer, h *snapshot.Host) {
	p.text(h.Name)
	p.int(h.ID)
	p.country(h.Country)
	p.flags(h.Private, h.Down, h.DNS, h.Place != nil)
	if h.Place != nil {
		p.point(*h.Place)
	}
	p.uint(uint64(h.Bandwidth))
	packNumbers(p, h.ASNs)
	packNumbers(p, h.PeerASNs)
	packList(p, h.Netblocks, p.prefix)
	packList(p, h.Allowed, p.country)
	packList(p, h.Excluded, p.country)
	packList(p, h.Addresses, p.addr)
	packList(p, h.Mounts, func(m snapshot.Mount) {
		p.uint(uint64(m.Category))
		packList(p, m.URLs, p.text)
	})
}

func packList[T any](p *packer, all []T, each func(T)) {
	p.uint(uint64(len(all)))
	for _, v := range all {
		each(v)
	}
}

func packNumbers(p *packer, all []uint32) {
	packList(p, all, func(v uint32) { p.uint(uint64(v)) })
}

// unpackHosts reads hosts that carry some of so many categories.
func unpackHosts(u *unpacker, categories int) []snapshot.Host {
	seen := map[string]bool{}
	hosts := list(u, 13, "hosts", func() snapshot.Host {
		h := unpackHost(u, categories)
		if seen[h.Name] || h.Name == "" {
			u.fail("host %q: want names, and each once", h.Name)
		}
		seen[h.Name] = true
		return h
	})
	if len(hosts) > maxHosts {
		u.fail("%d hosts, want at most %d", len(hosts), maxHosts)
	}
	return hosts
}

func unpackHost(u *unpacker, categories int) (h snapshot.Host) {
	h.Name, h.ID = u.text("host"), u.int()
	what := fmt.Sprintf("host %q", h.Name)
	h.Country = u.country(what)
	on := u.flag(4)
	h.Private, h.Down, h.DNS = on[0], on[1], on[2]
	if on[3] {
		at := u.point(what)
		h.Place = &at
	}
	h.Bandwidth = uint32(u.upTo(1<<32-1, what+": bandwidth"))
	number := func() uint32 { return uint32(u.upTo(1<<32-1, what+": ASN")) }
	country := func() geo.Country { return u.country(what) }
	h.ASNs = list(u, 1, "ASNs", number)
	h.PeerASNs = list(u, 1, "ASNs", number)
	h.Netblocks = list(u, 6, "netblocks", func() netip.Prefix { return u.prefix(what + ": netblock") })
	h.Allowed = list(u, 2, "countries", country)
	h.Excluded = list(u, 2, "countries", country)
	h.Addresses = list(u, 5, "addresses", func() netip.Addr { return u.addr(what + ": address") })
	h.Mounts = list(u, 2, "mounts", func() (m snapshot.Mount) {
		m.Category = uint32(u.uint())
		if u.err == nil && int(m.Category) >= categories {
			u.fail("%s: category %d, there are %d", what, m.Category, categories)
		}
		m.URLs = list(u, 1, "URLs", func() string { return u.url(what) })
		return m
	})
	return h
}
