// Package snapshot is the published catalogue: everything an edge knows of
// mirrors and their content, as plain values.
//
// It is the contract between the halves of Waypost. Sources decode bytes into
// a [Snapshot] (snapshot/catalog reads the YAML catalogue, snapshot/mirrormanager
// reads MirrorManager's mirrorlist_cache); edge/index compiles it into what the
// request path reads.
//
//	bytes ──► Snapshot ──► Check ──► index.Compile
//
// A Snapshot is built by one goroutine and not changed afterwards; then any
// number of goroutines may read it. Hosts, categories, directories and files
// are named by their number, which is their position in the columns here.
package snapshot

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/waypost/waypost/geo"
)

// Snapshot is one version of the whole catalogue.
type Snapshot struct {
	Version uint64    // max(previous + 1, Unix milliseconds when it was published or read)
	Created time.Time // when its source wrote it

	Categories  []Category
	Hosts       []Host
	Directories []Directory // sorted by Path, no Path twice
	Files       Files       // what is known of single files, by directory

	Repositories        []Repository
	RepositoryRedirects map[string]string // repository name → the name that answers for it
	Disabled            map[string]bool   // repository names that are switched off

	CountryOverrides   []CountryOverride
	ContinentOverrides map[geo.Country]geo.Continent

	Embargoes []Embargo
}

// An Embargo hides a path and all below it until a time: to clients, it is not
// there. Each edge lifts it by its own clock.
type Embargo struct {
	Path   string // without slashes at its ends; need not be among Directories
	LiftAt time.Time
}

// NextLift returns when the next embargo after now ends, and false if none does.
func (s *Snapshot) NextLift(now time.Time) (next time.Time, ok bool) {
	for _, e := range s.Embargoes {
		if e.LiftAt.After(now) && (!ok || e.LiftAt.Before(next)) {
			next, ok = e.LiftAt, true
		}
	}
	return next, ok
}

// A Category is a tree of content with one top directory and one policy.
// Several categories may share a Path only in snapshots read from
// MirrorManager, where hosts may have different URLs for parts of a tree; a
// Directory always says which category it belongs to.
type Category struct {
	Name   string
	Path   string // top directory, without slashes at its ends; "" is the root
	Origin string // URL of the top directory at the origin, without a slash at its end; "" if there is none
	Policy Policy

	// Enumerated means that every directory of the category is listed in
	// Directories: one that is not listed does not exist. Otherwise an
	// unlisted directory is held by whoever holds its nearest listed ancestor.
	Enumerated bool
}

// An Order is the order of hosts inside a band.
type Order uint8

// The orders.
const (
	ByBandwidth Order = iota // weighted random without replacement, by bandwidth
	Nearest                  // by great-circle distance in coarse rings, then as ByBandwidth inside a ring
)

// A Band is a reason to prefer a host for a client. Bands are strict: every
// host of an earlier band comes before all hosts of a later one.
type Band uint8

// The bands, in their order.
const (
	BandNetblock   Band = iota // the client is in a netblock of the host, the longest first
	BandASN                    // the client's prefix is originated by an AS of the host
	BandPeerASN                // … by an AS that the host peers with
	BandCountry                // same country, or a country that was asked for
	BandContinent              // same continent; by distance where a Nearest policy knows both places
	BandEverywhere             // the rest
	Bands                      // how many there are
)

// A BandSet is a set of bands, bit 1<<Band for each.
type BandSet uint8

// AllBands is the set of all bands.
const AllBands BandSet = 1<<Bands - 1

// Has reports whether b is in the set.
func (s BandSet) Has(b Band) bool { return s>>b&1 != 0 }

// DefaultMinimum is how many hosts are enough where a policy says nothing, as
// in MirrorManager.
const DefaultMinimum = 5

// A Policy says how a category's hosts are ordered.
type Policy struct {
	Order      Order
	Minimum    int     // a list with fewer hosts than this is filled up from everywhere; at least 1
	Sticky     bool    // clients of one /24 or /48 always get the same order
	SameScheme bool    // a plain-http client keeps plain http
	Bands      BandSet // the bands that exist; [AllBands] unless the operator chose
}

// A Host is one mirror.
type Host struct {
	Name      string
	ID        int64 // the registry's own number; 0 if it has none
	Country   geo.Country
	Place     *geo.Point // nil: unknown, then the centroid of its country counts
	Bandwidth uint32     // Mbit/s, the weight of its draws; 0 comes after all others

	ASNs      []uint32       // its clients of these ASNs are its own
	PeerASNs  []uint32       // ASNs it peers with
	Netblocks []netip.Prefix // its own clients; masked

	Private  bool          // only for clients in its netblocks, ASNs or peer ASNs
	Allowed  []geo.Country // only for clients of these countries; empty: of all
	Excluded []geo.Country // not for clients of these countries
	Down     bool          // the operator took it out

	Addresses []netip.Addr // for DNS answers, and to know its address families
	DNS       bool         // appears in tailored DNS answers

	Mounts []Mount
	Has    Bitmap // the directories it holds, by number
}

// A Mount says where a host carries a category.
type Mount struct {
	Category uint32
	URLs     []string // of the category's top directory, without a slash at the end; may be empty
}

// A Directory is one directory of a category.
type Directory struct {
	Path     string // the whole path, without slashes at its ends
	Number   uint32 // its name in published snapshots, for ever; 0 in those that are read from files
	Category uint32
	Complete bool // a file that is not in Files does not exist
}

// A Repository is what a client names by repo= and arch=.
type Repository struct {
	Name string
	Arch string
	Path string // its directory, which need not be among Directories
}

// A CountryOverride places a prefix in a country whatever the database says.
type CountryOverride struct {
	Prefix  netip.Prefix
	Country geo.Country
}

// A Bitmap is a set of small numbers, one bit for each.
// The zero value is empty. It is not safe for use while it changes.
type Bitmap []uint64

// Has reports whether n is in the set.
func (b Bitmap) Has(n uint32) bool {
	i := n / 64
	return i < uint32(len(b)) && b[i]>>(n%64)&1 != 0
}

// Add puts n into the set, growing it as needed.
func (b *Bitmap) Add(n uint32) {
	for uint32(len(*b)) <= n/64 {
		*b = append(*b, 0)
	}
	(*b)[n/64] |= 1 << (n % 64)
}

// String returns the band's name, as policies and explain call it.
func (b Band) String() string {
	return [Bands]string{"netblock", "asn", "peer_asn", "country", "continent", "everywhere"}[b]
}

// String returns the order's name, as policies call it.
func (o Order) String() string { return [...]string{"bandwidth", "nearest"}[o] }

// String describes the policy in a line.
func (p Policy) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "order %s, minimum %d", p.Order, p.Minimum)
	if p.Sticky {
		text.WriteString(", sticky")
	}
	if p.SameScheme {
		text.WriteString(", scheme same")
	}
	if p.Bands != AllBands {
		text.WriteString(", bands")
		for b := range Bands {
			if p.Bands.Has(b) {
				text.WriteString(" " + b.String())
			}
		}
	}
	return text.String()
}
