package source

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// RemoteConfig says where a [Remote] gets snapshots from.
type RemoteConfig struct {
	// URL is the control plane's, such as https://control.example.org. Required.
	URL string

	// TokenFile has the token of this edge. It is read for each request, so
	// that a new one needs no restart. "": no token is sent.
	TokenFile string

	// Keys are those whose signature counts. Required.
	Keys []ed25519.PublicKey

	// Dir is where the last good snapshot is kept. Required.
	Dir string

	// Peers returns who else may have sections; they are asked before the
	// control plane. Nil: nobody.
	Peers func() []SectionSource

	// Transport speaks HTTP. Default: one with Go's defaults and time limits.
	Transport http.RoundTripper

	// Log gets what went wrong, and what came. Default: nothing is logged.
	Log *slog.Logger
}

// Times of a Remote.
const (
	longPoll     = 30 * time.Second // how long the control plane may wait for news
	betweenPolls = time.Second      // at least, for one that does not wait
	firstBackoff = time.Second
	maxBackoff   = time.Minute
)

// A Remote follows what a control plane publishes: it fetches the sections
// that it lacks, verifies and decodes them, and keeps them on disk. A snapshot
// that is bad, unsigned or older than the present one is refused, and the
// present one stays. [Remote.Run] is for one goroutine, the rest for any.
type Remote struct {
	config RemoteConfig
	store  *wire.Store
	client *http.Client

	decoder  wire.Decoder
	manifest []byte // the bytes of the one in use, or of the one on disk
	version  uint64 // no older one is taken
	etag     string // of the manifest that the control plane sent last

	latest  atomic.Pointer[snapshot.Snapshot]
	updated chan struct{}
	counts  remoteCounts
}

type remoteCounts struct {
	changed, unchanged, refused, failed atomic.Uint64
	sections, fromPeers, bytes, damaged atomic.Uint64
	lastContact                         atomic.Int64
	current                             atomic.Bool
}

// RemoteCounters are what a [Remote] counted since it was made.
type RemoteCounters struct {
	Changed     uint64    // polls that brought a snapshot
	Unchanged   uint64    // polls without news
	Refused     uint64    // polls that brought what is not good
	Failed      uint64    // polls without an answer, or without all sections
	Sections    uint64    // that were fetched
	FromPeers   uint64    // of these
	Bytes       uint64    // of all sections that were fetched
	Damaged     uint64    // sections with other bytes than were asked for, fetched or on disk
	LastContact time.Time // when the control plane last said something good; zero: never
	Current     bool      // the last poll went well: what is in use is what is published
}

// NewRemote returns a Remote that has nothing yet. It makes the folder.
func NewRemote(c RemoteConfig) (*Remote, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Transport == nil {
		c.Transport = newTransport()
	}
	store, err := wire.OpenStore(c.Dir)
	if err != nil {
		return nil, err
	}
	c.URL = strings.TrimRight(c.URL, "/")
	return &Remote{config: c, store: store, client: newClient(c.Transport), updated: make(chan struct{}, 1)}, nil
}

// Latest returns the newest good snapshot, nil if there is none yet.
func (r *Remote) Latest() *snapshot.Snapshot { return r.latest.Load() }

// Updated gets a value when Latest has changed.
func (r *Remote) Updated() <-chan struct{} { return r.updated }

// Counters returns the counters.
func (r *Remote) Counters() RemoteCounters {
	c := &r.counts
	out := RemoteCounters{
		Changed: c.changed.Load(), Unchanged: c.unchanged.Load(), Refused: c.refused.Load(), Failed: c.failed.Load(),
		Sections: c.sections.Load(), FromPeers: c.fromPeers.Load(), Bytes: c.bytes.Load(), Damaged: c.damaged.Load(),
		Current: c.current.Load(),
	}
	if at := c.lastContact.Load(); at != 0 {
		out.LastContact = time.Unix(at, 0)
	}
	return out
}

// Restore takes the snapshot that is kept on disk. It is no error if there is
// none. Call it before Run.
func (r *Remote) Restore() error {
	b, err := r.store.Manifest()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the snapshot on disk: %w", err)
	}
	m, err := wire.Open(b, r.config.Keys)
	if err != nil {
		return fmt.Errorf("reading the snapshot on disk: %w", err)
	}
	r.manifest, r.version = b, m.Version
	s, err := r.decoder.Decode(m, r.section)
	if err != nil {
		return fmt.Errorf("reading the snapshot on disk: %w", err)
	}
	r.use(s)
	return nil
}

// Run asks the control plane for news until ctx ends, and goes on after errors,
// first after a second and then ever less often, to once a minute.
func (r *Remote) Run(ctx context.Context) error {
	failures := 0
	for ctx.Err() == nil {
		began := time.Now()
		err := r.Poll(ctx)
		pause := betweenPolls - time.Since(began)
		if err != nil && ctx.Err() == nil {
			pause = backoff(failures)
			failures++
			r.complain(err, pause)
		} else {
			failures = 0
		}
		select {
		case <-ctx.Done():
		case <-time.After(max(pause, 0)):
		}
	}
	return nil
}

// complain logs a failed poll.
func (r *Remote) complain(err error, pause time.Duration) {
	present := "none"
	if s := r.Latest(); s != nil {
		present = fmt.Sprint(s.Version)
	}
	r.config.Log.Error("no new snapshot, the old one stays in use", "control", r.config.URL, "version", present,
		"next", pause.Round(time.Millisecond), "error", err)
}

// backoff returns how long to wait after the failure of this number: a time
// that doubles up to a limit, less up to half of it at random, so that edges
// that failed together do not come back together.
func backoff(failures int) time.Duration {
	d := min(firstBackoff<<min(failures, 10), maxBackoff)
	return d - rand.N(d/2) //nolint:gosec // spreads load, hides nothing
}

// refused marks errors about what a control plane published.
type refused struct{ error }

func (r refused) Unwrap() error { return r.error }

// Poll asks the control plane once, waiting for news if it does, and takes what
// is new.
func (r *Remote) Poll(ctx context.Context) error {
	b, etag, err := r.fetchManifest(ctx)
	if err == nil && b != nil {
		err = r.take(ctx, b)
	}
	r.counts.current.Store(err == nil)
	switch {
	case errors.As(err, new(refused)):
		r.counts.refused.Add(1)
		return fmt.Errorf("refusing what was published: %w", err)
	case err != nil:
		r.counts.failed.Add(1)
		return err
	case b == nil:
		r.counts.unchanged.Add(1)
	default:
		r.etag = etag
	}
	r.counts.lastContact.Store(time.Now().Unix())
	return nil
}

// take makes the snapshot of the manifest b the present one.
func (r *Remote) take(ctx context.Context, b []byte) error {
	m, err := wire.Open(b, r.config.Keys)
	if err != nil {
		return refused{err}
	}
	if r.Latest() != nil && wire.SameContent(b, r.manifest) {
		r.counts.unchanged.Add(1)
		return r.resign(b)
	}
	if m.Version < r.version || m.Version == r.version && r.Latest() != nil {
		return refused{fmt.Errorf("version %d is not above the present one, %d", m.Version, r.version)}
	}
	s, err := r.fetch(ctx, m)
	if err != nil {
		return err
	}
	if err = r.store.Commit(b); err != nil {
		return fmt.Errorf("keeping snapshot %d: %w", m.Version, err)
	}
	r.manifest, r.version = b, m.Version
	r.counts.changed.Add(1)
	r.use(s)
	if _, err = r.store.Collect(m); err != nil {
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
	return nil
}

func (r *Remote) use(s *snapshot.Snapshot) {
	r.latest.Store(s)
	select {
	case r.updated <- struct{}{}:
	default: // the last update is not noticed yet; this one will be with it
	}
}

// fetch returns the snapshot of m, fetching what is not on disk. Sections that
// turn out to be damaged there are fetched again, once.
func (r *Remote) fetch(ctx context.Context, m *wire.Manifest) (*snapshot.Snapshot, error) {
	for again := false; ; again = true {
		if err := r.fetchMissing(ctx, m); err != nil {
			return nil, err
		}
		s, err := r.decoder.Decode(m, r.section)
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

// section reads a section from disk.
func (r *Remote) section(h wire.Hash) ([]byte, error) {
	b, err := r.store.Section(h)
	if errors.Is(err, wire.ErrDamaged) {
		r.counts.damaged.Add(1)
	}
	return b, err
}

// fetchMissing fetches the sections of m that are not on disk, some at a time.
// What came is kept, so that a broken fetch goes on where it was.
func (r *Remote) fetchMissing(ctx context.Context, m *wire.Manifest) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	asked := map[wire.Hash]bool{}
	for i := range m.Sections {
		s := &m.Sections[i]
		if asked[s.Hash] || r.store.Has(s) {
			continue
		}
		asked[s.Hash] = true
		group.Go(func() error { return r.fetchSection(ctx, s) })
	}
	return group.Wait()
}

// fetchSection asks the peers for a section, and then the control plane.
func (r *Remote) fetchSection(ctx context.Context, s *wire.Section) error {
	var peers []SectionSource
	if r.config.Peers != nil {
		peers = r.config.Peers()
	}
	for _, p := range append(slices.Clip(peers), r.control()) {
		b, err := p.Section(ctx, s)
		if err == nil {
			if err = s.Verify(b); err != nil {
				r.counts.damaged.Add(1)
			}
		}
		switch {
		case err == nil:
			r.counts.sections.Add(1)
			r.counts.bytes.Add(uint64(len(b)))
			if p != r.control() {
				r.counts.fromPeers.Add(1)
			}
			return r.store.Put(s.Hash, b)
		case ctx.Err() != nil:
			return ctx.Err()
		case p == r.control():
			return fmt.Errorf("fetching section %s: %w", s, err)
		}
	}
	return nil // not reached: the control plane is the last one
}
