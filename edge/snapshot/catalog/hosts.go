package catalog

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

func (b *builder) addHosts() {
	b.hosts = map[string]int{}
	if len(b.in.Hosts) == 0 {
		b.doc.Problem("hosts", "want at least one host")
	}
	for i := range b.in.Hosts {
		in := &b.in.Hosts[i]
		at := fmt.Sprintf("hosts[%d]", i)
		b.require(at+".name", "a name")
		b.unique(b.hosts, string(in.Name), "hosts", i, "name")
		h := describe(in)
		b.checkClients(in, at)
		if in.Location != nil {
			h.Place = b.point(in.Location, at+".location")
		}
		h.Mounts = b.mounts(in, at+".urls")
		b.snap.Hosts = append(b.snap.Hosts, h)
	}
}

// checkClients finds hosts that could not serve anybody, or say a thing twice.
func (b *builder) checkClients(in *Host, at string) {
	if in.Private && len(in.Netblocks)+len(in.ASNs)+len(in.PeerASNs) == 0 {
		b.doc.Problem(at+".private", "want netblocks, asn or peer_asns beside it: a private host without serves nobody")
	}
	for i, a := range in.Addresses {
		if slices.Contains(in.Addresses[:i], a) {
			b.doc.Problem(fmt.Sprintf("%s.addresses[%d]", at, i), "%s is given twice", a.Addr)
		}
	}
}

// describe returns what can be taken over as it is.
func describe(in *Host) snapshot.Host {
	h := snapshot.Host{
		Name: string(in.Name), Country: in.Country.Country, Bandwidth: DefaultBandwidth,
		ASNs: numbers(in.ASNs), PeerASNs: numbers(in.PeerASNs),
		Private: in.Private, Allowed: countries(in.Allowed), Excluded: countries(in.Excluded), Down: in.Down,
		DNS: len(in.Addresses) > 0,
	}
	if in.Bandwidth != nil {
		h.Bandwidth = *in.Bandwidth
	}
	if in.DNS != nil {
		h.DNS = *in.DNS
	}
	for _, p := range in.Netblocks {
		h.Netblocks = append(h.Netblocks, p.Prefix)
	}
	for _, a := range in.Addresses {
		h.Addresses = append(h.Addresses, a.Addr)
	}
	slices.SortFunc(h.Netblocks, netip.Prefix.Compare)
	h.Netblocks = slices.Compact(h.Netblocks)
	return h
}

func numbers(in []ASN) (out []uint32) {
	for _, asn := range in {
		out = append(out, uint32(asn))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func countries(in []Country) (out []geo.Country) {
	for _, c := range in {
		if !slices.Contains(out, c.Country) {
			out = append(out, c.Country)
		}
	}
	return out
}

func (b *builder) point(in *Location, at string) *geo.Point {
	lat := b.degrees(in.Lat, at+".lat", 90)
	lon := b.degrees(in.Lon, at+".lon", 180)
	return &geo.Point{Lat: lat, Lon: lon}
}

func (b *builder) degrees(v *float64, key string, limit float64) float32 {
	switch {
	case v == nil:
		b.doc.Problem(key, "want degrees from -%v to %[1]v, got nothing", limit)
		return 0
	case !(*v >= -limit && *v <= limit): // NaN, too
		b.doc.Problem(key, "want degrees from -%v to %[1]v, got %[2]v", limit, *v)
	}
	return float32(*v)
}

// mounts returns the categories that a host carries, sorted.
func (b *builder) mounts(in *Host, at string) (mounts []snapshot.Mount) {
	if len(in.URLs) == 0 {
		b.doc.Problem(at, "want the URLs of at least one category")
	}
	for _, name := range slices.Sorted(maps.Keys(in.URLs)) {
		key := at + "." + name
		category, ok := b.categories[name]
		if !ok && len(b.categories) > 0 {
			b.doc.Problem(key, "no category has this name; there are %s", strings.Join(slices.Sorted(maps.Keys(b.categories)), ", "))
		}
		if !ok {
			continue
		}
		m := snapshot.Mount{Category: uint32(category)}
		for i, u := range in.URLs[name] {
			if slices.Contains(m.URLs, string(u)) && u != "" {
				b.doc.Problem(fmt.Sprintf("%s[%d]", key, i), "%q is given twice", u)
			}
			m.URLs = append(m.URLs, string(u))
		}
		if len(m.URLs) == 0 && len(in.Addresses) == 0 {
			b.doc.Problem(key, "want at least one URL, or addresses of the host")
		}
		mounts = append(mounts, m)
	}
	slices.SortFunc(mounts, func(x, y snapshot.Mount) int { return int(x.Category) - int(y.Category) })
	return mounts
}

// carries reports whether host i has category c.
func (b *builder) carries(i, c int) bool {
	return slices.ContainsFunc(b.snap.Hosts[i].Mounts, func(m snapshot.Mount) bool { return int(m.Category) == c })
}

// addLacks lists the directories that hosts lack and notes the holes of files.
func (b *builder) addLacks() {
	for i := range b.in.Hosts {
		for j, path := range b.in.Hosts[i].Lacks {
			key := fmt.Sprintf("hosts[%d].lacks[%d]", i, j)
			if file, ok := b.files[path.text]; ok && path.given {
				b.addHole(key, file, i)
				continue
			}
			if dir := b.listed(key, path); dir != nil {
				b.checkCarries(key, i, dir.category)
			}
		}
	}
	for file, f := range b.in.Files {
		for j, name := range f.Lacks {
			key := fmt.Sprintf("files[%d].lacks[%d]", file, j)
			host, ok := b.hosts[string(name)]
			switch {
			case name == "": // it did not decode
			case !ok:
				b.doc.Problem(key, "no host has the name %q", name)
			default:
				b.addHole(key, file, host)
			}
		}
	}
}

// addHole notes that a host lacks a file.
func (b *builder) addHole(key string, file, host int) {
	path := b.in.Files[file].Path
	if category, ok := b.tree.category(parent(path.text)); ok && path.given {
		b.checkCarries(key, host, category)
	}
	if !slices.Contains(b.holes[file], uint32(host)) {
		b.holes[file] = append(b.holes[file], uint32(host))
	}
}

// checkCarries notes a problem if a host is said to lack part of what it does not carry at all.
func (b *builder) checkCarries(key string, host, category int) {
	if !b.carries(host, category) {
		b.doc.Problem(key, "host %q has no URLs of the category %q around it", b.in.Hosts[host].Name, b.in.Categories[category].Name)
	}
}
