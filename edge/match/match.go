// Package match finds the hosts that may serve a client, and in which band.
//
//	q := match.Query{Place: ix.Place(addr, 32), Directory: t.Directory, Category: t.Category}
//	m.Find(ix, &q)
//	for _, b := range m.Bands() { … b.Kind, b.Hosts … }
//
// A host is eligible when it holds the content, no operator took it out, it
// has a URL of a wanted scheme or an address of the wanted family, and it may
// serve this client: private hosts serve only clients of their netblocks, ASNs
// or peer ASNs, and countries may be allowed or excluded. Eligible hosts are
// dealt into bands; each stands in the first band that names it. What probes
// found plays no part here: that is pick's.
//
// A metalink of a file may ask for the hosts with an older version of it, too,
// which it names as alternates. They stand in bands of their own, behind all
// hosts with the current version.
//
// Find is pure: it reads the index and the query, works in memory of the
// [Match] and allocates nothing once that has grown. It costs some hundred
// nanoseconds at 450 hosts. Why a host is not eligible is worked out only on
// demand, by [Explain].
package match

import (
	"math/bits"
	"slices"

	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/geo"
)

// A Query is what a client asks for.
type Query struct {
	Place     index.Place
	Directory uint32
	Category  uint32
	File      uint32 // its number, if HasFile
	HasFile   bool
	Older     bool // hosts with an older version of the file will do, after all others

	Schemes index.Schemes // a host needs a URL of one of these; 0: needs none
	Reach   index.Family  // a host must not be known to lack this family; 0: any
	Record  index.Family  // a host needs an address of this family for DNS; 0: none

	Countries []geo.Country // country=: these come instead of netblock, ASN and own country
	Global    bool          // country=global: everywhere
	Avoid     []geo.Country // avoid_country=
	NoNear    bool          // netblock=0: no netblock and no ASN bands
	NoPrivate bool          // private hosts stay out: the address is a resolver's, not the client's

	Drained hostset.Set // hosts that operators took out for a while; nil: none
}

// asked reports whether the client named countries.
func (q *Query) asked() bool { return q.Global || len(q.Countries) > 0 }

// A Band is the eligible hosts that share one reason to be preferred.
type Band struct {
	Kind  snapshot.Band
	Bits  int  // the length of the declared prefix, for BandNetblock
	Older bool // the hosts hold an older version of the file
	Hosts hostset.Set
}

// A Match is the eligible hosts of one query. The zero value is ready for
// Find; it may be used again and again, by one goroutine at a time. What its
// methods return is good until the next Find.
type Match struct {
	AvoidIgnored bool // avoid_country= would have left no host

	asked    bool
	eligible hostset.Set
	bands    []Band
	memory   []uint64
	words    int
}

// Eligible returns all eligible hosts.
func (m *Match) Eligible() hostset.Set { return m.eligible }

// Asked reports whether the countries that were asked for, or their continents,
// have any of the hosts; where not, the client's own country counted.
func (m *Match) Asked() bool { return m.asked }

// Bands returns the bands that are not empty, in their order.
func (m *Match) Bands() []Band { return m.bands }

// Find works out which hosts of ix are eligible for q.
func (m *Match) Find(ix *index.Index, q *Query) {
	m.reset(hostset.Words(ix.Hosts()))
	m.eligible = m.set()
	findEligible(m.eligible, m.set(), ix, q)
	m.avoid(ix, q.Avoid)
	m.deal(ix, q)
	if q.HasFile && q.Older {
		m.split(ix.HoldingOlder(q.File))
	}
}

// Limit drops the BandEverywhere if at least minimum hosts come before it: a
// list names all hosts of the client's country and continent, as MirrorManager's
// do. Only hosts that are up count, and at least one is wanted; up may be nil:
// all are.
func (m *Match) Limit(minimum int, up hostset.Set) {
	have, kept := 0, m.bands[:0]
	for _, b := range m.bands {
		if b.Kind == snapshot.BandEverywhere && have >= max(minimum, 1) {
			continue
		}
		have += b.up(up)
		kept = append(kept, b)
	}
	m.bands = kept
}

// First drops all bands after the first one with a host that is up, but for
// those of hosts with an older version that are no farther; up may be nil: all
// are. Where none is, all bands stay.
func (m *Match) First(up hostset.Set) {
	for i := range m.bands {
		if m.bands[i].up(up) == 0 {
			continue
		}
		kept := m.bands[:i+1]
		for _, b := range m.bands[i+1:] {
			if b.Older && b.Kind <= m.bands[i].Kind {
				kept = append(kept, b)
			}
		}
		m.bands = kept
		return
	}
}

// up returns how many hosts of the band are up.
func (b *Band) up(up hostset.Set) int {
	if up == nil {
		return b.Hosts.Len()
	}
	n := 0
	for i, w := range b.Hosts {
		n += bits.OnesCount64(w & up[i])
	}
	return n
}

// findEligible fills set with the eligible hosts; spare is for its work.
func findEligible(set, spare hostset.Set, ix *index.Index, q *Query) {
	set.Copy(ix.Holders(q.Directory))
	if q.HasFile {
		lacking := ix.Lacking(q.File)
		if q.Older {
			spare.Clear()
			spare.Or(lacking)
			spare.AndNot(ix.HoldingOlder(q.File))
			lacking = spare
		}
		set.AndNot(lacking)
	}
	set.And(ix.Active())
	set.AndNot(q.Drained)
	if q.Reach != 0 {
		set.And(ix.Reachable(q.Reach))
	}
	if q.Record != 0 {
		set.And(ix.WithRecord(q.Record))
	}
	if q.Schemes != 0 {
		WithSchemes(spare, ix, q.Category, q.Schemes)
		set.And(spare)
	}
	spare.Copy(ix.Public())
	admitPrivate(spare, ix, q)
	set.And(spare)
	set.AndNot(ix.Barred(&q.Place))
}

// WithSchemes fills set with the hosts that carry category c at a URL of one
// of the schemes.
func WithSchemes(set hostset.Set, ix *index.Index, c uint32, schemes index.Schemes) {
	set.Clear()
	for s := index.HTTPS; s <= index.OtherScheme; s <<= 1 {
		if schemes&s != 0 {
			set.Or(ix.WithScheme(c, s))
		}
	}
}

// admitPrivate adds the hosts whose own client this is. A client that chose
// other bands than its own is nobody's, and where the known part of its
// address leaves open who it is, only netblocks that hold all of it count. A
// resolver's address says nothing about whose question it passes on.
func admitPrivate(set hostset.Set, ix *index.Index, q *Query) {
	if q.NoPrivate || q.NoNear || q.asked() {
		return
	}
	for _, b := range ix.Netblocks(&q.Place) {
		set.Or(b.Hosts)
	}
	if q.Place.Exact() {
		_, own, peers := ix.ASN(&q.Place)
		set.Or(own)
		set.Or(peers)
	}
}

// avoid takes the hosts of the countries out, unless no host would be left.
func (m *Match) avoid(ix *index.Index, countries []geo.Country) {
	m.AvoidIgnored = false
	if len(countries) == 0 {
		return
	}
	left := m.set()
	left.Copy(m.eligible)
	for _, c := range countries {
		left.AndNot(ix.HostsIn(c))
	}
	if left.Empty() {
		m.AvoidIgnored = !m.eligible.Empty()
		return
	}
	m.eligible = left
}

// deal deals the eligible hosts into bands.
func (m *Match) deal(ix *index.Index, q *Query) {
	d := dealer{m: m, left: m.set(), exist: ix.Category(q.Category).Policy.Bands}
	d.left.Copy(m.eligible)
	m.asked = q.asked() && d.asked(ix, q)
	switch {
	case m.asked:
	case q.asked() || q.NoNear:
		d.country(ix, q)
	default:
		d.near(ix, q)
		d.country(ix, q)
	}
	d.add(snapshot.BandEverywhere, 0, d.left)
}

// split moves the hosts with an older version out of the bands into bands of
// the same kinds behind all others.
func (m *Match) split(older hostset.Set) {
	for _, b := range m.bands {
		if !b.Hosts.Intersects(older) {
			continue
		}
		set := m.set()
		set.Copy(b.Hosts)
		set.And(older)
		b.Hosts.AndNot(older)
		m.bands = append(m.bands, Band{b.Kind, b.Bits, true, set})
	}
	m.bands = slices.DeleteFunc(m.bands, func(b Band) bool { return b.Hosts.Empty() })
}

// A dealer deals hosts out of left.
type dealer struct {
	m     *Match
	left  hostset.Set
	exist snapshot.BandSet
}

// add makes a band of the hosts of from that are left.
func (d *dealer) add(kind snapshot.Band, bits int, from hostset.Set) {
	if !d.exist.Has(kind) || !d.left.Intersects(from) {
		return
	}
	set := d.m.set()
	set.Copy(from)
	set.And(d.left)
	d.left.AndNot(set)
	d.m.bands = append(d.m.bands, Band{Kind: kind, Bits: bits, Hosts: set})
}

func (d *dealer) near(ix *index.Index, q *Query) {
	for _, b := range ix.Netblocks(&q.Place) {
		d.add(snapshot.BandNetblock, b.Prefix.Bits(), b.Hosts)
	}
	_, own, peers := ix.ASN(&q.Place)
	d.add(snapshot.BandASN, 0, own)
	d.add(snapshot.BandPeerASN, 0, peers)
}

func (d *dealer) country(ix *index.Index, q *Query) {
	d.add(snapshot.BandCountry, 0, ix.InCountry(&q.Place))
	if ix.Category(q.Category).Policy.Order == snapshot.Nearest && ix.Vec(&q.Place).Known() {
		d.add(snapshot.BandContinent, 0, ix.Placed())
		return
	}
	d.add(snapshot.BandContinent, 0, ix.InContinent(&q.Place))
}

// asked makes bands of the requested countries and of their continents, even
// where the policy has none of the kind, and reports whether that gave any
// host: where it did not, the client's own country and the policy count.
func (d *dealer) asked(ix *index.Index, q *Query) bool {
	own := d.exist
	d.exist |= 1<<snapshot.BandCountry | 1<<snapshot.BandContinent
	wanted := d.m.set()
	for _, c := range q.Countries {
		wanted.Or(ix.HostsIn(c))
	}
	if q.Global {
		wanted.Copy(d.left)
	}
	d.add(snapshot.BandCountry, 0, wanted)
	wanted.Clear()
	for _, c := range q.Countries {
		wanted.Or(ix.HostsAround(c))
	}
	d.add(snapshot.BandContinent, 0, wanted)
	if len(d.m.bands) > 0 {
		return true
	}
	d.exist = own
	return false
}

// reset makes the memory ready for sets of so many words.
func (m *Match) reset(words int) {
	m.words = words
	m.memory = m.memory[:0]
	m.bands = m.bands[:0]
}

// set returns an empty set. Sets handed out before stay good when the memory
// grows: they go on living in the old one.
func (m *Match) set() hostset.Set {
	at := len(m.memory)
	if at+m.words > cap(m.memory) {
		m.memory = make([]uint64, 0, max(2*cap(m.memory), 16*m.words))
		at = 0
	}
	m.memory = m.memory[:at+m.words]
	s := hostset.Set(slices.Clip(m.memory[at:]))
	s.Clear()
	return s
}
