// Package vote is how edges agree on which mirrors are down, without asking
// one another: values that merge, and pure functions of them.
//
//	reports of all observers ─► Book ─┐
//	alive members ─► Roll ────────────┼─► Decide ─► down, kept up by the cap, drained
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
// A target is down when more than half of its observers say so, without those
// that abstain from the kind since they are cut off themselves, and those that
// cannot judge the target. Those that have not looked yet are for what was
// decided before: an observer that comes or goes changes nothing by that. A
// failure that was seen once only counts too, when those of several observers
// together are as many as one alone must see: probes from different places are
// worth more than two from the same one.
//
// From equal books, members and orders, [Decide] makes equal decisions once all
// observers have voted. Also which targets stay up where the cap has no room for
// all follows from votes and names, whatever was down before: those go down
// first about which all observers are sure. What was decided before is each
// edge's own, and counts where observers have not looked yet: there, edges may
// differ until they have, and what is down stays so.
//
// Orders are above votes: a host that is drained is out, by whatever scheme, and
// no cap keeps it in.
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
	Unseen   State = iota // not looked at
	Good                  // the last probe succeeded, or one failure in between does not count
	Doubtful              // a probe failed, but not yet as often as it takes
	Failing               // failed several times in a row, and has not recovered since
	Absent                // there is no such target: the host has no address of the family
	Blind                 // looked at, but not to be judged from here: private, and has never answered
	states                // how many there are
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
	case Absent:
		return "absent"
	case Blind:
		return "blind"
	}
	return "unseen"
}

// Against reports whether a vote is for calling the target down.
func (s State) Against() bool { return s == Doubtful || s == Failing }

// A Sight is what an observer saw of one kind of a host.
type Sight struct {
	State     State
	Verdict   uint8  // of the last probe, as edge/health/probe numbers them
	RoundTrip uint16 // milliseconds to connect, the least of late; 0: no connection was made
}

// Sights are those of all kinds of a host.
type Sights [health.Kinds]Sight

// Change returns what it means that these sights become others: [Old] where
// only that changes which does with every probe; [Urgent] where somebody is or
// was against a target, and thinks otherwise now. A first sight that is good is
// not: it can call up what is down and nobody has an opinion on, but there is no
// hurry.
func (s *Sights) Change(to *Sights) Outcome {
	outcome := Old
	for k := range s {
		a, b := s[k], to[k]
		switch {
		case a.State != b.State && (a.State.Against() || b.State.Against()):
			return Urgent
		case a.State != b.State || a.Verdict != b.Verdict:
			outcome = News
		}
	}
	return outcome
}

// compare orders sights, for two reports of one version: of two edges that have
// the same name, or of one that starts anew and has not heard of its old reports.
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
// observer hears of an earlier life of its own, the counter with each report.
type Version struct{ Incarnation, Counter uint64 }

// Compare orders versions, the older one first.
func (v Version) Compare(other Version) int {
	return cmp.Or(cmp.Compare(v.Incarnation, other.Incarnation), cmp.Compare(v.Counter, other.Counter))
}

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
