package pages

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
)

// A view is what pages show of mirrors. It does not change. All of it but held
// is public: no private host or URL is in it, nothing of those who wait for
// approval or are switched off, nothing under embargo, no category that is
// hidden from those who run mirrors or is of a product that is not shown.
type view struct {
	change  int64
	built   time.Time
	until   time.Time // when an embargo ends; zero: none is there
	mirrors []*mirror // sorted by country and key
	byKey   map[string]*mirror

	categories []string
	countries  []string
	products   []product // those that have something

	held      map[string]map[string]holding // of all hosts, by key and category
	embargoes []string                      // what nobody may know yet; it is shown nowhere
	opened    map[string]bool               // categories that are for everybody
}

// A mirror is a public host.
type mirror struct {
	Key, Site, SiteURL, Name string
	Country                  string
	Bandwidth                uint32
	Tier                     int
	ASNs                     []uint32
	IPv4, IPv6               bool // addresses that are known
	Resting                  bool // it has maintenance
	Carries                  []carried
}

// A carried is a category that a mirror carries.
type carried struct {
	Category, Path, Product string
	URLs                    []string // sorted by scheme
	Always                  bool
	Seen                    time.Time
	Any                     bool // it holds something
	Out                     bool // crawls have taken it out of all lists

	offers []offer // those of all mirrors that carry it
	here   []bool  // by offer: whether this one holds it; nil: none
}

// A held is a repository, and whether a mirror holds it.
type held struct {
	Name, Arch, Path string
	Here             bool
}

// A holding is when a host was looked at, and what it holds.
type holding struct {
	Seen time.Time
	Any  bool
	here []bool // by the category's offers

	Out    time.Time // since when it is in no list; zero: it is
	Held   time.Time // since when it is not believed; zero: it is
	Reason string    // why
}

// A product is what is distributed, with the versions that have repositories.
type product struct {
	Name     string
	Versions []version
}

type version struct {
	Name, Codename string
	Test           bool
	Arches         []string
}

// views keeps the view that was made last.
type views struct {
	mu    sync.Mutex
	last  *view             // guarded by mu
	lists map[filter][]byte // guarded by mu: lists of mirrors out of it, as nobody in particular sees them
}

// mostLists is how many lists are kept. One of 1,000 mirrors has 1 MB and costs
// 50 ms.
const mostLists = 32

// list returns a list that is kept of a view, nil if there is none.
func (s *views) list(of *view, f filter) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != of {
		return nil
	}
	return s.lists[f]
}

// keep keeps a list of a view, if that is still the last.
func (s *views) keep(of *view, f filter, page []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == of && len(s.lists) < mostLists {
		s.lists[f] = page
	}
}

// fresh is how long a view is shown though crawls may have seen other things.
const fresh = time.Minute

// view returns what there is to show. It costs one small query, and when
// something changed in the registry, or once a minute, as much as reading all
// listings: 0.05 s for 1,000.
func (v *visit) view() (*view, error) {
	world, change, err := v.Store.World(v.r.Context())
	if err != nil {
		return nil, err
	}
	s := &v.views
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.last
	if old != nil && old.change == change && v.now.Sub(old.built) < fresh && (old.until.IsZero() || v.now.Before(old.until)) {
		return old, nil
	}
	next, err := build(v.r.Context(), v.Store, world, v.now)
	if err != nil {
		return nil, err
	}
	next.change = change
	s.last, s.lists = next, map[filter][]byte{}
	return next, nil
}

// A builder makes a view.
type builder struct {
	*view

	world  *registry.World
	now    time.Time
	offers map[string][]offer // by category
}

// An offer is a repository that is no secret.
type offer struct {
	*registry.Repository

	number uint32 // of its directory
}

func build(ctx context.Context, s *store.Store, world *registry.World, now time.Time) (*view, error) {
	b := builder{
		view:  &view{built: now, byKey: map[string]*mirror{}, held: map[string]map[string]holding{}, opened: map[string]bool{}},
		world: world, now: now, offers: map[string][]offer{},
	}
	for _, r := range registry.All[*registry.Release](world) {
		if now.Before(r.LiftAt) {
			b.embargoes = append(b.embargoes, r.Paths...)
			if b.until.IsZero() || r.LiftAt.Before(b.until) {
				b.until = r.LiftAt
			}
		}
	}
	if err := b.addOffers(ctx, s); err != nil {
		return nil, err
	}
	if err := s.Listings(ctx, time.Time{}, b.addListing); err != nil {
		return nil, err
	}
	standings, err := s.Standings(ctx)
	if err != nil {
		return nil, err
	}
	for at, standing := range standings {
		h := b.held[at.Host][at.Category]
		h.Out, h.Held, h.Reason = standing.Out, standing.Held, standing.Reason
		b.hold(at.Host, at.Category, h)
	}
	for _, h := range registry.All[*registry.Host](world) {
		b.addHost(h)
	}
	for _, c := range registry.All[*registry.Category](world) {
		b.opened[c.Name] = b.public(c.Name) != nil
	}
	b.finish()
	return b.view, nil
}

// addListing notes what a host holds, and lets the listing go.
func (b *builder) addListing(l *registry.Listing) error {
	h := holding{Seen: l.Seen, Any: slices.ContainsFunc(l.Holds, func(w uint64) bool { return w != 0 })}
	for _, o := range b.offers[l.Category] {
		h.here = append(h.here, l.Holds.Has(o.number) && !l.Unknown.Has(o.number))
	}
	b.hold(l.Host, l.Category, h)
	return nil
}

func (b *builder) hold(host, category string, h holding) {
	if b.held[host] == nil {
		b.held[host] = map[string]holding{}
	}
	b.held[host][category] = h
}

// secret reports whether a path is under embargo.
func (v *view) secret(path string) bool {
	return slices.ContainsFunc(v.embargoes, func(top string) bool { return registry.Below(path, top) })
}

// open reports whether a category is for everybody.
func (v *view) open(category string) bool { return v.opened[category] }

// public returns the category of a name, nil if it is not for everybody.
func (b *builder) public(name string) *registry.Category {
	c, ok := registry.Find[*registry.Category](b.world, name)
	if !ok || c.AdminOnly || b.secret(c.Path) {
		return nil
	}
	if p, ok := registry.Find[*registry.Product](b.world, c.Product); ok && !p.Public {
		return nil
	}
	return c
}

// addOffers notes the repositories of each category, and which products and
// versions there are of them.
func (b *builder) addOffers(ctx context.Context, s *store.Store) error {
	var all []*registry.Repository
	var paths []string
	for _, r := range registry.All[*registry.Repository](b.world) {
		if r.RedirectTo == "" && !r.Disabled && !b.secret(r.Path) && b.public(r.Category) != nil && store.ValidPath(r.Path) {
			all, paths = append(all, r), append(paths, r.Path)
		}
	}
	numbers, err := s.Numbers(ctx, paths)
	if err != nil {
		return err
	}
	for i, r := range all {
		b.offers[r.Category] = append(b.offers[r.Category], offer{r, numbers[i]})
	}
	for _, p := range registry.All[*registry.Product](b.world) {
		out := product{Name: p.Name}
		for _, v := range p.Versions {
			if arches := b.arches(p.Name, v.Name); arches != nil {
				out.Versions = append(out.Versions, version{v.Name, v.Codename, v.Test, arches})
			}
		}
		if out.Versions != nil {
			b.products = append(b.products, out)
		}
	}
	return nil
}

// arches returns the architectures of a version that have repositories.
func (b *builder) arches(product, version string) (out []string) {
	for category, offers := range b.offers {
		if b.public(category).Product != product {
			continue
		}
		for _, o := range offers {
			if o.Version == version {
				out = append(out, o.Arch)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// addHost adds a host if it is public.
func (b *builder) addHost(h *registry.Host) {
	at, ok := registry.Find[*registry.Site](b.world, h.Site)
	if !ok || !registry.Public(b.world, h) {
		return
	}
	m := &mirror{
		Key: h.Key(), Site: h.Site, SiteURL: at.URL, Name: h.Name, Country: h.Country, Bandwidth: h.Bandwidth,
		Tier: h.Tier, ASNs: h.ASNs, Resting: h.Resting(b.now),
	}
	for _, a := range h.Addresses {
		m.IPv4, m.IPv6 = m.IPv4 || a.Is4(), m.IPv6 || a.Is6()
	}
	for _, carry := range h.Carries {
		if c := b.carried(m.Key, carry); c.URLs != nil {
			m.Carries = append(m.Carries, c)
		}
	}
	if m.Carries != nil {
		b.mirrors = append(b.mirrors, m)
		b.byKey[m.Key] = m
	}
}

func (b *builder) carried(host string, carry registry.Carry) (out carried) {
	c := b.public(carry.Category)
	if c == nil {
		return out
	}
	h := b.held[host][carry.Category]
	out = carried{Category: c.Name, Path: c.Path, Product: c.Product, Always: carry.AlwaysUpToDate, Seen: h.Seen, Any: h.Any, Out: !h.Out.IsZero()}
	for _, u := range carry.URLs {
		if !u.Private {
			out.URLs = append(out.URLs, u.URL)
		}
	}
	slices.SortStableFunc(out.URLs, func(x, y string) int { return cmp.Compare(rank(x), rank(y)) })
	out.offers, out.here = b.offers[c.Name], h.here
	return out
}

// rank orders URLs by their scheme, as people want them.
func rank(url string) int { return slices.Index(schemes(), scheme(url)) }

// schemes returns the schemes of mirrors' URLs.
func schemes() []string { return []string{"https", "http", "rsync", "ftp"} }

func (b *builder) finish() {
	slices.SortFunc(b.mirrors, func(x, y *mirror) int {
		return cmp.Or(cmp.Compare(country(x.Country), country(y.Country)), strings.Compare(x.Key, y.Key))
	})
	for _, m := range b.mirrors {
		b.countries = append(b.countries, m.Country)
		for _, c := range m.Carries {
			b.categories = append(b.categories, c.Category)
		}
	}
	b.countries = slices.Compact(b.countries)
	slices.Sort(b.categories)
	b.categories = slices.Compact(b.categories)
}
