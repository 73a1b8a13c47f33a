package vote

import (
	"cmp"
	"slices"
	"strings"

	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/geo"
)

// A Host is what there is to decide on.
type Host struct {
	Name      string
	Kinds     [health.Kinds]bool // by which it may be reached
	Country   geo.Country
	Continent geo.Continent
	Observers []string // see [Roll.Of]
}

// A Question is what [Decide] decides on, and by what.
type Question struct {
	Hosts   []Host // in an order that all edges have, such as by name
	Book    *Book
	Fall    int     // how many failures in a row make a target fail
	MaxDown float64 // the largest share of a country's or continent's hosts that votes may call down

	// Drained reports whether operators took a host out, or an edge: then it is
	// down, or its votes do not count. Nil: none is.
	Drained func(name string, edge bool) bool

	// Before reports what was decided last, for observers who have no opinion,
	// and for the cap.
	Before func(health.Target) bool
}

// A Decision is which targets are down. All lists are in the order of hosts and kinds.
type Decision struct {
	Down    []health.Target
	Kept    []health.Target // more than half of the votes are against them, but the cap keeps them up
	Unseen  int             // targets on which nobody votes
	Drained []health.Target // those in Down that are there by order
}

// A Finding is how the votes on one target stand.
type Finding struct {
	Target    health.Target
	Observers int // that count: those who abstain, are drained or [Blind] do not
	Votes     int // of these, those who have an opinion
	Absent    int // of these, those who find that there is no such target
	Against   int // of these, those whose probes fail
	Firm      int // of these, those that have seen it often enough to be sure
}

// Down reports whether the votes call the target down. Observers who have no
// opinion are for what was decided before, unless all others agree that the
// target is up.
func (f *Finding) Down(fall int, before bool) bool {
	as := 0
	if before {
		if f.Against == 0 && f.Votes > 0 {
			return false
		}
		if f.Observers == 0 {
			return true
		}
		as = f.Observers - f.Votes
	}
	enough := func(votes int) bool { return 2*(votes+as) > f.Observers }
	return enough(f.Firm) || f.Against >= max(fall, 2) && enough(f.Against)
}

// Find counts the votes on one kind of a host.
func (q *Question) Find(h *Host, k health.Kind) Finding {
	return q.poll(h, voters{})[k]
}

// Counts reports whether what an observer says of a kind counts: it can judge the
// target, does not abstain, and is not drained.
func (q *Question) Counts(observer string, k health.Kind, s State) bool {
	return s != Blind && !q.drained(observer, true) && !q.Book.Abstains(observer, k)
}

// voters are the observers that were met while deciding.
type voters map[string]*voter

type voter struct {
	of       *ballot // nil: it has never reported
	abstains [health.Kinds]bool
}

// voter returns how an observer votes.
func (q *Question) voter(name string, known voters) *voter {
	if v := known[name]; v != nil {
		return v
	}
	v := &voter{of: q.Book.ballots[name]}
	for k := range v.abstains {
		v.abstains[k] = !q.Counts(name, health.Kind(k), Unseen)
	}
	known[name] = v
	return v
}

// poll counts the votes on all kinds of a host.
func (q *Question) poll(h *Host, known voters) (all [health.Kinds]Finding) {
	for k := range all {
		all[k].Target = health.Kind(k).Of(h.Name)
	}
	for _, name := range h.Observers {
		v := q.voter(name, known)
		var sights Sights
		if v.of != nil {
			sights = v.of.reports[h.Name].sights
		}
		for k := range all {
			if !v.abstains[k] {
				all[k].count(sights[k].State)
			}
		}
	}
	return all
}

// count counts an observer.
func (f *Finding) count(s State) {
	if s == Blind {
		return
	}
	f.Observers++
	if s != Unseen {
		f.Votes++
	}
	if s == Absent {
		f.Absent++
	}
	if s.Against() {
		f.Against++
	}
	if s == Failing {
		f.Firm++
	}
}

// exists reports whether there is such a target, as far as is known.
func (f *Finding) exists() bool { return f.Votes == 0 || f.Absent < f.Votes }

func (q *Question) drained(name string, edge bool) bool {
	return q.Drained != nil && q.Drained(name, edge)
}

// Decide decides on all targets. It is a pure function: of equal questions,
// all edges make equal decisions.
func Decide(q *Question) Decision {
	var d Decision
	var against []finding
	limit, known := NewCap(q.MaxDown), voters{}
	for i := range q.Hosts {
		h := &q.Hosts[i]
		out, at := q.drained(h.Name, false), limit.At(h.Country, h.Continent)
		for k, f := range q.poll(h, known) {
			if !h.Kinds[k] {
				continue
			}
			if !out && f.exists() { // else it serves nobody in any case
				at.Add(health.Kind(k))
			}
			before := q.Before != nil && q.Before(f.Target)
			if f.Votes == 0 {
				d.Unseen++
			}
			switch {
			case out:
				d.Drained = append(d.Drained, f.Target)
				d.Down = append(d.Down, f.Target)
			case f.Down(q.Fall, before):
				against = append(against, finding{f, at, before})
			}
		}
	}
	d.limit(against, limit)
	return d
}

// A finding is one with what the cap goes by: the host's place, and whether the
// target was down before.
type finding struct {
	Finding

	at     Place
	before bool
}

// limit calls down what votes are against, as far as the cap leaves room: first
// what was down before, so that clients do not come back to what is known to be
// dead; then that about which most are sure.
func (d *Decision) limit(against []finding, limit *Cap) {
	slices.SortStableFunc(against, func(a, b finding) int {
		if a.before != b.before {
			return map[bool]int{true: -1, false: 1}[a.before]
		}
		return cmp.Or(cmp.Compare(b.Firm*max(a.Votes, 1), a.Firm*max(b.Votes, 1)), cmp.Compare(b.Votes, a.Votes))
	})
	for i := range against {
		f := &against[i]
		if limit.Take(f.at, f.Target.Kind()) {
			d.Down = append(d.Down, f.Target)
		} else {
			d.Kept = append(d.Kept, f.Target)
		}
	}
	slices.SortFunc(d.Down, CompareTargets)
	slices.SortFunc(d.Kept, CompareTargets)
}

// CompareTargets orders targets by host, then by kind, as lists of a decision are.
func CompareTargets(a, b health.Target) int {
	return cmp.Or(strings.Compare(a.Host, b.Host), cmp.Compare(a.Kind(), b.Kind()))
}
