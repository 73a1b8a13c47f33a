package catalog

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// placeCategories finds the categories that the file can have, and which of
// them each directory is in.
func (e *encoder) placeCategories() {
	e.tops = map[string]uint32{}
	names := map[string]bool{}
	for i, c := range e.snap.Categories {
		_, taken := e.tops[c.Path]
		if taken || names[c.Name] || !good[Name](c.Name) || !good[Path](c.Path) || e.embargoed(c.Path) {
			e.note("category %q with the path %q: left out: a catalogue needs a name and a path that no other has", c.Name, c.Path)
			continue
		}
		e.tops[c.Path] = uint32(i)
		names[c.Name] = true
	}
	number := map[string]int{}
	for i, d := range e.snap.Directories {
		number[d.Path] = i
		e.above = append(e.above, nearest(number, d.Path))
		c, ok := e.category(d.Path)
		if !ok || !good[Path](d.Path) || e.embargoed(d.Path) {
			c = -1
		}
		e.in = append(e.in, c)
	}
	e.findWhole()
}

// nearest returns the number of the nearest listed directory above path, -1 if
// there is none.
func nearest(number map[string]int, path string) int {
	for path != "" {
		path = parent(path)
		if at, ok := number[path]; ok {
			return at
		}
	}
	return -1
}

// findWhole finds the directories that are complete with all below them: only
// those can be called complete in the file.
func (e *encoder) findWhole() {
	for dir, d := range e.snap.Directories {
		e.whole = append(e.whole, d.Complete && e.in[dir] >= 0)
	}
	for dir := range slices.Backward(e.whole) {
		for up := e.above[dir]; up >= 0 && !e.snap.Directories[dir].Complete && e.whole[up]; up = e.above[up] {
			e.whole[up] = false
			e.note("directory %q: not called complete, as %q below it is not", e.snap.Directories[up].Path, e.snap.Directories[dir].Path)
		}
	}
}

// category returns the number of the category whose path is the longest at or above path.
func (e *encoder) category(path string) (int, bool) {
	for {
		if c, ok := e.tops[path]; ok {
			return int(c), true
		}
		if path == "" {
			return -1, false
		}
		path = parent(path)
	}
}

// placeHosts finds the hosts that the file can have.
func (e *encoder) placeHosts() {
	names := map[string]bool{}
	for i := range e.snap.Hosts {
		h := &e.snap.Hosts[i]
		switch {
		case !good[Name](h.Name) || names[h.Name]:
			e.note("host %q: left out: a catalogue needs a name that no other host has", h.Name)
		case h.Private && len(h.Netblocks)+len(h.ASNs)+len(h.PeerASNs) == 0:
			e.note("host %q: left out: it is private, but has no clients of its own", h.Name)
		case !slices.ContainsFunc(h.Mounts, func(m snapshot.Mount) bool { return e.mountable(h, m) }):
			e.note("host %q: left out: it has no URL that a catalogue can have", h.Name)
		default:
			names[h.Name] = true
			e.hosts = append(e.hosts, uint32(i))
		}
	}
}

// mountable reports whether the file can have a mount.
func (e *encoder) mountable(h *snapshot.Host, m snapshot.Mount) bool {
	c := e.snap.Categories[m.Category]
	at, ok := e.tops[c.Path]
	return ok && at == m.Category && (len(urls(m)) > 0 || len(addresses(h)) > 0)
}

// urls returns the URLs of a mount that a catalogue takes, each once.
func urls(m snapshot.Mount) (out []string) {
	for _, u := range m.URLs {
		if good[URL](u) && !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	return out
}

func addresses(h *snapshot.Host) (out []netip.Addr) {
	for _, a := range h.Addresses {
		if good[Address](a.String()) && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

func (e *encoder) writeHosts(lacks [][]string) {
	e.line("hosts:")
	for _, i := range e.hosts {
		h := &e.snap.Hosts[i]
		e.line("  - name: %s", quote(h.Name))
		e.place(h)
		e.clients(h)
		if as := addresses(h); len(as) > 0 || h.DNS {
			e.optional(len(as) > 0, "addresses", list(as, func(a netip.Addr) string { return quote(a.String()) }))
			e.optional(h.DNS != (len(as) > 0), "dns", strconv.FormatBool(h.DNS))
		}
		e.optional(h.Down, "down", "true")
		e.line("    urls:")
		for _, m := range h.Mounts {
			if !e.mountable(h, m) {
				e.note("host %s: its URLs of the category %q: left out", h.Name, e.snap.Categories[m.Category].Name)
				continue
			}
			if n := len(m.URLs) - len(urls(m)); n > 0 {
				e.note("host %s: %d URLs of %q: left out: no catalogue has such", h.Name, n, m.URLs)
			}
			e.line("      %s: %s", quote(e.snap.Categories[m.Category].Name), list(urls(m), quote))
		}
		e.optional(len(lacks[i]) > 0, "lacks", list(lacks[i], quote))
	}
}

// optional writes a key of a host if it is to be there.
func (e *encoder) optional(there bool, key, value string) {
	if there {
		e.line("    %s: %s", key, value)
	}
}

func (e *encoder) place(h *snapshot.Host) {
	e.optional(h.Country.Known(), "country", quote(h.Country.String()))
	if h.Place != nil {
		degrees := func(v float32) string { return strconv.FormatFloat(float64(v), 'f', -1, 32) }
		e.line("    location: {lat: %s, lon: %s}", degrees(h.Place.Lat), degrees(h.Place.Lon))
	}
	e.optional(h.Bandwidth != DefaultBandwidth, "bandwidth", fmt.Sprint(h.Bandwidth))
}

func (e *encoder) clients(h *snapshot.Host) {
	asn := func(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
	e.optional(len(h.ASNs) > 0, "asn", list(h.ASNs, asn))
	e.optional(len(h.PeerASNs) > 0, "peer_asns", list(h.PeerASNs, asn))
	var netblocks []netip.Prefix
	for _, p := range h.Netblocks {
		if good[Prefix](p.String()) {
			netblocks = append(netblocks, p)
		}
	}
	e.optional(len(netblocks) > 0, "netblocks", list(netblocks, func(p netip.Prefix) string { return quote(p.String()) }))
	e.optional(h.Private, "private", "true")
	country := func(c geo.Country) string { return quote(c.String()) }
	e.optional(len(h.Allowed) > 0, "countries_allowed", list(h.Allowed, country))
	e.optional(len(h.Excluded) > 0, "countries_excluded", list(h.Excluded, country))
}

// carries reports whether the file says that a host carries the category in
// which a directory is there.
func (e *encoder) carries(host, dir uint32) bool {
	h := &e.snap.Hosts[host]
	return slices.ContainsFunc(h.Mounts, func(m snapshot.Mount) bool { return int(m.Category) == e.in[dir] && e.mountable(h, m) })
}

// holds reports whether a host holds a directory, and at the URLs that the file says.
func (e *encoder) holds(host, dir uint32) bool {
	h, d := &e.snap.Hosts[host], e.snap.Directories[dir]
	return h.Has.Has(dir) && (int(d.Category) == e.in[dir] ||
		slices.Equal(e.at(h, d.Category, d.Path), e.at(h, uint32(e.in[dir]), d.Path)))
}

// at returns the URLs of a directory on a host by its mount of a category.
func (e *encoder) at(h *snapshot.Host, category uint32, path string) (out []string) {
	top := e.snap.Categories[category].Path
	for _, m := range h.Mounts {
		for _, u := range m.URLs {
			if m.Category == category {
				out = append(out, strings.TrimRight(u+"/"+strings.TrimPrefix(strings.TrimPrefix(path, top), "/"), "/"))
			}
		}
	}
	return out
}

// lacks returns the directories at and below which a host holds nothing.
func (e *encoder) lacks(host uint32) (out []string) {
	n := len(e.snap.Directories)
	holds, needed := make([]bool, n), make([]bool, n) // needed: held, or above one that is
	for dir := n - 1; dir >= 0; dir-- {
		holds[dir] = e.in[dir] >= 0 && e.carries(host, uint32(dir)) && e.holds(host, uint32(dir))
		needed[dir] = needed[dir] || holds[dir]
		if up := e.above[dir]; up >= 0 && needed[dir] {
			needed[up] = true
		}
	}
	lacked := make([]bool, n)
	for dir, d := range e.snap.Directories {
		if up := e.above[dir]; up >= 0 && lacked[up] {
			lacked[dir] = true
			continue
		}
		if holds[dir] || e.in[dir] < 0 || !e.carries(host, uint32(dir)) {
			continue
		}
		if needed[dir] && e.whole[dir] {
			e.lackFiles(host, uint32(dir))
			continue
		}
		if needed[dir] {
			e.note("host %s: lacks %q, but holds directories below it: these are lacking, too", e.snap.Hosts[host].Name, d.Path)
		}
		lacked[dir] = true
		out = append(out, d.Path)
	}
	return out
}

// lackFiles notes that a host lacks all files of a directory.
func (e *encoder) lackFiles(host, dir uint32) {
	for file, to := e.snap.Files.In(dir); file < to; file++ {
		e.holes[file] = append(e.holes[file], e.snap.Hosts[host].Name)
	}
}
