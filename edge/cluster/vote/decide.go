package vote

import (
	"cmp"
	"slices"
	"strings"
	"time"

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

	// Drains are the orders of operators: the votes of an edge that is drained
	// do not count, and nothing is to decide on a host that is. Nil: there are none.
	Drains *Drains
	Now    time.Time

	// Before reports what was decided last, for observers who have no opinion.
	// Nil: nothing was down.
	Before func(health.Target) bool
}

// A Decision is which targets are down by votes, and which hosts are out by
// order. It is not changed once it is made.
type Decision struct {
	Down    []health.Target // in the order of [CompareTargets], as Kept; without those of drained hosts
	Kept    []health.Target // the votes are against them, but the cap keeps them up
	Unseen  int             // targets on which nobody votes
	Drained []string        // hosts, in order, of whatever schemes
}

// IsDown reports whether a target is down by votes.
func (d *Decision) IsDown(t health.Target) bool { return includes(d.Down, t) }

// IsKept reports whether the cap keeps a target up.
func (d *Decision) IsKept(t health.Target) bool { return includes(d.Kept, t) }

// IsDrained reports whether a host is out by order.
func (d *Decision) IsDrained(host string) bool {
	_, ok := slices.BinarySearch(d.Drained, host)
	return ok
}

// Equal reports whether two decisions are the same but for Unseen, which
// matters to nobody's clients.
func (d *Decision) Equal(other *Decision) bool {
	return slices.Equal(d.Down, other.Down) && slices.Equal(d.Kept, other.Kept) && slices.Equal(d.Drained, other.Drained)
}

func includes(sorted []health.Target, t health.Target) bool {
	_, ok := slices.BinarySearchFunc(sorted, t, CompareTargets)
	return ok
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
	return q.Drains != nil && q.Drains.Has(q.Now, name, edge)
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
			if f.Votes == 0 {
				d.Unseen++
			}
			if out {
				continue // it serves nobody, and leaves no room for others to be down
			}
			if f.exists() {
				at.Add(health.Kind(k))
			}
			if f.Down(q.Fall, q.Before != nil && q.Before(f.Target)) {
				against = append(against, finding{f, at, f.turn(q.Fall), hash(h.Name)})
			}
		}
	}
	if q.Drains != nil {
		d.Drained = q.Drains.Hosts(q.Now)
	}
	d.limit(against, limit)
	return d
}

// A finding is one with what the cap goes by.
type finding struct {
	Finding

	at   Place // of the host
	turn turn
	hash uint64 // of the host's name
}

// A turn is which targets the cap has room for first.
type turn uint8

const (
	stays  turn = iota // it was down before, and too few have looked since to say otherwise
	sure               // so are all that have looked
	unsure             // some think otherwise, or have seen it fail but once
)

// turn returns the turn of a target that is to be down.
func (f *Finding) turn(fall int) turn {
	switch {
	case !f.Down(fall, false):
		return stays
	case f.Firm == f.Votes:
		return sure
	}
	return unsure
}

// limit calls down what votes are against, as far as the cap leaves room, by
// turns. Within a turn names decide, by their hashes, and neither how many are
// sure nor what was down before: so all edges keep the same hosts up, by all
// kinds, and few change places when one more probe fails.
func (d *Decision) limit(against []finding, limit *Cap) {
	slices.SortStableFunc(against, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.turn, b.turn), cmp.Compare(a.hash, b.hash))
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
