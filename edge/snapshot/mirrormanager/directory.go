package mirrormanager

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// A directory is one entry of MirrorListCache, by number.
type directory struct {
	name    uint32 // where its name starts in decoder.names
	length  uint32
	set     uint32 // its hosts: a number in decoder.setsOf
	variant uint32
}

// A variant is a top directory with one URL list for each host. Nearly always a
// top directory has just one; where hosts have different URLs for parts of the
// tree, it has one for each part.
type variant struct {
	path  string
	lists []uint32 // by host number: its URL list + 1, 0 if it has none so far
}

// fits reports whether the directory at hand agrees with v on every host.
func (v *variant) fits(d *decoder) bool {
	for _, h := range d.scratch.holders {
		if int(h.host) >= len(v.lists) || v.lists[h.host] == 0 {
			continue
		}
		if !slices.Equal(d.lists.list(v.lists[h.host]-1), d.scratch.urls[h.from:h.to]) {
			return false
		}
	}
	return true
}

// add notes the URL lists of the directory at hand, which fits.
func (v *variant) add(d *decoder) {
	if missing := len(d.hosts.ids) - len(v.lists); missing > 0 {
		v.lists = append(v.lists, make([]uint32, missing)...)
	}
	for _, h := range d.scratch.holders {
		if v.lists[h.host] == 0 {
			v.lists[h.host] = d.lists.of(d.scratch.urls[h.from:h.to]) + 1
		}
	}
}

// scratch is the directory at hand; its memory is used again for the next one.
type scratch struct {
	name, subpath []byte
	named         bool
	ids           []int64
	global, held  snapshot.Bitmap // by host number
	holders       []holder        // of ByHostId, then the hosts that only Global has
	urls          []int64
	key           []byte
}

// A holder is a host and its URLs, as a range of scratch.urls.
type holder struct {
	host     uint32
	from, to int
}

// directory reads an entry of MirrorListCache.
func (d *decoder) directory(m *fields) {
	s := &d.scratch
	s.name, s.subpath, s.named = nil, nil, false
	s.ids, s.holders, s.urls = s.ids[:0], s.holders[:0], s.urls[:0]
	clear(s.global)
	clear(s.held)
	for m.next() {
		switch m.num {
		case 1:
			s.name, s.named = m.text("directory"), true
		case 2:
			s.ids = m.ints("Global", s.ids)
		case 3:
			s.subpath = m.text("Subpath")
		case 4:
			byCountry := m.message("MirrorListCache.ByCountry")
			d.listed(&byCountry)
		case 6:
			byHost := m.message("MirrorListCache.ByHostId")
			d.holder(&byHost)
		default: // ByCountryInternet2, OrderedMirrorList: no server uses them
			m.skip()
		}
	}
	m.require(s.named, "directory")
	if !d.fault.found() {
		d.finish()
	}
}

// holder reads an entry of ByHostId. It is the innermost loop of a cache, so it
// does without an entry's generality.
func (d *decoder) holder(m *fields) {
	s := &d.scratch
	var id int64
	from, keyed := len(s.urls), false
	for m.next() {
		switch m.num {
		case 1:
			id, keyed = m.int("key"), true
		case 2:
			s.urls = m.ints("value", s.urls)
		default:
			m.skip()
		}
	}
	m.require(keyed, "key")
	if d.fault.found() {
		return
	}
	host := d.hosts.of(id)
	if s.held.Has(host) { // twice: the first counts
		s.urls = s.urls[:from]
		return
	}
	s.held.Add(host)
	s.holders = append(s.holders, holder{host, from, len(s.urls)})
}

// listed reads an entry of ByCountry and remembers where it places hosts.
func (d *decoder) listed(m *fields) {
	e := &d.entry
	e.read(m, stringInts)
	if d.fault.found() {
		return
	}
	country := geo.Country{}
	if len(e.name) == 2 { // unlike ParseCountry this makes no string, three million times
		country = geo.CountryFromUint32(uint32(e.name[0])<<8 | uint32(e.name[1]))
	}
	if !country.Known() {
		return // HostCountryCache says the same, and there it is counted
	}
	for _, id := range e.ints {
		host := int(d.hosts.of(id))
		if host >= len(d.byCountry) {
			d.byCountry = append(d.byCountry, make([]geo.Country, host+1-len(d.byCountry))...)
		}
		if !d.byCountry[host].Known() {
			d.byCountry[host] = country
		}
	}
}

// finish files the directory at hand under its hosts and its variant.
func (d *decoder) finish() {
	s := &d.scratch
	name, subpath := bytes.Trim(s.name, "/"), bytes.Trim(s.subpath, "/")
	top, ok := topOf(name, subpath)
	if !ok {
		d.report.odd("directory skipped: it does not end with its Subpath", fmt.Sprintf("%q, %q", name, subpath))
		return
	}
	for _, id := range s.ids {
		host := d.hosts.of(id)
		s.global.Add(host)
		if !s.held.Has(host) {
			s.holders = append(s.holders, holder{host: host})
		}
	}
	start := len(d.names)
	d.names = append(d.names, name...)
	d.directories = append(d.directories, directory{
		name:    uint32(start),
		length:  uint32(len(name)),
		set:     d.hostSet(),
		variant: d.variant(top),
	})
}

// topOf returns the top directory of name's category.
func topOf(name, subpath []byte) (top []byte, ok bool) {
	if len(subpath) == 0 {
		return name, true
	}
	top, ok = bytes.CutSuffix(name, subpath)
	if !ok || len(top) == 0 {
		return nil, ok
	}
	return bytes.CutSuffix(top, []byte("/"))
}

// hostSet returns the number of the sets of the directory at hand.
func (d *decoder) hostSet() uint32 {
	s := &d.scratch
	s.key = appendSets(s.key[:0], s.global, s.held)
	n, ok := d.sets[hostSets(s.key)]
	if !ok {
		n = uint32(len(d.setsOf))
		key := hostSets(s.key)
		d.sets[key] = n
		d.setsOf = append(d.setsOf, key)
	}
	return n
}

// variant returns the number of the variant of top that fits the directory at hand.
func (d *decoder) variant(top []byte) uint32 {
	of := d.tops[string(top)]
	for _, n := range of {
		if v := &d.variants[n]; v.fits(d) {
			v.add(d)
			return n
		}
	}
	n := uint32(len(d.variants))
	d.variants = append(d.variants, variant{path: string(top)})
	d.variants[n].add(d)
	d.tops[string(top)] = append(of, n)
	return n
}
