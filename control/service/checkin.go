package service

import (
	"context"
	"errors"
	"path"
	"slices"
	"time"

	"github.com/waypost/waypost/control/checkin"
	"github.com/waypost/waypost/control/crawl"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

// A Desk is what check-ins need of the store.
type Desk struct {
	Store   *store.Store
	Publish func() // called when a check-in changed what is published
	Now     func() time.Time
}

var (
	_ checkin.Registry = (*Desk)(nil)
	_ checkin.Holdings = (*Desk)(nil)
)

// unknown returns [checkin.ErrUnknown] for what the store does not have.
func unknown(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return checkin.ErrUnknown
	}
	return err
}

// Site returns a site.
func (d *Desk) Site(ctx context.Context, name string) (registry.Site, error) {
	return object[*registry.Site](ctx, d, name)
}

// Host returns a host.
func (d *Desk) Host(ctx context.Context, key string) (registry.Host, error) {
	return object[*registry.Host](ctx, d, key)
}

// object returns a copy of an object of the registry.
func object[P interface {
	*T
	registry.Object
}, T any](ctx context.Context, d *Desk, key string) (found T, err error) {
	world, _, err := d.Store.World(ctx)
	if err != nil {
		return found, err
	}
	o, ok := registry.Find[P](world, key)
	if !ok {
		return found, checkin.ErrUnknown
	}
	return *o, nil
}

// HostOfToken returns the host that a token checks in.
func (d *Desk) HostOfToken(ctx context.Context, token string) (string, error) {
	world, _, err := d.Store.World(ctx)
	if err != nil {
		return "", err
	}
	hash := registry.HashToken(token)
	for _, t := range registry.All[*registry.Token](world) {
		if t.Hash == hash && t.Host != "" && t.Allows(registry.ScopeCheckin, d.Now()) {
			return t.Host, nil
		}
	}
	return "", checkin.ErrUnknown
}

// Master returns what a master holds.
func (d *Desk) Master(ctx context.Context, category string) (m checkin.Master, err error) {
	c, err := object[*registry.Category](ctx, d, category)
	if err != nil {
		return m, err
	}
	tree, err := d.Store.Tree(ctx, category)
	if err != nil {
		return m, unknown(err)
	}
	m.Tree = *tree
	m.Numbers, err = d.numbers(ctx, c, tree)
	return m, err
}

func (d *Desk) numbers(ctx context.Context, c registry.Category, t *registry.Tree) ([]uint32, error) {
	paths := make([]string, len(t.Directories))
	for i, dir := range t.Directories {
		paths[i] = path.Join(c.Path, dir.Path)
	}
	return d.Store.Numbers(ctx, paths)
}

// Listing returns what is known of a host.
func (d *Desk) Listing(ctx context.Context, host, category string) (registry.Listing, error) {
	l, err := d.Store.Listing(ctx, host, category)
	if err != nil {
		return registry.Listing{}, unknown(err)
	}
	return *l, nil
}

// Keep keeps a check-in. A step that fails fails the whole, which the host
// then sends again: every step gives the same when it is done twice.
func (d *Desk) Keep(ctx context.Context, r checkin.Receipt) error {
	for _, o := range r.Outcomes {
		if err := d.keep(ctx, r, o); err != nil {
			return err
		}
	}
	if r.UserActive != nil {
		if err := d.setActive(ctx, r.Host, *r.UserActive); err != nil {
			return err
		}
	}
	d.Publish()
	return nil
}

// keep keeps what a check-in says of one category. What is under embargo is
// kept as held: nobody sees it before the lift, and from then on it counts. A
// crawl that ends at the same time and this keep what the other has found.
func (d *Desk) keep(ctx context.Context, r checkin.Receipt, o checkin.Outcome) error {
	embargoed, err := d.embargoed(ctx, o)
	if err != nil {
		return err
	}
	if o.Listing != nil || len(embargoed) > 0 {
		err = d.Store.ChangeListing(ctx, r.Host, o.Category, func(newest registry.Listing) *registry.Listing {
			return claimedListing(newest, o.Listing, embargoed)
		})
		if err != nil {
			return err
		}
	}
	if o.Listing != nil { // it speaks for itself: what crawls thought before does not count
		if err = d.Store.Forgive(ctx, r.Host, o.Category); err != nil {
			return err
		}
	}
	if len(o.Crawl) == 0 {
		return nil
	}
	order := crawlOrder{web.Crawl{Host: r.Host, Category: o.Category}, o.Crawl}
	standing, err := d.Store.Standing(ctx, r.Host, o.Category)
	if err != nil {
		return err
	}
	if !standing.Out.IsZero() { // it says that it is well again
		order.Only, order.Mode = nil, crawl.Quick.String()
	}
	task, err := crawlTask(order)
	if err != nil {
		return err
	}
	return d.Store.EnqueueUnited(ctx, task, func(queued string) (string, error) { return unitedCrawl(queued, order) })
}

// embargoed returns the numbers of the directories that a check-in claims and
// that are under embargo.
func (d *Desk) embargoed(ctx context.Context, o checkin.Outcome) (numbers []uint32, err error) {
	if len(o.Embargoed) == 0 {
		return nil, nil
	}
	m, err := d.Master(ctx, o.Category)
	if err != nil {
		return nil, err
	}
	for i, dir := range m.Directories {
		if _, ok := slices.BinarySearch(o.Embargoed, dir.Path); ok { // they are sorted
			numbers = append(numbers, m.Numbers[i])
		}
	}
	return numbers, nil
}

// claimedListing returns the listing that a check-in leaves behind: the newest,
// or the whole one that it says, with what is under embargo.
func claimedListing(newest registry.Listing, whole *registry.Listing, embargoed []uint32) *registry.Listing {
	out := newest
	if whole != nil {
		out = *whole
	} else if out.Seen.IsZero() {
		out.Seen = longAgo()
	}
	out.Holds, out.Unknown = slices.Clone(out.Holds), slices.Clone(out.Unknown)
	for _, n := range embargoed {
		out.Holds.Add(n)
		if out.Unknown.Has(n) { // to a crawl before this
			out.Unknown[n/64] &^= 1 << (n % 64)
		}
	}
	return &out
}

// setActive sets a host's own word on whether it takes part.
func (d *Desk) setActive(ctx context.Context, key string, active bool) error {
	e, err := d.Store.Get(ctx, registry.KindHost, key)
	if err != nil {
		return err
	}
	h, ok := e.Object.(*registry.Host)
	if !ok || h.UserActive == active {
		return nil
	}
	changed := *h
	changed.UserActive = active
	_, err = d.Store.Apply(ctx, "check-in of "+key, store.Put(&changed, e.Revision))
	return err
}
