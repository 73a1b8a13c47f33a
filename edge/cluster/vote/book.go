package vote

import (
	"iter"
	"maps"
	"slices"

	"github.com/waypost/waypost/edge/health"
)

// A Book has the newest report of each observer on each host. Make one with
// [NewBook].
type Book struct {
	self    string
	counter uint64 // of the last report of self
	ballots map[string]*ballot
	names   map[string]string // one copy of each host's name, however many report on it
}

// A ballot is the reports of one observer, all of one incarnation.
type ballot struct {
	incarnation uint64
	reports     map[string]entry // by host
}

type entry struct {
	counter uint64
	sights  Sights
	idle    uint8 // how many times it was swept while there was nothing in sights
}

// leap is by how much an incarnation may be above the one that is known, and an
// order's counter. What is above that, no edge has made: were it believed, its
// author could not take a higher one for ever.
const leap = 1 << 32

// NewBook returns an empty book of the observer that is called self.
func NewBook(self string) *Book {
	return &Book{
		self: self, names: map[string]string{},
		ballots: map[string]*ballot{self: {incarnation: 1, reports: map[string]entry{}}},
	}
}

// An Outcome is what merging a report did.
type Outcome uint8

// The outcomes.
const (
	Old     Outcome = iota // it was known, or a newer one was
	News                   // it is in the book now
	Urgent                 // so it is, and somebody is or was against a target; see [Sights.Change]
	Renewed                // it was of an earlier life of this observer: all of its own reports have new versions
)

// Merge takes a report in.
func (b *Book) Merge(r *Report) Outcome {
	of := b.ballots[r.Observer]
	switch {
	case of == nil && r.Version.Incarnation > leap, of != nil && r.Version.Incarnation > of.incarnation+leap:
		return Old
	case r.Observer == b.self:
		return b.mergeOwn(r)
	}
	if of == nil || r.Version.Incarnation > of.incarnation {
		of = &ballot{incarnation: r.Version.Incarnation, reports: map[string]entry{}}
		b.ballots[r.Observer] = of
	}
	if !of.isNews(r) {
		return Old
	}
	before := of.reports[r.Host].sights
	of.reports[b.intern(r.Host)] = entry{counter: r.Version.Counter, sights: r.Sights}
	return max(News, before.Change(&r.Sights))
}

// isNews reports whether r is newer than what is known.
func (of *ballot) isNews(r *Report) bool {
	if r.Version.Incarnation != of.incarnation {
		return r.Version.Incarnation > of.incarnation
	}
	known, ok := of.reports[r.Host]
	if !ok || r.Version.Counter != known.counter {
		return !ok || r.Version.Counter > known.counter
	}
	return r.Sights.compare(&known.sights) > 0
}

// mergeOwn takes in what others say this observer has said. What it cannot
// have said in this life is of one before.
func (b *Book) mergeOwn(r *Report) Outcome {
	own := b.ballots[b.self]
	if _, ok := own.reports[r.Host]; !own.isNews(r) || !ok && r.Version.Incarnation == own.incarnation && r.Sights == (Sights{}) {
		return Old // it may have been swept
	}
	own.incarnation = r.Version.Incarnation + 1
	for _, host := range slices.Sorted(maps.Keys(own.reports)) {
		e := own.reports[host]
		if e.sights == (Sights{}) {
			delete(own.reports, host) // there is nothing left to take back
			continue
		}
		b.counter++
		e.counter = b.counter
		own.reports[host] = e
	}
	return Renewed
}

// Say writes a report of this observer, with the next version. Where it says
// the same as before, up to latency, that is [Old]: then it is of use for those
// who ask for the whole book, and not worth telling otherwise.
func (b *Book) Say(host string, s Sights) (Report, Outcome) {
	own := b.ballots[b.self]
	before := own.reports[host]
	if before.sights != s {
		b.counter++
		before.counter = b.counter
		own.reports[b.intern(host)] = entry{counter: b.counter, sights: s}
	}
	return Report{b.self, host, Version{own.incarnation, before.counter}, s}, before.sights.Change(&s)
}

// intern returns the one copy of a name.
func (b *Book) intern(name string) string {
	if known, ok := b.names[name]; ok {
		return known
	}
	b.names[name] = name
	return name
}

// Own returns all reports of this observer.
func (b *Book) Own() []Report { return slices.Collect(b.Of(b.self)) }

// Of returns the reports of one observer, in no order; without those that are
// about to be swept, lest others be taught them again.
func (b *Book) Of(observer string) iter.Seq[Report] {
	return func(yield func(Report) bool) {
		of := b.ballots[observer]
		if of == nil {
			return
		}
		for host, e := range of.reports {
			if e.idle == 0 && !yield(Report{observer, host, Version{of.incarnation, e.counter}, e.sights}) {
				return
			}
		}
	}
}

// Observers returns those that have ever reported, in order.
func (b *Book) Observers() []string { return slices.Sorted(maps.Keys(b.ballots)) }

// Forget drops the reports of an observer that is gone. Those of this one stay.
func (b *Book) Forget(observer string) {
	if observer != b.self {
		delete(b.ballots, observer)
	}
}

// sweeps is how often an empty report is met before it is dropped. After the
// first time it is not told any more: so by the last time all others, who sweep
// as often and heard of it in time, do not tell it either.
const sweeps = 3

// Sweep drops reports that have been empty, and the names of hosts that nobody
// reports on. All edges do it as often.
func (b *Book) Sweep() {
	clear(b.names)
	for _, of := range b.ballots {
		for host, e := range of.reports {
			if e.sights == (Sights{}) {
				if e.idle++; e.idle == sweeps {
					delete(of.reports, host)
					continue
				}
				of.reports[host] = e
			}
			b.names[host] = host
		}
	}
}

// Sights returns what an observer said of a host last; zero if nothing.
func (b *Book) Sights(observer, host string) Sights {
	of := b.ballots[observer]
	if of == nil {
		return Sights{}
	}
	return of.reports[host].sights
}

// Abstains reports whether an observer abstains from a kind.
func (b *Book) Abstains(observer string, k health.Kind) bool {
	return b.Sights(observer, "")[k].State == Failing
}
