package share

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/waypost/waypost/edge/snapshot/wire"
)

// How long this edge waits for others before it asks the control plane, and for
// each edge that is between it and the control plane.
const (
	waitManifest = 3 * time.Second // until a peer has a manifest
	perDepth     = time.Second
	waitSection  = 35 * time.Second // until a section is there that a peer says is on its way,
	trickle      = 1 << 10          // and so many of its bytes a second beside: longer than edge/source waits for the control plane
	jitter       = time.Second      // at random, at most
	maxTries     = 5                // peers that are asked for one thing
	waitOnce     = 10 * time.Second // with one request: a peer that froze is found out some seconds later

	manifestWithin = 15 * time.Second // a manifest must come, beside waiting
	newerWithin    = 20 * time.Second // peers that have a newer snapshot are asked, while the control plane says nothing: more than one of them
)

var errNobody = errors.New("no peer has it")

// A source is a peer to ask.
type source struct {
	Peer

	before bool // it gets things before this edge does, and can be waited for
}

// A wish is what is asked of peers.
type wish struct {
	path   string
	most   int                // bytes
	within time.Duration      // it must come, beside waiting
	coming time.Duration      // it may be on its way to a peer; if it is for longer, the peer hangs
	told   bool               // peers have told that they have it: not to have it is held against them
	accept func([]byte) error // what is not accepted is held against the peer
}

// Alone reports whether there are no peers.
func (s *Share) Alone() bool { return len(s.peers()) == 0 }

// Leads reports whether this edge is to get a manifest from the control plane.
func (s *Share) Leads(manifest wire.Hash) bool { return s.plan(manifest).leads() }

// Newest returns the highest version that a peer has of those that are not left
// alone: what others tell may be wrong.
func (s *Share) Newest() (version uint64) {
	now := time.Now()
	for _, p := range s.peers() {
		if p.Version > version && !s.standing.look(p.Address).until.After(now) {
			version = p.Version
		}
	}
	return version
}

// Manifest returns the manifest of a hash. It waits some seconds for the peer
// that is to get it before this edge does.
func (s *Share) Manifest(ctx context.Context, manifest wire.Hash) ([]byte, error) {
	p := s.plan(manifest)
	return s.first(ctx, s.sources(p, 0), patience(waitManifest, p.depth), wish{
		path: "/v1/manifest/" + manifest.String(), most: wire.MaxManifest, within: manifestWithin,
		accept: func(b []byte) error {
			if wire.HashOf(b) != manifest {
				return errors.New("it has another SHA-256")
			}
			return nil
		},
	})
}

// Newer returns a manifest above a version that is accepted. Peers that have told
// of one and do not send it are left alone.
func (s *Share) Newer(ctx context.Context, above uint64, accept func([]byte) error) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, newerWithin)
	defer cancel()
	var have []source
	for _, p := range s.nearest(s.peers()) {
		if p.Version > above {
			have = append(have, source{Peer: p})
		}
	}
	return s.first(ctx, s.fit(have), 0, wish{
		path: "/v1/manifest", most: wire.MaxManifest, within: manifestWithin, told: true, accept: accept,
	})
}

// Section returns the verified bytes of a section of a snapshot.
func (s *Share) Section(ctx context.Context, manifest wire.Hash, version uint64, section *wire.Section) ([]byte, error) {
	p := s.plan(manifest)
	within := answerWithin + time.Duration(section.Size/slowest)*time.Second
	coming := waitSection + time.Duration(section.Size/trickle)*time.Second
	return s.first(ctx, s.sources(p, version), patience(coming, p.depth), wish{
		path: "/v1/sections/" + section.Hash.String(), most: section.Size, within: within, coming: coming, accept: section.Verify,
	})
}

// patience returns how long an edge waits that has depth others before it: each
// one longer than those, so that they ask the control plane before it does.
func patience(least time.Duration, depth int) time.Duration {
	return least + time.Duration(depth)*perDepth + rand.N(jitter) //nolint:gosec // spreads load, hides nothing
}

// sources returns whom to ask: the parent, those that lead, then those
// that have the version (0: nobody else), the nearest first.
func (s *Share) sources(p *plan, version uint64) []source {
	var all []source
	if !p.leads() {
		all = append(all, source{p.ranked[p.parent], true})
	}
	for i, peer := range p.ranked[:min(leaders, len(p.ranked))] {
		if i != p.self {
			all = append(all, source{peer, !p.leads()})
		}
	}
	var rest []Peer
	for _, peer := range s.peers() {
		if version > 0 && peer.Version >= version {
			rest = append(rest, peer)
		}
	}
	for _, peer := range s.nearest(rest) {
		all = append(all, source{Peer: peer})
	}
	return s.fit(all)
}

// fit returns the first of those that are not left alone, each once.
func (s *Share) fit(all []source) (out []source) {
	now := time.Now()
	for _, from := range all {
		again := slices.ContainsFunc(out, func(o source) bool { return o.Address == from.Address })
		if !again && !s.standing.look(from.Address).until.After(now) && len(out) < maxTries {
			out = append(out, from)
		}
	}
	return out
}

// first asks one after the other, until one has it. It waits for those before
// this edge, in all as long as it is said.
func (s *Share) first(ctx context.Context, from []source, wait time.Duration, w wish) ([]byte, error) {
	end := time.Now().Add(wait)
	last := errNobody
	for _, f := range from {
		left := time.Duration(0)
		if f.before {
			left = max(time.Until(end), 0)
		}
		b, err := s.ask(ctx, &f.Peer, left, &w)
		if err == nil || ctx.Err() != nil {
			return b, err
		}
		last = err
	}
	return nil, last
}

// nearest returns peers in order: those of this region first, each by how long it
// took to connect to them.
func (s *Share) nearest(peers []Peer) []Peer {
	type placed struct {
		elsewhere int
		took      time.Duration
		peer      Peer
	}
	var all []placed
	for _, p := range peers {
		at := placed{0, s.standing.look(p.Address).near, p}
		if p.Region != s.Region {
			at.elsewhere = 1
		}
		all = append(all, at)
	}
	slices.SortStableFunc(all, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.elsewhere, b.elsewhere), cmp.Compare(a.took, b.took))
	})
	out := make([]Peer, len(all))
	for i := range all {
		out[i] = all[i].peer
	}
	return out
}

// ask asks a peer, and notes how it does.
func (s *Share) ask(ctx context.Context, p *Peer, wait time.Duration, w *wish) ([]byte, error) {
	s.counters.asked.Add(1)
	b, err := s.await(ctx, p.Address, wait, w)
	now := time.Now()
	switch {
	case err == nil:
		if err = w.accept(b); err != nil {
			s.counters.wrong.Add(1)
			s.standing.wrong(p.Address, now)
			s.leave(p, fmt.Errorf("it is not what was asked for: %w", err))
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		s.standing.good(p.Address)
		return b, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, errComing) && wait > 0 && wait >= w.coming: // it hangs
	case errors.Is(err, errLacks) && !w.told || errors.Is(err, errComing):
		s.counters.lacked.Add(1)
		s.standing.good(p.Address)
		return nil, err
	}
	s.counters.failed.Add(1)
	if s.standing.failed(p.Address, now) {
		s.leave(p, err)
	}
	return nil, err
}

// await gets what a peer has, and asks again while it is on its way there, unless
// the peer was found to hang meanwhile.
func (s *Share) await(ctx context.Context, at netip.AddrPort, wait time.Duration, w *wish) ([]byte, error) {
	for ; ; wait -= waitOnce {
		b, err := s.client.get(ctx, at, min(wait, waitOnce), w)
		if wait <= waitOnce || !errors.Is(err, errComing) || s.standing.look(at).until.After(time.Now()) {
			return b, err
		}
	}
}

// leave tells of a peer that is left alone. A seed may be no peer at all.
func (s *Share) leave(p *Peer, why error) {
	level := slog.LevelWarn
	if p.Seed {
		level = slog.LevelInfo
	}
	s.Log.Log(context.Background(), level, "another edge is not asked for snapshots for a while", "edge", p.Name, "address", p.Address, "error", why)
}
