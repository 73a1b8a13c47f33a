// Package vote is how edges agree on which mirrors are down, without asking
// one another: values that merge, and pure functions of them.
//
//	reports of all observers ─► Book ─┐
//	alive members ─► Roll ────────────┼─► Decide ─► down, kept up by the cap
//	orders of operators ─► Drains ────┘
//
// An observer is an edge that probes a host. It writes what it sees into a
// [Report], whose version only it makes; a newer one takes the place of an
// older one, so that merging reports is commutative, associative and
// idempotent: in whatever order and however often they come, all edges end
// with the same [Book]. No clock is in it. An observer that starts anew knows
// nothing of its old reports; as soon as it hears one, it takes a higher
// incarnation, and all of the old one are void.
//
// From equal books and equal members, [Decide] makes equal decisions. A target
// is down when more than half of its observers say so, without those that
// abstain from the kind since they are cut off themselves. Those that have not
// looked yet are for what was decided before: an observer that comes or goes
// changes nothing by that. A failure that was seen once only counts too, when
// those of several observers together are as many as one alone must see: probes
// from different places are worth more than two from the same one.
//
// Nothing here is safe for more than one goroutine; edge/cluster has a lock
// around it. A decision on 1,000 hosts of 4 targets with 5 observers each takes
// about a millisecond.
package vote

import (
	"cmp"

	"github.com/waypost/waypost/edge/health"
)

// A State is what an observer thinks of one kind of a host.
type State uint8

// The states.
const (
	Unseen   State = iota // not looked at, or there is no such target
	Good                  // the last probe succeeded, or one failure in between does not count
	Doubtful              // a probe failed, but not yet as often as it takes
	Failing               // failed several times in a row, and has not recovered since
)

// String returns the state's name.
func (s State) String() string {
	switch s {
	case Good:
		return "good"
	case Doubtful:
		return "doubtful"
	case Failing:
		return "failing"
	}
	return "unseen"
}

// A Sight is what an observer saw of one kind of a host.
type Sight struct {
	State     State
	Verdict   uint8  // of the last probe, as edge/health/probe numbers them
	RoundTrip uint16 // milliseconds to connect, the least of late; 0: no connection was made
}

// Sights are those of all kinds of a host.
type Sights [health.Kinds]Sight

// Alike reports whether two sights differ at most in what changes with every
// probe, so that it is not worth telling at once.
func (s *Sights) Alike(other *Sights) bool {
	for k := range s {
		if s[k].State != other[k].State || s[k].Verdict != other[k].Verdict {
			return false
		}
	}
	return true
}

// compare orders sights, for two reports of one version: there are none, unless
// two edges have the same name.
func (s *Sights) compare(other *Sights) int {
	for k := range s {
		a, b := s[k], other[k]
		if c := cmp.Or(cmp.Compare(a.State, b.State), cmp.Compare(a.Verdict, b.Verdict), cmp.Compare(a.RoundTrip, b.RoundTrip)); c != 0 {
			return c
		}
	}
	return 0
}

// A Version orders the reports of one observer. The incarnation grows when the
// observer starts anew, the counter with each report.
type Version struct{ Incarnation, Counter uint64 }

// A Report is what an observer says of a host. Where Host is "", it speaks of
// itself: it abstains from the kinds that are [Failing].
type Report struct {
	Observer string
	Host     string
	Version  Version
	Sights   Sights
}

// Seen is what an observer saw of a target.
type Seen struct {
	Target health.Target
	Sight  Sight
}
