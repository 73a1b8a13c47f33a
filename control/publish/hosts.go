package publish

import (
	"net/netip"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// addHosts lists the approved and active hosts and what they hold.
func (b *builder) addHosts() {
	b.lacking = map[registry.FileRef][]uint32{}
	listings := map[string][]*registry.Listing{}
	for _, l := range b.in.Listings {
		listings[l.Host] = append(listings[l.Host], l)
	}
	for _, h := range registry.All[*registry.Host](b.in.World) {
		site, ok := registry.Find[*registry.Site](b.in.World, h.Site)
		if !ok || !h.State.Published() || !site.State.Published() || !h.On() || !site.On() {
			continue
		}
		b.addHost(h, site, listings[h.Key()])
	}
}

func (b *builder) addHost(h *registry.Host, site *registry.Site, listings []*registry.Listing) {
	number := uint32(len(b.snap.Hosts))
	out := snapshot.Host{
		Name: h.Key(), ID: h.Number, Bandwidth: h.Bandwidth, ASNs: h.ASNs, PeerASNs: h.PeerASNs,
		Netblocks: b.netblocks(h), Private: h.Private || site.Private,
		Allowed: b.countries(h, h.Allowed), Excluded: b.countries(h, h.Excluded),
		Down: h.Resting(b.in.Now), Addresses: h.Addresses, DNS: h.DNS,
	}
	if len(out.Allowed) < len(h.Allowed) {
		out.Down = true // fewer allowed countries must not become all
	}
	if h.Country != "" {
		if in := b.countries(h, []string{h.Country}); len(in) == 1 {
			out.Country = in[0]
		}
	}
	if h.Location != nil {
		p, err := geo.NewPoint(h.Location.Lat, h.Location.Lon)
		if err == nil {
			out.Place = &p
		}
	}
	for _, carry := range h.Carries {
		b.addCarry(&out, carry)
		for _, l := range listings {
			if l.Category == carry.Category && !carry.AlwaysUpToDate {
				b.addListing(&out, number, l)
			}
		}
	}
	b.snap.Hosts = append(b.snap.Hosts, out)
}

// addCarry adds where a host carries a category, for clients.
func (b *builder) addCarry(out *snapshot.Host, carry registry.Carry) {
	for i, c := range b.categories {
		if c.Name != carry.Category {
			continue
		}
		m := snapshot.Mount{Category: uint32(i)}
		for _, u := range carry.URLs {
			if !u.Private {
				m.URLs = append(m.URLs, u.URL)
			}
		}
		out.Mounts = append(out.Mounts, m)
	}
	if carry.AlwaysUpToDate {
		for _, at := range b.position[carry.Category] {
			out.Has.Add(at)
		}
	}
}

// addListing adds what a host was seen to hold. Where it holds an older
// version of a file, it counts as lacking the file: no client is sent there.
func (b *builder) addListing(out *snapshot.Host, number uint32, l *registry.Listing) {
	for dir, at := range b.position[l.Category] {
		if l.Holds.Has(dir) && !l.Unknown.Has(dir) {
			out.Has.Add(at)
		}
	}
	for _, f := range l.Lacks {
		b.lacking[f] = append(b.lacking[f], number)
	}
	for _, f := range l.Older {
		b.lacking[f.FileRef] = append(b.lacking[f.FileRef], number)
	}
}

// netblocks returns a host's netblocks as prefixes.
func (b *builder) netblocks(h *registry.Host) (out []netip.Prefix) {
	for _, text := range h.Netblocks {
		n, err := registry.ParseNetblock(text)
		switch {
		case err != nil:
			b.note("host %s: netblock: %v", h.Key(), err)
		case n.Name != "":
			out = append(out, b.resolve(h, n.Name)...)
		default:
			out = append(out, n.Prefixes()...)
		}
	}
	return out
}

func (b *builder) resolve(h *registry.Host, name string) (out []netip.Prefix) {
	if b.in.Resolve == nil {
		b.note("host %s: netblock %s: names are not resolved", h.Key(), name)
		return nil
	}
	addrs, err := b.in.Resolve(name)
	if err != nil {
		b.note("host %s: netblock %s: %v", h.Key(), name, err)
	}
	for _, a := range addrs {
		a = a.Unmap()
		out = append(out, netip.PrefixFrom(a, a.BitLen()))
	}
	return out
}

// countries returns country codes as snapshots have them, without those that
// are none, which the registry refuses.
func (b *builder) countries(h *registry.Host, codes []string) (out []geo.Country) {
	for _, code := range codes {
		c, err := geo.ParseCountry(code)
		if err != nil {
			b.note("host %s: %v", h.Key(), err)
			continue
		}
		out = append(out, c)
	}
	return out
}
