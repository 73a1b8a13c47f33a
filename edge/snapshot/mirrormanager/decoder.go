package mirrormanager

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// A decoder collects a cache's content by number, field after field.
type decoder struct {
	fault  fault
	report Report
	entry  entry // of the field at hand

	timed bool
	time  uint64

	hosts     numbers
	byCountry []geo.Country // by host number: under which country directories list it
	facts     map[uint32]*facts
	urls      map[int64]string // by URL id

	names       []byte // of directories, one after the other
	directories []directory
	sets        map[hostSets]uint32
	setsOf      []hostSets
	lists       interned
	tops        map[string][]uint32 // top directory → its variants
	variants    []variant
	scratch     scratch

	files        []file
	repositories []snapshot.Repository
	repoSeen     map[string]bool
	redirects    map[string]string
	disabled     map[string]bool
	countries    []snapshot.CountryOverride
	continents   map[geo.Country]geo.Continent
}

// facts are what the cache's tables say of one host. Of two values for one host
// the first counts, as in the mirrorlist-server, which searches them in order.
type facts struct {
	country   string
	bandwidth *int64
	allowed   []string
	asns      []uint32
	netblocks []netip.Prefix
}

// A file is one entry of FileDetailsCache.
type file struct {
	directory, name string
	versions        []snapshot.Version
}

func newDecoder() *decoder {
	return &decoder{
		facts:      map[uint32]*facts{},
		urls:       map[int64]string{},
		sets:       map[hostSets]uint32{},
		lists:      interned{number: map[string]uint32{}},
		tops:       map[string][]uint32{},
		repoSeen:   map[string]bool{},
		redirects:  map[string]string{},
		disabled:   map[string]bool{},
		continents: map[geo.Country]geo.Continent{},
	}
}

// of returns the facts of a host, to add to.
func (d *decoder) of(id int64) *facts {
	n := d.hosts.of(id)
	f := d.facts[n]
	if f == nil {
		f = &facts{}
		d.facts[n] = f
	}
	return f
}

// field reads one field of MirrorList.
func (d *decoder) field(s *stream) {
	switch s.num {
	case 1:
		if s.want(protowire.VarintType, "Time") {
			d.time, d.timed = s.varint("Time"), true
		}
	case 2:
		d.read(s, "NetblockCountryCache", stringString, d.netblockCountry)
	case 4:
		d.read(s, "HCUrlCache", intString, d.url)
	case 5:
		m := s.message("FileDetailsCache")
		d.details(&m)
	case 6:
		d.read(s, "DisabledRepositoryCache", stringBool, d.disable)
	case 7:
		d.read(s, "CountryContinentRedirectCache", stringString, d.continent)
	case 8:
		d.read(s, "RepositoryRedirectCache", stringString, d.redirect)
	case 9:
		d.read(s, "RepoArchToDirectoryName", stringString, d.repository)
	case 10:
		d.read(s, "HostAsnCache", intInts, d.asn)
	case 12:
		d.read(s, "HostCountryCache", intString, d.country)
	case 13:
		d.read(s, "HostBandwidthCache", intInt, d.bandwidth)
	case 14:
		d.read(s, "HostCountryAllowedCache", intStrings, d.allowed)
	case 15:
		d.read(s, "HostNetblockCache", stringInts, d.netblock)
	case 16:
		m := s.message("MirrorListCache")
		d.directory(&m)
	case 3, 11: // LocationCache, HostMaxConnectionCache: no server uses them
		if s.want(protowire.BytesType, "LocationCache or HostMaxConnectionCache") {
			s.skip()
		}
	default:
		d.report.odd("unknown field of MirrorList skipped", fmt.Sprintf("field %d at byte %d", s.num, s.start))
		s.skip()
	}
}

// read reads an entry and hands it on if it is whole.
func (d *decoder) read(s *stream, what string, kind shape, use func(*entry)) {
	m := s.message(what)
	if !d.fault.found() {
		d.entry.read(&m, kind)
	}
	if !d.fault.found() {
		use(&d.entry)
	}
}

func (d *decoder) netblockCountry(e *entry) {
	prefix, ok := parsePrefix(e.name)
	country, err := geo.ParseCountry(string(e.text()))
	if !ok || err != nil {
		d.report.odd("country of a netblock skipped: want a prefix and a country of two letters",
			fmt.Sprintf("%q → %q", e.name, e.text()))
		return
	}
	d.countries = append(d.countries, snapshot.CountryOverride{Prefix: prefix, Country: country})
}

func (d *decoder) url(e *entry) {
	url := bytes.TrimRight(e.text(), "/")
	if len(url) == 0 || bytes.ContainsFunc(url, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		d.report.odd("URL dropped: empty, or with white space or control characters", fmt.Sprintf("%q", e.text()))
		return
	}
	if _, again := d.urls[e.id]; !again {
		d.urls[e.id] = string(url)
	}
}

func (d *decoder) disable(e *entry) {
	if e.int() != 0 {
		d.disabled[string(e.name)] = true
	}
}

func (d *decoder) continent(e *entry) {
	country, errCountry := geo.ParseCountry(string(e.name))
	continent, errContinent := geo.ParseContinent(string(e.text()))
	if errCountry != nil || errContinent != nil {
		d.report.odd("continent of a country skipped: want two codes of two letters",
			fmt.Sprintf("%q → %q", e.name, e.text()))
		return
	}
	if _, again := d.continents[country]; !again {
		d.continents[country] = continent
	}
}

func (d *decoder) redirect(e *entry) {
	if _, again := d.redirects[string(e.name)]; !again {
		d.redirects[string(e.name)] = string(e.text())
	}
}

func (d *decoder) repository(e *entry) {
	name := string(e.name)
	plus := strings.LastIndexByte(name, '+')
	if plus < 0 || d.repoSeen[name] {
		d.report.odd("repository skipped: want REPO+ARCH, each once", fmt.Sprintf("%q", name))
		return
	}
	d.repoSeen[name] = true
	d.repositories = append(d.repositories, snapshot.Repository{
		Name: name[:plus], Arch: name[plus+1:], Path: strings.Trim(string(e.text()), "/"),
	})
}

func (d *decoder) asn(e *entry) {
	if e.id <= 0 || e.id > 1<<32-1 {
		d.report.odd("AS number skipped: want 1 to 4294967295", fmt.Sprint(e.id))
		return
	}
	for _, host := range e.ints {
		f := d.of(host)
		f.asns = append(f.asns, uint32(e.id))
	}
}

func (d *decoder) country(e *entry) {
	if f := d.of(e.id); f.country == "" {
		f.country = string(e.text())
	}
}

func (d *decoder) bandwidth(e *entry) {
	if f := d.of(e.id); f.bandwidth == nil {
		mbits := e.int()
		f.bandwidth = &mbits
	}
}

func (d *decoder) allowed(e *entry) {
	f := d.of(e.id)
	for _, country := range e.texts {
		f.allowed = append(f.allowed, string(country))
	}
}

func (d *decoder) netblock(e *entry) {
	prefix, ok := parsePrefix(e.name)
	if !ok {
		d.report.odd("netblock of hosts skipped: want a prefix, an address or ADDRESS/NETMASK", fmt.Sprintf("%q", e.name))
		return
	}
	for _, host := range e.ints {
		f := d.of(host)
		f.netblocks = append(f.netblocks, prefix)
	}
}

// parsePrefix reads what operators write for a netblock: a prefix, whose host
// bits are cleared, an address, or an IPv4 address and a netmask.
func parsePrefix(text []byte) (netip.Prefix, bool) {
	s := strings.TrimSpace(string(text))
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p.Masked(), true
	}
	address, mask, found := strings.Cut(s, "/")
	addr, errAddr := netip.ParseAddr(address)
	netmask, errMask := netip.ParseAddr(mask)
	if !found || errAddr != nil || errMask != nil || !addr.Is4() || !netmask.Is4() {
		return netip.Prefix{}, false
	}
	return maskedPrefix(addr, netmask)
}

// maskedPrefix turns a netmask into a length; its ones must come before its zeros.
func maskedPrefix(addr, netmask netip.Addr) (netip.Prefix, bool) {
	for bits := range 33 {
		ones := netip.PrefixFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), bits).Masked()
		if ones.Addr() == netmask {
			return netip.PrefixFrom(addr, bits).Masked(), true
		}
	}
	return netip.Prefix{}, false
}
