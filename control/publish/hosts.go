package publish

import (
	"bytes"
	"net/netip"
	"slices"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// addHosts lists the approved and active hosts, but those in countries under
// embargo, and what they hold.
func (b *builder) addHosts() {
	listings := map[string][]*registry.Listing{}
	for _, l := range b.in.Listings {
		listings[l.Host] = append(listings[l.Host], l)
	}
	for _, h := range registry.All[*registry.Host](b.in.World) {
		site, ok := registry.Find[*registry.Site](b.in.World, h.Site)
		if !ok || !h.State.Published() || !site.State.Published() || !h.On() || !site.On() {
			continue
		}
		if registry.Embargoed(b.in.World, h.Country) {
			b.note("host %s: %s is under embargo", h.Key(), h.Country)
			continue
		}
		b.addHost(h, site, listings[h.Key()])
	}
}

func (b *builder) addHost(h *registry.Host, site *registry.Site, listings []*registry.Listing) {
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
	var used []*registry.Listing
	for _, carry := range h.Carries {
		category := slices.IndexFunc(b.categories, func(c *registry.Category) bool { return c.Name == carry.Category })
		if category < 0 {
			continue
		}
		b.addCarry(&out, carry, uint32(category))
		for _, l := range listings {
			if l.Category == carry.Category && !carry.AlwaysUpToDate {
				b.content.add(&out.Has, category, l.Holds, l.Unknown)
				used = append(used, l)
			}
		}
	}
	b.snap.Hosts, b.listed = append(b.snap.Hosts, out), append(b.listed, used)
}

// addCarry adds where a host carries a category, for clients.
func (b *builder) addCarry(out *snapshot.Host, carry registry.Carry, category uint32) {
	m := snapshot.Mount{Category: category}
	for _, u := range carry.URLs {
		if !u.Private {
			m.URLs = append(m.URLs, u.URL)
		}
	}
	out.Mounts = append(out.Mounts, m)
	if carry.AlwaysUpToDate {
		b.content.add(&out.Has, int(category), b.content.numbers[category], nil)
	}
}

// addHoles adds the files, and which hosts lack some of them although they hold
// the directory.
func (b *builder) addHoles() {
	h := holes{&b.content.files, map[uint32][]uint32{}, map[uint32][]snapshot.Holder{}}
	for host, listings := range b.listed {
		for _, l := range listings {
			for _, f := range l.Lacks {
				if file, ok := b.content.find(f); ok {
					h.lack(uint32(host), file)
				}
			}
			for i := range l.Older {
				if file, ok := b.content.find(l.Older[i].FileRef); ok {
					h.hold(uint32(host), file, l.Older[i].SHA256[:])
				}
			}
		}
	}
	files := b.content.files.WithHoles(h.lacks)
	b.snap.Files = files.WithOlder(h.older)
}

// holes are the files that hosts lack, and the older versions that they hold
// instead, as snapshots have them.
type holes struct {
	files *snapshot.Files
	lacks map[uint32][]uint32
	older map[uint32][]snapshot.Holder
}

func (h *holes) lack(host, file uint32) { h.lacks[file] = append(h.lacks[file], host) }

// hold notes that a host was seen with the version of a file that has the
// SHA-256 sum. No client is sent there for the file; a metalink names the host
// if the version is one of the alternates. A master may have gone back to that
// version since: then it is the current one, and the host does not lack it.
func (h *holes) hold(host, file uint32, sum []byte) {
	current, end := h.files.Versions(file)
	if current < end && bytes.Equal(h.files.Hash(current, snapshot.SHA256), sum) {
		return
	}
	h.lack(host, file)
	if version, live := h.files.OlderVersion(file, sum); live {
		h.older[file] = append(h.older[file], snapshot.Holder{Host: host, Version: version})
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
