package share

import (
	"sync"
	"time"

	"github.com/waypost/waypost/edge/snapshot/wire"
)

// fresh is for how long a list of peers counts: a snapshot has thousands of
// sections, and each asks for it.
const fresh = 200 * time.Millisecond

// A roster is the peers as they were a moment ago, and the plans that follow.
type roster struct {
	mu    sync.Mutex
	until time.Time           // guarded by mu
	list  []Peer              // guarded by mu; never changed
	plans map[wire.Hash]*plan // guarded by mu; of list
}

// peers returns the peers.
func (s *Share) peers() []Peer {
	r := &s.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.After(r.until) {
		r.list, r.plans, r.until = s.Peers(), map[wire.Hash]*plan{}, now.Add(fresh)
		s.standing.forget(now, r.list)
	}
	return r.list
}

// plan returns who gets a snapshot from whom.
func (s *Share) plan(manifest wire.Hash) *plan {
	list := s.peers()
	r := &s.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.plans[manifest]
	if p == nil {
		p = newPlan(manifest, Peer{Name: s.Name, Region: s.Region}, list)
		r.plans[manifest] = p
	}
	return p
}
