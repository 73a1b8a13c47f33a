package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// atOnce is how many sections are fetched at a time.
const atOnce = 8

// take makes the snapshot of a manifest the present one.
func (r *Remote) take(ctx context.Context, n news) error {
	b := n.manifest
	m, err := wire.Open(b, r.config.Keys)
	if err != nil {
		return refused{err}
	}
	if r.Latest() != nil && wire.SameContent(b, r.manifest) {
		r.counts.unchanged.Add(1)
		return r.resign(b)
	}
	if present := r.version.Load(); m.Version < present || m.Version == present && r.Latest() != nil {
		return refused{fmt.Errorf("version %d is not above the present one, %d", m.Version, present)}
	}
	r.offer.begin(b, m)
	s, err := r.fetch(ctx, &fetching{r, m, wire.HashOf(b), r.control(), n.lead})
	if err == nil {
		if err = r.store.Commit(b); err != nil {
			err = fmt.Errorf("keeping snapshot %d: %w", m.Version, err)
		}
	}
	keep := r.offer.end(err == nil)
	if err != nil {
		return err
	}
	r.manifest = b
	r.version.Store(m.Version)
	r.counts.changed.Add(1)
	r.use(s)
	if _, err = r.store.Collect(keep...); err != nil {
		r.config.Log.Warn("old sections stay on disk", "error", err)
	}
	return nil
}

// resign keeps a manifest that differs from the present one in its signatures:
// the old key may be forgotten before anything new is published.
func (r *Remote) resign(b []byte) error {
	if string(b) == string(r.manifest) {
		return nil
	}
	if err := r.store.Commit(b); err != nil {
		return fmt.Errorf("keeping the new signature: %w", err)
	}
	r.manifest = b
	r.offer.resign(b)
	return nil
}

func (r *Remote) use(s *snapshot.Snapshot) {
	r.latest.Store(s)
	select {
	case r.updated <- struct{}{}:
	default: // the last update is not noticed yet; this one will be with it
	}
}

// A fetching is a snapshot whose sections are being fetched.
type fetching struct {
	*Remote

	m       *wire.Manifest
	hash    wire.Hash // of the manifest
	control SectionSource
	lead    bool // the control plane is asked before peers
}

// fetch returns the snapshot, fetching what is not on disk. Sections that
// turn out to be damaged there are fetched again, once.
func (r *Remote) fetch(ctx context.Context, f *fetching) (*snapshot.Snapshot, error) {
	for again := false; ; again = true {
		if err := f.missing(ctx); err != nil {
			return nil, err
		}
		s, err := r.decoder.Decode(f.m, r.kept)
		switch {
		case err == nil:
			return s, nil
		case errors.Is(err, wire.ErrDamaged) && !again:
			r.config.Log.Warn("a section is fetched again", "error", err)
		case errors.Is(err, wire.ErrDamaged):
			return nil, err
		default:
			return nil, refused{err}
		}
	}
}

// kept reads a section from disk.
func (r *Remote) kept(h wire.Hash) ([]byte, error) {
	b, err := r.store.Section(h)
	if errors.Is(err, wire.ErrDamaged) {
		r.counts.damaged.Add(1)
	}
	return b, err
}

// missing fetches the sections that are not on disk, some at a time. All edges
// do so in the order of the manifest, so that one that waits for another does
// not wait long. What came is kept, so that a broken fetch goes on where it was;
// when one fails, none is begun any more, and those that are on their way come.
func (f *fetching) missing(ctx context.Context) error {
	group, going := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	asked := map[wire.Hash]bool{}
	for i := range f.m.Sections {
		s := &f.m.Sections[i]
		if going.Err() != nil {
			break
		}
		if asked[s.Hash] || f.store.Has(s) {
			continue
		}
		asked[s.Hash] = true
		group.Go(func() error { return f.section(ctx, s) })
	}
	return cmp.Or(group.Wait(), ctx.Err())
}

// section fetches a section, verifies and keeps it: where this edge leads, from
// the control plane, else from peers; and from the other if that fails.
func (f *fetching) section(ctx context.Context, s *wire.Section) error {
	if f.peers == nil || f.peers.Alone() {
		return f.fromControl(ctx, s)
	}
	if f.lead && f.peers.Newest() < f.m.Version { // no peer has it all
		err := f.fromControl(ctx, s)
		if err != nil && ctx.Err() == nil && f.fromPeers(ctx, s) == nil {
			return nil
		}
		return err
	}
	err := f.fromPeers(ctx, s)
	if err == nil || ctx.Err() != nil {
		return err
	}
	f.counts.fallbacks.Add(1)
	return f.fromControl(ctx, s)
}

func (f *fetching) fromControl(ctx context.Context, s *wire.Section) error {
	b, err := f.control.Section(ctx, s)
	if err == nil {
		err = f.keep(s, b)
	}
	if err != nil {
		return fmt.Errorf("fetching section %s: %w", s, err)
	}
	return nil
}

func (f *fetching) fromPeers(ctx context.Context, s *wire.Section) error {
	b, err := f.peers.Section(ctx, f.hash, f.m.Version, s)
	if err == nil {
		err = f.keep(s, b)
	}
	if err != nil {
		return fmt.Errorf("fetching section %s from peers: %w", s, err)
	}
	f.counts.fromPeers.Add(1)
	f.counts.bytesOfPeers.Add(uint64(len(b)))
	return nil
}

// keep verifies a section, and puts it on disk.
func (f *fetching) keep(s *wire.Section, b []byte) error {
	if err := s.Verify(b); err != nil {
		f.counts.damaged.Add(1)
		return err
	}
	f.counts.sections.Add(1)
	f.counts.bytes.Add(uint64(len(b)))
	if err := f.store.Put(s.Hash, b); err != nil {
		return err
	}
	f.offer.came(s.Hash)
	return nil
}
