package source

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/snapshot/wire"
)

// Peers are the other edges that follow the same control plane. All that they
// send is verified: by its hash, or by the signature. Its methods are safe for
// any number of goroutines; edge/cluster/share has them.
type Peers interface {
	// Alone reports whether there are none.
	Alone() bool

	// Leads reports whether this edge is one of the few that get the manifest
	// of this hash, and its sections, from the control plane. The others get
	// them from these.
	Leads(manifest wire.Hash) bool

	// Newest returns the highest version that a peer has told it has; 0: none has.
	// One from which Newer got nothing good does not count for a while.
	Newest() uint64

	// Manifest returns the manifest of a hash. It waits some seconds for those
	// that get it before this edge does.
	Manifest(ctx context.Context, manifest wire.Hash) ([]byte, error)

	// Newer returns a manifest above a version. One that is not accepted is
	// held against the peer that it came from, and another peer is asked.
	Newer(ctx context.Context, above uint64, accept func([]byte) error) ([]byte, error)

	// Section returns the bytes of a section of the snapshot with this manifest
	// and version.
	Section(ctx context.Context, manifest wire.Hash, version uint64, s *wire.Section) ([]byte, error)
}

// Times of a Remote with peers.
const (
	lookAtPeers = time.Second     // how often it looks what versions peers have
	patience    = 3 * time.Second // with a control plane that does not tell of a version that peers have
	doubtful    = time.Minute     // a version of peers is not tried again that could not be taken
)

// A news is a manifest that may be new.
type news struct {
	manifest []byte // nil: it is not new
	etag     string
	lead     bool // its sections are to come from the control plane rather than from peers
}

// errAhead ends waiting for the control plane: peers have a newer version.
var errAhead = errors.New("peers have a newer snapshot than the control plane tells of")

// look asks the control plane for news, waiting for them if it does. If there
// are peers, it asks for the ETag only, and most edges get the manifest from
// those that lead.
func (r *Remote) look(ctx context.Context) (news, error) {
	if r.peers == nil || r.peers.Alone() {
		return r.fetchManifest(ctx, longPoll)
	}
	etag, err := r.ask(ctx)
	if err != nil || etag != "" && etag == r.etag {
		return news{}, err
	}
	h, ok := hashOfTag(etag)
	switch {
	case !ok: // somebody in between answers in another way
		return r.fetchManifest(ctx, longPoll)
	case r.peers.Leads(h):
		return r.fetchManifest(ctx, 0)
	}
	b, err := r.peers.Manifest(ctx, h)
	if err == nil {
		r.counts.manifestsOfPeers.Add(1)
		return news{manifest: b, etag: etag}, nil
	}
	r.counts.fallbacks.Add(1)
	n, err := r.fetchManifest(ctx, 0)
	n.lead = false // peers may have its sections by now
	return n, err
}

// ask returns the ETag of what the control plane publishes. It waits for news,
// but not for long if peers have some.
func (r *Remote) ask(ctx context.Context) (string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		for since := time.Duration(0); since < patience; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(lookAtPeers):
			}
			if since += lookAtPeers; !r.behind() {
				since = 0
			}
		}
		cancel(errAhead)
	}()
	etag, err := r.fetchTag(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errAhead) {
		return "", errAhead
	}
	return etag, err
}

// behind reports whether peers have a newer snapshot, and it is worth asking
// them for it.
func (r *Remote) behind() bool {
	return r.peers != nil && r.peers.Newest() > max(r.version.Load(), r.doubted.Load())
}

// catchUp takes the snapshot that peers have, while the control plane is away.
func (r *Remote) catchUp(ctx context.Context) error {
	newest := r.peers.Newest()
	var version uint64 // signed, unlike newest
	b, err := r.peers.Newer(ctx, r.version.Load(), func(b []byte) (bad error) {
		version, bad = r.newer(b)
		return bad
	})
	if err == nil {
		r.counts.manifestsOfPeers.Add(1)
		if err = r.take(ctx, news{manifest: b}); err != nil && ctx.Err() == nil {
			r.doubted.Store(version)
			time.AfterFunc(doubtful, func() { r.doubted.CompareAndSwap(version, 0) })
		}
	}
	if err != nil {
		return fmt.Errorf("catching up with peers, of which one has version %d: %w", newest, err)
	}
	r.etag = tagOf(b)
	r.config.Log.Info("a snapshot came from peers, as the control plane is away", "version", r.version.Load())
	return nil
}

// newer returns the version of a manifest that a peer sent, or what is wrong with
// it.
func (r *Remote) newer(b []byte) (version uint64, err error) {
	m, err := wire.Open(b, r.config.Keys)
	if err != nil {
		return 0, err
	}
	if m.Version <= r.version.Load() {
		return 0, fmt.Errorf("version %d is not above the present one, %d", m.Version, r.version.Load())
	}
	return m.Version, nil
}

// pause waits, and not to the end if peers have news.
func (r *Remote) pause(ctx context.Context, d time.Duration) {
	end := time.After(d)
	for {
		select {
		case <-ctx.Done():
			return
		case <-end:
			return
		case <-time.After(lookAtPeers):
			if r.behind() {
				return
			}
		}
	}
}

// tagOf is the ETag that a control plane gives a manifest.
func tagOf(manifest []byte) string { return strconv.Quote(wire.HashOf(manifest).String()) }

// hashOfTag returns the hash in an ETag, if it is one that [tagOf] returns, or
// what a proxy makes of it.
func hashOfTag(etag string) (wire.Hash, bool) {
	text, err := strconv.Unquote(strings.TrimPrefix(etag, "W/"))
	if err != nil {
		return wire.Hash{}, false
	}
	h, err := wire.ParseHash(text)
	return h, err == nil
}
