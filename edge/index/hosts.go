package index

import (
	"hash/fnv"
	"net/netip"
	"strings"

	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// Schemes is a set of URL schemes.
type Schemes uint8

// The schemes, the most wanted first.
const (
	HTTPS Schemes = 1 << iota
	HTTP
	FTP
	RSYNC
	OtherScheme
	schemes = iota

	Web       = HTTPS | HTTP
	AnyScheme = 1<<schemes - 1
)

// SchemeOf returns the scheme of a URL.
func SchemeOf(url string) Schemes {
	name, _, _ := strings.Cut(url, ":")
	switch name {
	case "https":
		return HTTPS
	case "http":
		return HTTP
	case "ftp":
		return FTP
	case "rsync":
		return RSYNC
	}
	return OtherScheme
}

// String returns the name of a single scheme, as URLs have it, and other for
// what has no name here.
func (s Schemes) String() string {
	switch s {
	case HTTPS:
		return "https"
	case HTTP:
		return "http"
	case FTP:
		return "ftp"
	case RSYNC:
		return "rsync"
	}
	return "other"
}

// A Family is an address family; the zero value stands for either.
type Family uint8

// The families.
const (
	V4 Family = 1 + iota
	V6
)

// String returns v4, v6, or any for the zero value.
func (f Family) String() string { return [...]string{"any", "v4", "v6"}[f] }

// FamilyOf returns the family of an unmapped address, or 0 for none.
func FamilyOf(a netip.Addr) Family {
	switch {
	case a.Is4():
		return V4
	case a.Is6():
		return V6
	}
	return 0
}

// A URL is a place where a host carries a category.
type URL struct {
	Scheme Schemes
	Base   string // of the category's top directory, without a slash at its end
	XML    string // Base as the text of an XML element
}

// A Host is what the request path reads of one host.
type Host struct {
	Key     uint64  // a hash of its name, the same on every edge
	Inverse float32 // 1 / its weight
	Vec     geo.Vec // its place, zero if unknown
	Country geo.Country
	Private bool // serves only its own clients
	V4, V6  []netip.Addr
}

// hosts holds the columns and sets of hosts.
type hosts struct {
	column   []Host
	public   hostset.Set
	active   hostset.Set
	placed   hostset.Set            // whose place is known
	reach    [V6 + 1]hostset.Set    // by family: not known to lack it
	record   [V6 + 1]hostset.Set    // by family: has such an address for DNS
	scheme   [][schemes]hostset.Set // by category: with a URL of the scheme
	urls     [][][]URL              // by category, by host
	category []uint64               // by category: a hash of its path, the same on every edge
}

// noWeight is the inverse weight of hosts without a bandwidth: they come after
// all others, at random. No draw brings one forward: keys of draws are its
// product with a number from 6e-8 to 45, and so those of weight 1 below 45 and
// those of no weight above 1e22.
const noWeight = 1e30

func compileHosts(in Inputs) hosts {
	s := in.Snapshot
	n := len(s.Hosts)
	hs := hosts{
		column: make([]Host, n),
		public: hostset.Make(n), active: hostset.Make(n), placed: hostset.Make(n),
		scheme: make([][schemes]hostset.Set, len(s.Categories)),
		urls:   make([][][]URL, len(s.Categories)),
	}
	for _, f := range []Family{V4, V6} {
		hs.reach[f], hs.record[f] = hostset.Make(n), hostset.Make(n)
	}
	for c := range s.Categories {
		hs.category = append(hs.category, hashName(s.Categories[c].Path))
		hs.urls[c] = make([][]URL, n)
		for i := range hs.scheme[c] {
			hs.scheme[c][i] = hostset.Make(n)
		}
	}
	for h := range s.Hosts {
		hs.add(uint32(h), &s.Hosts[h])
	}
	return hs
}

// add fills in the columns and sets of one host.
func (hs *hosts) add(h uint32, from *snapshot.Host) {
	to := &hs.column[h]
	to.Key = hashName(from.Name)
	to.Country, to.Private = from.Country, from.Private
	to.Inverse = noWeight
	if from.Bandwidth > 0 {
		to.Inverse = 1 / float32(from.Bandwidth)
	}
	if place, ok := placeOf(from); ok {
		to.Vec = place.Vec()
		hs.placed.Add(h)
	}
	if !from.Private {
		hs.public.Add(h)
	}
	if !from.Down {
		hs.active.Add(h)
	}
	hs.addAddresses(h, from)
	for _, m := range from.Mounts {
		for _, url := range m.URLs {
			hs.addURL(h, m.Category, url)
		}
	}
}

func (hs *hosts) addAddresses(h uint32, from *snapshot.Host) {
	to := &hs.column[h]
	for _, a := range from.Addresses {
		if a = a.Unmap(); a.Is4() {
			to.V4 = append(to.V4, a)
		} else {
			to.V6 = append(to.V6, a)
		}
	}
	for f, addrs := range [...][]netip.Addr{V4: to.V4, V6: to.V6} {
		if f == 0 {
			continue
		}
		if len(addrs) > 0 || len(from.Addresses) == 0 {
			hs.reach[f].Add(h)
		}
		if len(addrs) > 0 && from.DNS {
			hs.record[f].Add(h)
		}
	}
}

func (hs *hosts) addURL(h, category uint32, base string) {
	u := URL{SchemeOf(base), base, escapeXML(base)}
	hs.urls[category][h] = append(hs.urls[category][h], u)
	for i := range hs.scheme[category] {
		if u.Scheme == 1<<i {
			hs.scheme[category][i].Add(h)
		}
	}
}

// escapeXML returns s as the text of an XML element.
func escapeXML(s string) string {
	s = strings.ReplaceAll(s, "&", "&amp;") // first: the others bring their own
	s = strings.ReplaceAll(s, "<", "&lt;")
	return strings.ReplaceAll(s, ">", "&gt;")
}

// placeOf returns where a host stands: its own place, else the middle of its country.
func placeOf(h *snapshot.Host) (geo.Point, bool) {
	if h.Place != nil {
		return *h.Place, true
	}
	return geo.Centroid(h.Country)
}

// hashName returns a hash that is the same in every process: FNV-1a.
func hashName(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return h.Sum64()
}

// Host returns the columns of host h.
func (ix *Index) Host(h uint32) *Host { return &ix.hosts.column[h] }

// Numbers returns the numbers of hosts by their names. It makes the map anew.
func (ix *Index) Numbers() map[string]uint32 {
	numbers := make(map[string]uint32, ix.Hosts())
	for h := range uint32(ix.Hosts()) {
		numbers[ix.Registered(h).Name] = h
	}
	return numbers
}

// Registered returns host h as the snapshot has it.
func (ix *Index) Registered(h uint32) *snapshot.Host { return &ix.in.Snapshot.Hosts[h] }

// URLs returns where host h carries category c, in the order of the registry.
func (ix *Index) URLs(c, h uint32) []URL { return ix.hosts.urls[c][h] }

// CategoryKey returns a hash of a category's path that is the same on every edge.
func (ix *Index) CategoryKey(c uint32) uint64 { return ix.hosts.category[c] }

// Public returns the hosts that are not private.
func (ix *Index) Public() hostset.Set { return ix.hosts.public }

// Active returns the hosts that no operator took out.
func (ix *Index) Active() hostset.Set { return ix.hosts.active }

// Placed returns the hosts whose place is known.
func (ix *Index) Placed() hostset.Set { return ix.hosts.placed }

// Reachable returns the hosts that are not known to lack the family.
func (ix *Index) Reachable(f Family) hostset.Set { return ix.hosts.reach[f] }

// WithRecord returns the hosts with an address of the family for DNS answers.
func (ix *Index) WithRecord(f Family) hostset.Set { return ix.hosts.record[f] }

// WithScheme returns the hosts that carry category c at a URL of the scheme,
// which is one bit of [Schemes].
func (ix *Index) WithScheme(c uint32, scheme Schemes) hostset.Set {
	for i := range schemes {
		if scheme == 1<<i {
			return ix.hosts.scheme[c][i]
		}
	}
	return nil
}
