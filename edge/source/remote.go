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
	"strings"
	"sync/atomic"
	"time"

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
	maxBackoff   = 10 * time.Second // what is published after an outage is not late; 1,000 edges are 100 questions a second then
)

// A Remote follows what a control plane publishes: it fetches the sections
// that it lacks, verifies and decodes them, and keeps them on disk. A snapshot
// that is bad, unsigned or older than the present one is refused, and the
// present one stays. [Remote.Run] is for one goroutine, the rest for any.
type Remote struct {
	config RemoteConfig
	store  *wire.Store
	client *http.Client

	peers Peers // nil: there are none
	offer *Offer

	decoder  wire.Decoder
	manifest []byte        // the bytes of the one in use
	version  atomic.Uint64 // no older one is taken
	doubted  atomic.Uint64 // a version of peers that could not be taken; 0: none
	etag     string        // of the manifest that the control plane sent last
	trouble  outage

	latest  atomic.Pointer[snapshot.Snapshot]
	updated chan struct{}
	counts  remoteCounts
}

type remoteCounts struct {
	changed, unchanged, refused, failed atomic.Uint64
	sections, fromPeers, bytes, damaged atomic.Uint64
	bytesOfPeers, manifestsOfPeers      atomic.Uint64
	fallbacks                           atomic.Uint64
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
	PeerBytes   uint64    // of these, those of peers
	Manifests   uint64    // that peers sent
	Fallbacks   uint64    // manifests and sections that peers did not have, so that the control plane was asked
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
	return &Remote{config: c, store: store, client: newClient(c.Transport), offer: newOffer(store), updated: make(chan struct{}, 1)}, nil
}

// Join has the Remote share work with peers from now on. Call it before Run.
func (r *Remote) Join(p Peers) { r.peers = p }

// Offer returns what peers can have from here.
func (r *Remote) Offer() *Offer { return r.offer }

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
		PeerBytes: c.bytesOfPeers.Load(), Manifests: c.manifestsOfPeers.Load(), Fallbacks: c.fallbacks.Load(),
		Current: c.current.Load(),
	}
	if at := c.lastContact.Load(); at != 0 {
		out.LastContact = time.Unix(at, 0)
	}
	return out
}

// Restore takes the snapshot that is kept on disk, unless it is the one in use. It
// is no error if there is none. Call it before Run, and again if another process
// may have kept a newer one since.
func (r *Remote) Restore() error {
	b, err := r.store.Manifest()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the snapshot on disk: %w", err)
	}
	if r.Latest() != nil && string(b) == string(r.manifest) {
		return nil
	}
	m, err := wire.Open(b, r.config.Keys)
	if err != nil {
		return fmt.Errorf("reading the snapshot on disk: %w", err)
	}
	if r.Latest() == nil {
		r.version.Store(m.Version) // no older one is taken, though this one be damaged
	}
	s, err := r.decoder.Decode(m, r.kept)
	if err != nil {
		return fmt.Errorf("reading the snapshot on disk: %w", err)
	}
	r.manifest = b
	r.version.Store(m.Version)
	r.etag = tagOf(b) // so that it does not come again
	r.offer.begin(b, m)
	r.offer.end(true)
	r.use(s)
	return nil
}

// Run asks the control plane for news until ctx ends, and goes on after errors,
// first after a second and then ever less often, to once in ten seconds.
func (r *Remote) Run(ctx context.Context) error {
	failures := 0
	for ctx.Err() == nil {
		began := time.Now()
		err := r.Poll(ctx)
		pause := betweenPolls - time.Since(began)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			pause = backoff(failures)
			failures++
			r.complain(err)
		default:
			failures = 0
		}
		r.pause(ctx, max(pause, 0))
	}
	return nil
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
// is new. While it is away, peers that have something newer are asked.
func (r *Remote) Poll(ctx context.Context) error {
	n, err := r.look(ctx)
	if err == nil && n.manifest != nil {
		err = r.take(ctx, n)
	}
	ahead := errors.Is(err, errAhead)
	if ahead {
		err = r.catchUp(ctx)
	}
	r.counts.current.Store(err == nil)
	switch {
	case ahead && err == nil:
		return nil // the control plane has not been heard
	case errors.As(err, new(refused)):
		r.counts.refused.Add(1)
		return fmt.Errorf("refusing what was published: %w", err)
	case err != nil:
		r.counts.failed.Add(1)
		if ctx.Err() == nil && !ahead && r.behind() {
			err = errors.Join(err, r.catchUp(ctx))
		}
		return err
	case n.manifest == nil:
		r.counts.unchanged.Add(1)
	default:
		r.etag = n.etag
	}
	r.counts.lastContact.Store(time.Now().Unix())
	r.relieve()
	return nil
}
