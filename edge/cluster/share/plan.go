package share

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/waypost/waypost/edge/snapshot/wire"
)

const (
	leaders  = 2 // edges that get a manifest from the control plane
	children = 3 // edges that get it from one other of their region; and as many first ones of other regions
)

// A plan is who gets a snapshot from whom. All edges that know of the same peers
// make the same plan; where they differ for a moment, somebody asks in vain and
// then another.
type plan struct {
	ranked []Peer // with this edge, which has no address
	self   int    // the rank of this edge
	parent int    // the rank of the edge from which this one gets it; it is before this one, so that none waits for the other
	depth  int    // edges between this one and the control plane; 0: it leads, and has no parent
}

// newPlan ranks edges for a manifest: by rendezvous hashing, so that it is
// others each time and one that comes or goes moves few.
func newPlan(manifest wire.Hash, self Peer, peers []Peer) *plan {
	type scored struct {
		score uint64
		peer  Peer
	}
	var all []scored
	for _, p := range append([]Peer{self}, peers...) {
		if p.Seed {
			continue
		}
		sum := sha256.Sum256(append(manifest[:len(manifest):len(manifest)], p.Name...))
		all = append(all, scored{binary.BigEndian.Uint64(sum[:]), p})
	}
	slices.SortFunc(all, func(a, b scored) int {
		return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(a.peer.Name, b.peer.Name))
	})
	p := &plan{}
	for i, s := range all {
		p.ranked = append(p.ranked, s.peer)
		if s.peer.Name == self.Name {
			p.self = i
		}
	}
	for at := p.self; at >= leaders; p.depth++ {
		at = p.above(at)
		if p.depth == 0 {
			p.parent = at
		}
	}
	return p
}

// leads reports whether this edge gets the snapshot from the control plane.
func (p *plan) leads() bool { return p.depth == 0 }

// above returns the rank of the parent of the edge of a rank. The first edge of
// a region has it from the first of another, the others from one of theirs.
func (p *plan) above(rank int) int {
	var first, region []int // ranks of the first edges of all regions, and of the edges of this one; both with leaders before the others
	seen := map[string]bool{}
	roots := 0
	for i, peer := range p.ranked[:rank+1] {
		if i < leaders || !seen[peer.Region] {
			first = append(first, i)
		}
		seen[peer.Region] = true
		if peer.Region == p.ranked[rank].Region {
			region = append(region, i)
			if i < leaders {
				roots++
			}
		}
	}
	if len(region) == 1 {
		return first[branch(len(first)-1, leaders)]
	}
	return region[branch(len(region)-1, max(roots, 1))]
}

// branch returns the place of the parent of the one at place i of a tree with
// some roots, which have the first places.
func branch(i, roots int) int {
	if i -= roots; i < roots*children {
		return i % roots
	}
	return i / children
}
