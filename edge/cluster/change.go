package cluster

import (
	"strconv"
	"time"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
)

// A question can say more of itself.
type question struct{ vote.Question }

// A change is a target that has gone down or up by votes, and why.
type change struct {
	vote.Finding

	verdict  uint8  // that most of those against it have
	observer string // one of them; "" if nobody is against it
}

// changes returns what votes have brought down since the decision before, and up.
func (q *question) changes(before, now *vote.Decision) (fell, rose []change) {
	for _, t := range now.Down {
		if !before.IsDown(t) {
			fell = q.explain(fell, t)
		}
	}
	for _, t := range before.Down {
		if !now.IsDown(t) && !now.IsDrained(t.Host) {
			rose = q.explain(rose, t)
		}
	}
	return fell, rose
}

// explain appends why a target has gone down or up, unless there is no such host
// any more.
func (q *question) explain(all []change, t health.Target) []change {
	at, ok := findHost(q.Hosts, t.Host)
	if !ok {
		return all
	}
	h := &q.Hosts[at]
	f := change{Finding: q.Find(h, t.Kind())}
	f.verdict, f.observer = q.cause(h, t.Kind())
	return append(all, f)
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

// decideNow decides and tells of it, and returns when an order ends; zero: none does.
func (c *Cluster) decideNow(now time.Time) (next time.Time) {
	c.deciding.Lock()
	defer c.deciding.Unlock()
	v := c.council.decide(now)
	if v.changed && c.Decided != nil {
		c.Decided(&v.Decision)
	}
	c.report(&v)
	for _, t := range v.confirm {
		if c.Prober != nil {
			c.Prober.Confirm(t)
		}
	}
	return v.next
}

// report logs what has gone down or up by votes; of orders, [orders.report] does.
func (c *Cluster) report(v *verdict) {
	for i := range v.fell {
		f := &v.fell[i]
		c.Log.Warn("mirror is down", append(votesOn(f), "verdict", c.nameOf(f.verdict), "seen_by", f.observer)...)
	}
	for i := range v.rose {
		c.Log.Info("mirror is up", votesOn(&v.rose[i])...)
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
