// Package answer is the spine of an edge: a query goes in, hosts in order come
// out. HTTP and DNS are two mouths of it.
//
//	v := engine.View()                      // index and health, swapped whole
//	t, ok := v.Index.Find(path)             // what the path names
//	v.Answer(&answer.Query{Target: t, …}, &a)
//	for _, h := range a.Hosts() { … }
//
// A [View] is immutable. An [Answer] is memory for one query at a time: keep
// one for each worker, or a pool. Answering allocates nothing once that memory
// has grown, takes no lock, reads no clock, and costs about a microsecond at
// 450 hosts × 60,000 directories.
package answer

import (
	"cmp"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/waypost/waypost/edge/distance"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/match"
	"github.com/waypost/waypost/edge/pick"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/statistics"
	"github.com/waypost/waypost/geo"
)

// A View is an index and the health of its hosts.
type View struct {
	Index  *index.Index
	Health *health.State // nil: all are up

	Distances *distance.Table // by round-trip times; nil: hosts are as far as their coordinates say

	Counter *statistics.Counter // where answers are counted; nil: nowhere
}

// An Engine holds the view in use. The zero value has none. It is safe for
// any number of goroutines.
type Engine struct {
	// Counter returns where the answers made from a snapshot are counted. It is
	// set before the first Swap. Nil: they are not counted.
	Counter func(*snapshot.Snapshot) *statistics.Counter

	// Distances returns how far an index's hosts are by round-trip times. It is
	// set before the first Swap. Nil: nobody measures them.
	Distances func(*index.Index) *distance.Table

	// Readers take neither mutex. Distances can take long to make; health does not wait for them.
	view     atomic.Pointer[View]
	distance sync.Mutex // held while distances are made and put in use; locked before swap
	swap     sync.Mutex // held while a new view is made
}

// View returns the view in use, nil before the first [Engine.Swap]. Take it
// once for each query: two calls may return different ones.
func (e *Engine) View() *View { return e.view.Load() }

// Swap puts an index in use together with the health of its hosts, which
// state, unless it is nil, is asked for.
func (e *Engine) Swap(ix *index.Index, state func(*index.Index) *health.State) {
	v := &View{Index: ix}
	e.distance.Lock()
	defer e.distance.Unlock()
	if e.Distances != nil {
		v.Distances = e.Distances(ix)
	}
	e.swap.Lock()
	defer e.swap.Unlock()
	if state != nil {
		v.Health = state(ix)
	}
	if e.Counter != nil {
		v.Counter = e.Counter(ix.Inputs().Snapshot)
	}
	e.view.Store(v)
}

// SetHealth puts a new state of health in use. It does nothing before the
// first Swap.
func (e *Engine) SetHealth(state func(*index.Index) *health.State) {
	if v := e.View(); v != nil {
		e.swap.Lock()
		defer e.swap.Unlock()
		next := *e.View()
		next.Health = state(next.Index)
		e.view.Store(&next)
	}
}

// UpdateDistances asks for the distances of the index in use anew. It does nothing
// before the first Swap.
func (e *Engine) UpdateDistances() {
	e.distance.Lock()
	defer e.distance.Unlock()
	v := e.View()
	if v == nil || e.Distances == nil {
		return
	}
	table := e.Distances(v.Index)
	e.swap.Lock()
	defer e.swap.Unlock()
	next := *e.View() // its health may be newer
	next.Distances = table
	e.view.Store(&next)
}

// A Query is what a mouth asks.
type Query struct {
	Client netip.Addr
	Source int // how many leading bits of Client are the client's own; 0: all
	Target index.Target

	Schemes index.Schemes // a host needs a URL of one of these; 0: any host
	Reach   index.Family  // a host must not be known to lack this family
	Record  index.Family  // a host needs an address of this family for DNS

	Countries []geo.Country // country=
	Global    bool          // country=global
	Avoid     []geo.Country // avoid_country=
	NoNear    bool          // netblock=0
	NoPrivate bool          // Client is a resolver, whose address opens no private host
	Older     bool          // hosts with an older version of the file will do, after all others

	List    bool   // as long as MirrorManager's lists are; else all bands down to everywhere
	Minimum int    // in a list, in place of the policy's; 0: the policy's
	Count   int    // how many hosts are wanted; 0: all
	Sticky  bool   // draw stickily whatever the policy says
	Random  uint64 // a fresh random number, for policies that are not sticky
}

// An Answer is what came of a query. The zero value is ready for use.
type Answer struct {
	View  *View
	Place index.Place
	Query match.Query
	Match match.Match
	pick  pick.Picker
	up    hostset.Set
}

// Answer fills a with the hosts for q.
func (v *View) Answer(q *Query, a *Answer) {
	ix := v.Index
	a.View = v
	client, source := q.client()
	a.Place = ix.Place(client, source)
	a.Query = match.Query{
		Place: a.Place, Directory: q.Target.Directory, Category: q.Target.Category,
		File: q.Target.File, HasFile: q.Target.HasFile, Older: q.Older,
		Schemes: q.Schemes, Reach: q.Reach, Record: q.Record,
		Countries: q.Countries, Global: q.Global, Avoid: q.Avoid, NoNear: q.NoNear, NoPrivate: q.NoPrivate,
		Drained: v.Health.Drained(),
	}
	a.Match.Find(ix, &a.Query)
	policy := &ix.Category(q.Target.Category).Policy
	family := a.family(q)
	up := a.findUp(v, q, family)
	if q.List {
		a.limit(cmp.Or(q.Minimum, policy.Minimum), up)
	}
	a.pick.Order(ix, &a.Match, &pick.Query{
		Up: up, Seed: seed(ix, q, client, policy), Count: q.Count,
		From: a.from(family), Order: policy.Order,
	})
}

// family returns the family over which the client is taken to reach hosts.
func (a *Answer) family(q *Query) index.Family {
	return cmp.Or(q.Reach, q.Record, index.FamilyOf(a.Place.Addr))
}

// from returns what hosts are near to or far from; the zero From if the
// policy does not ask for it.
func (a *Answer) from(f index.Family) distance.From {
	ix := a.View.Index
	if ix.Category(a.Query.Category).Policy.Order != snapshot.Nearest {
		return distance.From{}
	}
	return a.View.Distances.From(ix.Vec(&a.Place), f)
}

// client returns the client's address, unmapped, and how much of it is its own.
func (q *Query) client() (a netip.Addr, source int) {
	a = q.Client.Unmap()
	switch {
	case q.Source == 0:
		return a, a.BitLen()
	case q.Client.Is4In6():
		return a, max(q.Source-96, 0)
	}
	return a, q.Source
}

// limit cuts the bands to the length of MirrorManager's lists. Where countries
// were asked for and found, it is only theirs.
func (a *Answer) limit(minimum int, up hostset.Set) {
	if a.Match.Asked() {
		a.Match.First(up)
		return
	}
	a.Match.Limit(minimum, up)
}

// findUp returns the hosts that are up for q.
func (a *Answer) findUp(v *View, q *Query, family index.Family) hostset.Set {
	if v.Health == nil {
		return nil
	}
	words := hostset.Words(v.Index.Hosts())
	if len(a.up) != words {
		a.up = make(hostset.Set, words)
	}
	schemes := q.Schemes
	if schemes == 0 {
		schemes = index.Web
	}
	v.Health.Up(a.up, v.Index, q.Target.Category, schemes, family)
	if q.Schemes == 0 {
		a.addUnprobed(v.Index, q.Target.Category)
	}
	return a.up
}

// addUnprobed counts hosts without a URL that anybody probes as up: no probe
// can have found them down.
func (a *Answer) addUnprobed(ix *index.Index, category uint32) {
	http, https := ix.WithScheme(category, index.HTTP), ix.WithScheme(category, index.HTTPS)
	for i, w := range a.Match.Eligible() {
		a.up[i] |= w &^ (http[i] | https[i])
	}
}

func seed(ix *index.Index, q *Query, client netip.Addr, policy *snapshot.Policy) uint64 {
	if q.Sticky || policy.Sticky {
		return pick.StickySeed(client, ix.CategoryKey(q.Target.Category))
	}
	return q.Random
}

// Hosts returns the hosts, the best first, good until the next Answer.
func (a *Answer) Hosts() []uint32 { return a.pick.Hosts() }

// Bands returns the band of each of Hosts.
func (a *Answer) Bands() []snapshot.Band { return a.pick.Bands() }

// AllDown reports whether every eligible host is down; then Hosts has them all.
func (a *Answer) AllDown() bool { return a.pick.AllDown() }

// Scope returns the length of the widest prefix around the client for which
// the answer is the same: the scope of RFC 7871, section 7.2.1. It is the
// prefix of the client's class, or the /24 or /48 of a sticky draw where that
// decided which hosts are in the answer.
//
// Whether it did is asked twice, with all hosts up and as they are: the first
// keeps scopes from changing with every failure, the second keeps two answers
// that differ at the same moment from overlapping.
func (a *Answer) Scope() int {
	sticky := pick.StickyBits6
	if a.Place.Addr.Is4() {
		sticky = pick.StickyBits4
	}
	if a.pick.Split() {
		return max(a.Place.Bits, sticky)
	}
	return a.Place.Bits
}

// URL returns where host h carries the answer's category, by the first scheme
// of HTTPS, HTTP, FTP, RSYNC that is in schemes and, if possible, up over the
// family; nil if it has none of them.
func (a *Answer) URL(h uint32, schemes index.Schemes, f index.Family) *index.URL {
	var spare *index.URL
	urls := a.View.Index.URLs(a.Query.Category, h)
	for scheme := index.HTTPS; scheme <= index.OtherScheme; scheme <<= 1 {
		if schemes&scheme == 0 {
			continue
		}
		for i := range urls {
			if urls[i].Scheme != scheme {
				continue
			}
			if !a.View.Health.Down(h, scheme, f) {
				return &urls[i]
			}
			if spare == nil {
				spare = &urls[i]
			}
		}
	}
	return spare
}
