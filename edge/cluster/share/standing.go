package share

import (
	"net/netip"
	"sync"
	"time"
)

// For how long a peer is left alone.
const (
	afterFailure = 30 * time.Second // twice as long after each further one
	afterWrong   = 10 * time.Minute // also the longest
)

// standings are what this edge knows of peers from asking them, by address. The
// zero value knows nothing. It is safe for any number of goroutines.
type standings struct {
	mu sync.Mutex
	of map[netip.AddrPort]*standing // guarded by mu
}

type standing struct {
	failures int           // since the last answer
	until    time.Time     // left alone until then
	near     time.Duration // how long it took to connect; 0: not known
}

// note changes what is known of a peer.
func (s *standings) note(at netip.AddrPort, change func(*standing)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[netip.AddrPort]*standing{}
	}
	if s.of[at] == nil {
		s.of[at] = &standing{}
	}
	change(s.of[at])
}

// look returns what is known of a peer.
func (s *standings) look(at netip.AddrPort) standing {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.of[at]; known != nil {
		return *known
	}
	return standing{}
}

// good notes that a peer answered.
func (s *standings) good(at netip.AddrPort) { s.note(at, func(k *standing) { k.failures = 0 }) }

// failed notes that a peer did not answer in time. It reports false if it is left
// alone already, for several requests fail together.
func (s *standings) failed(at netip.AddrPort, now time.Time) (news bool) {
	s.note(at, func(k *standing) {
		if news = !k.until.After(now); news {
			k.until = now.Add(min(afterFailure<<min(k.failures, 10), afterWrong))
			k.failures++
		}
	})
	return news
}

// wrong notes that a peer sent what was not asked for.
func (s *standings) wrong(at netip.AddrPort, now time.Time) {
	s.note(at, func(k *standing) { k.until = now.Add(afterWrong) })
}

// connected notes how long it took to connect to a peer.
func (s *standings) connected(at netip.AddrPort, took time.Duration) {
	s.note(at, func(k *standing) {
		if k.near == 0 || took < k.near {
			k.near = took
		} else {
			k.near += (took - k.near) / 8
		}
	})
}

// alone returns how many peers are left alone.
func (s *standings) alone(now time.Time) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.of {
		if k.until.After(now) {
			n++
		}
	}
	return n
}

// forget drops what is known of those that are not peers any more, if that is
// much, but not of those that are left alone.
func (s *standings) forget(now time.Time, peers []Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.of) <= 2*len(peers)+16 {
		return
	}
	here := map[netip.AddrPort]bool{}
	for _, p := range peers {
		here[p.Address] = true
	}
	for at, k := range s.of {
		if !here[at] && !k.until.After(now) {
			delete(s.of, at)
		}
	}
}
