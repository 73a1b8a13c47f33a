package cluster

import (
	"slices"
	"strconv"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
)

// A question can say more of itself.
type question struct{ vote.Question }

// A change is a target that has gone down or up, and why.
type change struct {
	vote.Finding

	ordered  bool   // it is or was drained: votes do not matter
	verdict  uint8  // that most of those against it have
	observer string // one of them; "" if nobody is against it
}

// changes returns those of a that are not in b, of which some are there by order.
// All are sorted.
func (q *question) changes(a, b, ordered []health.Target) (found []change) {
	has := func(all []health.Target, t health.Target) bool {
		_, ok := slices.BinarySearchFunc(all, t, vote.CompareTargets)
		return ok
	}
	for _, t := range a {
		if has(b, t) {
			continue
		}
		if at, ok := findHost(q.Hosts, t.Host); ok {
			h := &q.Hosts[at]
			f := change{Finding: q.Find(h, t.Kind()), ordered: has(ordered, t)}
			f.verdict, f.observer = q.cause(h, t.Kind())
			found = append(found, f)
		}
	}
	return found
}

// cause returns the verdict that most of those have whose votes are against one
// kind of a host, and who is the first of them.
func (q *question) cause(h *vote.Host, k health.Kind) (verdict uint8, observer string) {
	var of [256][]string
	for _, name := range h.Observers {
		sight := q.Book.Sights(name, h.Name)[k]
		if sight.State.Against() && q.Counts(name, k, sight.State) {
			of[sight.Verdict] = append(of[sight.Verdict], name)
			if len(of[sight.Verdict]) > len(of[verdict]) {
				verdict = sight.Verdict
			}
		}
	}
	if len(of[verdict]) > 0 {
		observer = of[verdict][0]
	}
	return verdict, observer
}

// report logs what has gone down or up.
func (c *Cluster) report(v *verdict) {
	for i := range v.fell {
		f := &v.fell[i]
		if f.ordered {
			c.Log.Info("mirror is down", "host", f.Target.Host, "kind", f.Target.Kind().String(), "reason", "drained")
			continue
		}
		c.Log.Warn("mirror is down", append(votesOn(f), "verdict", c.nameOf(f.verdict), "seen_by", f.observer)...)
	}
	for i := range v.rose {
		f := &v.rose[i]
		if f.ordered {
			c.Log.Info("mirror is up", "host", f.Target.Host, "kind", f.Target.Kind().String(), "reason", "no longer drained")
			continue
		}
		c.Log.Info("mirror is up", votesOn(f)...)
	}
}

// votesOn returns what the log says of the votes on a target.
func votesOn(f *change) []any {
	return []any{"host", f.Target.Host, "kind", f.Target.Kind().String(), "observers", f.Observers, "votes", f.Votes, "against", f.Against}
}

// nameOf returns the name of a verdict.
func (c *Cluster) nameOf(verdict uint8) string {
	if c.Verdict == nil {
		return strconv.Itoa(int(verdict))
	}
	return c.Verdict(verdict)
}
