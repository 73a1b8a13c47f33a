// Package health is which hosts are down, as a value that is swapped: one bit
// for each host, scheme and address family. Probes (edge/health/probe) or the votes
// of a cluster (edge/cluster) make it; edge/answer reads it beside the index, so
// that a mirror going down rebuilds nothing.
package health

import (
	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/index"
)

// A State says which hosts of one index are down, and which ones operators have
// drained: these are out as if the registry had marked them down. The zero value,
// like nil, says that none is. It is immutable once it is in use.
type State struct {
	down    [Kinds]hostset.Set
	drained hostset.Set
}

// A Target is what is up or down: one scheme of one host over one family.
type Target struct {
	Host   string // the host's name
	Scheme index.Schemes
	Family index.Family
}

// New returns the state in which the given targets are down, and hosts of the
// given names drained. What ix does not know, and targets of schemes other than
// http and https, are passed over.
func New(ix *index.Index, down []Target, drained ...string) *State {
	numbers := ix.Numbers()
	s := &State{drained: hostset.Make(ix.Hosts())}
	for k := range s.down {
		s.down[k] = hostset.Make(ix.Hosts())
	}
	for _, t := range down {
		set := s.set(t.Scheme, t.Family)
		if h, ok := numbers[t.Host]; ok && set != nil {
			set.Add(h)
		}
	}
	for _, name := range drained {
		if h, ok := numbers[name]; ok {
			s.drained.Add(h)
		}
	}
	return s
}

// Drained returns the hosts that operators have drained; nil: none. Of these, Down
// and Up say what they would be.
func (s *State) Drained() hostset.Set {
	if s == nil {
		return nil
	}
	return s.drained
}

// set returns the hosts that are down by one scheme over one family; nil where
// nobody probes it.
func (s *State) set(scheme index.Schemes, f index.Family) hostset.Set {
	if s == nil || f == 0 || scheme&(index.HTTP|index.HTTPS) == 0 {
		return nil
	}
	return s.down[KindOf(scheme, f)]
}

// Down reports whether a host is down by one scheme over one family.
func (s *State) Down(h uint32, scheme index.Schemes, f index.Family) bool {
	set := s.set(scheme, f)
	return set != nil && set.Has(h)
}

// Up fills set with the hosts that carry category c at a URL of one of the
// schemes that is up over the family. It allocates nothing.
func (s *State) Up(set hostset.Set, ix *index.Index, c uint32, schemes index.Schemes, f index.Family) {
	set.Clear()
	for scheme := index.HTTPS; scheme <= index.OtherScheme; scheme <<= 1 {
		if schemes&scheme == 0 {
			continue
		}
		down := s.set(scheme, f)
		for i, w := range ix.WithScheme(c, scheme) {
			if down != nil {
				w &^= down[i]
			}
			set[i] |= w
		}
	}
}
