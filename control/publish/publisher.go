package publish

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path"
	"slices"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// A Publisher publishes what a store knows. Several processes may have one
// each: a lease in the store lets one publish at a time.
type Publisher struct {
	Store  *store.Store
	Key    ed25519.PrivateKey
	Holder string // names this process in the lease
	Now    func() time.Time
	Log    *slog.Logger

	// Refresh is after what time the same content is published anew, so that
	// edges see that the control plane lives.
	Refresh time.Duration

	// Keep is how many snapshots are kept, to roll back to.
	Keep int
}

// ErrBusy says that another process publishes now.
var ErrBusy = errors.New("another process is publishing")

// lease is for how long a publisher may be silent before another takes over. It
// is renewed four times as often: one that was killed keeps nobody waiting long.
const lease = 20 * time.Second

// Publish publishes what the store knows now, unless it is the same as last
// time and that is younger than Refresh. It returns the version in force.
func (p *Publisher) Publish(ctx context.Context) (version uint64, err error) {
	err = p.alone(ctx, func(l store.Lease) error {
		in, bad := p.Inputs(ctx)
		if bad != nil {
			return bad
		}
		snap, notes := Build(in)
		for _, note := range notes {
			p.Log.Warn("left out of the snapshot", "what", note)
		}
		version, bad = p.put(ctx, l, snap)
		return bad
	})
	if err != nil {
		return 0, fmt.Errorf("publishing: %w", err)
	}
	return version, nil
}

// Rollback publishes an old snapshot under a new version.
func (p *Publisher) Rollback(ctx context.Context, to uint64) (version uint64, err error) {
	err = p.alone(ctx, func(l store.Lease) error {
		old, bad := p.Store.Manifest(ctx, to)
		if bad != nil {
			return bad
		}
		m, _, bad := wire.OpenUnverified(old.Data) // it is our own, out of our own database
		if bad != nil {
			return bad
		}
		version, bad = p.sign(ctx, l, m, old.Sections)
		return bad
	})
	if err != nil {
		return 0, fmt.Errorf("rolling back to version %d: %w", to, err)
	}
	return version, nil
}

// alone calls f while this process has the lease.
func (p *Publisher) alone(ctx context.Context, f func(store.Lease) error) error {
	l, ok, err := p.Store.Acquire(ctx, "publish", p.Holder, lease)
	if err != nil {
		return err
	}
	if !ok {
		return ErrBusy
	}
	stop := p.keep(ctx, l)
	err = f(l)
	stop()
	return errors.Join(err, p.Store.Release(context.WithoutCancel(ctx), l))
}

// keep renews the lease until stop is called. Whether it was lost all the same
// is found out when the manifest is put.
func (p *Publisher) keep(ctx context.Context, l store.Lease) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(lease / 4)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := p.Store.Renew(ctx, l, lease); err != nil && ctx.Err() == nil {
					p.Log.Warn("publishing", "error", err)
				}
			}
		}
	}()
	return func() { cancel(); <-over }
}

// Inputs reads all that a snapshot is built from.
func (p *Publisher) Inputs(ctx context.Context) (in Inputs, err error) {
	in.Now = p.Now()
	if in.World, _, err = p.Store.World(ctx); err != nil {
		return in, err
	}
	if in.Trees, err = p.trees(ctx, in.World); err != nil {
		return in, err
	}
	if in.Number, err = p.numbers(ctx, &in); err != nil {
		return in, err
	}
	history, err := p.Store.History(ctx)
	if err != nil {
		return in, err
	}
	in.Older = func(file string) (versions []snapshot.Version) {
		for _, v := range history[file] {
			versions = append(versions, v.Version())
		}
		return versions
	}
	in.Resolve = func(name string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	}
	return in, p.Store.Listings(ctx, time.Time{}, func(l *registry.Listing) error {
		in.Listings = append(in.Listings, l)
		return nil
	})
}

func (p *Publisher) trees(ctx context.Context, w *registry.World) (trees []*registry.Tree, err error) {
	scans, err := p.Store.Scans(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range registry.All[*registry.Category](w) {
		if _, ok := scans[c.Name]; !ok {
			continue
		}
		t, err := p.Store.Tree(ctx, c.Name)
		if err != nil {
			return nil, err
		}
		trees = append(trees, t)
	}
	return trees, nil
}

// numbers returns the numbers of all directories; the store gives those to new ones.
func (p *Publisher) numbers(ctx context.Context, in *Inputs) (func(string) (uint32, bool), error) {
	var paths []string
	for _, c := range registry.All[*registry.Category](in.World) {
		paths = append(paths, c.Path)
		for _, t := range in.Trees {
			if t.Category != c.Name {
				continue
			}
			for _, d := range t.Directories {
				paths = append(paths, path.Join(c.Path, d.Path))
			}
		}
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	numbers, err := p.Store.Numbers(ctx, paths)
	if err != nil {
		return nil, err
	}
	byPath := make(map[string]uint32, len(paths))
	for i, whole := range paths {
		byPath[whole] = numbers[i]
	}
	return func(whole string) (uint32, bool) {
		n, ok := byPath[whole]
		return n, ok
	}, nil
}

// put publishes a snapshot, or finds that it is the one in force.
func (p *Publisher) put(ctx context.Context, l store.Lease, snap *snapshot.Snapshot) (uint64, error) {
	m, err := wire.Encode(snap, func(_ wire.Hash, data []byte) error {
		_, bad := p.Store.PutSection(ctx, data)
		return bad
	})
	if err != nil {
		return 0, err
	}
	var sections []string
	for h := range m.Hashes() {
		sections = append(sections, hex.EncodeToString(h[:]))
	}
	slices.Sort(sections)
	last, err := p.Store.LastManifest(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	if p.Now().Sub(last.Created) < p.Refresh && sameSections(m, last.Data) {
		return last.Version, nil
	}
	return p.sign(ctx, l, m, sections)
}

// sameSections reports whether a manifest has the sections of a published one.
// Their hashes alone do not tell: one host may hold now what another held.
func sameSections(m *wire.Manifest, published []byte) bool {
	last, _, err := wire.OpenUnverified(published) // it is our own, out of our own database
	return err == nil && slices.Equal(m.Sections, last.Sections)
}

// sign publishes a manifest under the next version.
func (p *Publisher) sign(ctx context.Context, l store.Lease, m *wire.Manifest, sections []string) (uint64, error) {
	last, err := p.Store.LastManifest(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	m.Version, m.Created = wire.NextVersion(last.Version, p.Now()), p.Now()
	data, err := m.Sign(p.Key)
	if err != nil {
		return 0, err
	}
	err = p.Store.PutManifest(ctx, l, store.Manifest{Version: m.Version, Created: m.Created, Data: data, Sections: sections})
	if err != nil {
		return 0, err
	}
	return m.Version, p.Store.PruneManifests(ctx, p.Keep)
}
