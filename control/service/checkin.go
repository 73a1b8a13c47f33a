package service

import (
	"context"
	"errors"
	"path"
	"slices"
	"time"

	"github.com/waypost/waypost/control/checkin"
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
// kept as held: nobody sees it before the lift, and from then on it counts.
func (d *Desk) keep(ctx context.Context, r checkin.Receipt, o checkin.Outcome) error {
	if o.Listing != nil || len(o.Embargoed) > 0 {
		l, err := d.kept(ctx, r, o)
		if err != nil {
			return err
		}
		if err = d.Store.PutListing(ctx, l); err != nil {
			return err
		}
	}
	if len(o.Crawl) == 0 {
		return nil
	}
	task, err := crawlTask(crawlOrder{web.Crawl{Host: r.Host, Category: o.Category}, o.Crawl})
	if err != nil {
		return err
	}
	return d.Store.Enqueue(ctx, task)
}

// kept returns the listing that a check-in leaves behind.
func (d *Desk) kept(ctx context.Context, r checkin.Receipt, o checkin.Outcome) (*registry.Listing, error) {
	l := o.Listing
	if l == nil {
		before, err := d.Store.Listing(ctx, r.Host, o.Category)
		switch {
		case err == nil:
			l = before
		case errors.Is(err, store.ErrNotFound):
			l = &registry.Listing{Host: r.Host, Category: o.Category, Seen: longAgo()}
		default:
			return nil, err
		}
	}
	if len(o.Embargoed) == 0 {
		return l, nil
	}
	m, err := d.Master(ctx, o.Category)
	if err != nil {
		return nil, err
	}
	out := *l
	out.Holds, out.Unknown = slices.Clone(l.Holds), slices.Clone(l.Unknown)
	for i, dir := range m.Directories {
		if _, ok := slices.BinarySearch(o.Embargoed, dir.Path); ok { // they are sorted
			n := m.Numbers[i]
			out.Holds.Add(n)
			if out.Unknown.Has(n) { // to a crawl before this
				out.Unknown[n/64] &^= 1 << (n % 64)
			}
		}
	}
	return &out, nil
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
