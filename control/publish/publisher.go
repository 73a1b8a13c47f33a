package publish

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

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

	mu      sync.Mutex
	kept    kept         // guarded by mu
	encoder wire.Encoder // guarded by mu
}

// ErrBusy says that another process publishes now.
var ErrBusy = errors.New("another process is publishing")

// lease is for how long a publisher may be silent before another takes over. It
// is renewed four times as often: one that was killed keeps nobody waiting long.
const lease = 20 * time.Second

// thrift is how much garbage, in percent of what is in use, may pile up while
// there is a publication, which has half a gigabyte in use.
const thrift = 50

// Publish publishes what the store knows now, unless it is the same as last
// time and that is younger than Refresh. It returns the version in force. It
// ends what a roll-back holds.
func (p *Publisher) Publish(ctx context.Context) (version uint64, err error) {
	return p.publish(ctx, true)
}

// ErrHeld says that a roll-back is in force.
var ErrHeld = errors.New("a roll-back is in force")

// PublishUnlessHeld is [Publisher.Publish], but while a roll-back is in force it
// publishes nothing: then it is [ErrHeld].
func (p *Publisher) PublishUnlessHeld(ctx context.Context) (version uint64, err error) {
	return p.publish(ctx, false)
}

// publish publishes, over a roll-back only if somebody asked for it.
func (p *Publisher) publish(ctx context.Context, asked bool) (version uint64, err error) {
	err = p.alone(ctx, func(l store.Lease) error {
		last, bad := p.last(ctx) // which nobody replaces meanwhile
		if bad != nil {
			return bad
		}
		if last.RolledBackTo > 0 && !asked {
			return ErrHeld
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		defer debug.SetGCPercent(debug.SetGCPercent(thrift))
		in, bad := p.lean(ctx)
		if bad != nil {
			return bad
		}
		snap, notes := Build(in)
		for _, note := range notes {
			p.Log.Warn("left out of the snapshot", "what", note)
		}
		version, bad = p.put(ctx, l, snap, last)
		return bad
	})
	if err != nil {
		return 0, fmt.Errorf("publishing: %w", err)
	}
	return version, nil
}

// last returns the manifest in force, an empty one if there is none.
func (p *Publisher) last(ctx context.Context) (store.Manifest, error) {
	m, err := p.Store.LastManifest(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return store.Manifest{}, nil
	}
	return m, err
}

// Rollback publishes an old snapshot under a new version, which is in force
// until [Publisher.Publish].
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
		last, bad := p.last(ctx)
		if bad != nil {
			return bad
		}
		version, bad = p.sign(ctx, l, m, last.Version, store.Manifest{Sections: old.Sections, RolledBackTo: to})
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

// put publishes a snapshot, or finds that it is the one in force.
func (p *Publisher) put(ctx context.Context, l store.Lease, snap *snapshot.Snapshot, last store.Manifest) (uint64, error) {
	m, err := p.encode(ctx, snap, last.Sections)
	if err != nil {
		return 0, err
	}
	var sections []string
	for h := range m.Hashes() {
		sections = append(sections, hex.EncodeToString(h[:]))
	}
	slices.Sort(sections)
	if last.RolledBackTo == 0 && p.Now().Sub(last.Created) < p.Refresh && sameSections(m, last.Data) {
		return last.Version, nil
	}
	return p.sign(ctx, l, m, last.Version, store.Manifest{Sections: sections})
}

// batch is how many bytes of sections are put at once.
const batch = 8 << 20

// encode puts a snapshot's sections, but for those that are there: they have a
// manifest already.
func (p *Publisher) encode(ctx context.Context, snap *snapshot.Snapshot, published []string) (*wire.Manifest, error) {
	known := make(map[string]bool, len(published))
	for _, name := range published {
		known[name] = true
	}
	var fresh [][]byte
	size := 0
	flush := func() error {
		list := fresh
		fresh, size = nil, 0
		return p.Store.PutSections(ctx, list...)
	}
	there := func(h wire.Hash) bool { return known[h.String()] }
	m, err := p.encoder.Encode(snap, there, func(h wire.Hash, data []byte) error {
		if there(h) {
			return nil
		}
		fresh, size = append(fresh, data), size+len(data)
		if size < batch {
			return nil
		}
		return flush()
	})
	if err == nil && len(fresh) > 0 {
		err = flush()
	}
	return m, err
}

// sameSections reports whether a manifest has the sections of a published one.
// Their hashes alone do not tell: one host may hold now what another held.
func sameSections(m *wire.Manifest, published []byte) bool {
	last, _, err := wire.OpenUnverified(published) // it is our own, out of our own database
	return err == nil && slices.Equal(m.Sections, last.Sections)
}

// sign publishes a manifest under the version after last. row says what the
// store is to know of it that it does not say itself.
func (p *Publisher) sign(ctx context.Context, l store.Lease, m *wire.Manifest, last uint64, row store.Manifest) (uint64, error) {
	m.Version, m.Created = wire.NextVersion(last, p.Now()), p.Now()
	data, err := m.Sign(p.Key)
	if err != nil {
		return 0, err
	}
	row.Version, row.Created, row.Data = m.Version, m.Created, data
	if err = p.Store.PutManifest(ctx, l, row); err != nil {
		return 0, err
	}
	return m.Version, p.Store.PruneManifests(ctx, p.Keep)
}
