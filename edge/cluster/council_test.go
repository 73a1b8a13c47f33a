package cluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
)

// reports returns all that are to be told, whatever the hurry.
func (b bulletin) reports() []vote.Report { return slices.Concat(b.urgent, b.rest) }

// TestSkewedClocks has five edges whose clocks are up to an hour apart, and
// random sights, abstentions and orders. Messages get lost; once all have
// compared with all, they decide alike.
func TestSkewedClocks(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 6))
		var members []vote.Member
		var edges []*council
		skews := []time.Duration{0, time.Hour, -time.Hour, 25 * time.Minute, -time.Second}
		for i := range skews {
			name := fmt.Sprint("edge", i)
			members = append(members, vote.Member{Name: name})
			edges = append(edges, newCouncil(name, 2, 0.5))
		}
		names := []string{"h0", "h1", "h2", "h3", "h4", "h5"}
		for _, e := range edges {
			e.setMembers(members)
			e.setHosts(hosts(names...))
		}
		now := time.Now()
		for range 150 {
			i := r.IntN(len(edges))
			m := vote.Message{}
			switch r.IntN(8) {
			case 0:
				m.Drains = []vote.Drain{edges[i].order(now.Add(skews[i]), vote.Drain{
					Name: append(names, "rsync-only")[r.IntN(7)], On: r.IntN(3) > 0, Left: time.Duration(1+r.IntN(20)) * time.Minute,
				})}
			case 1:
				m.Reports = edges[i].see(nil, [health.Kinds]bool{r.IntN(4) == 0}).reports()
			default:
				sight := vote.Sight{State: vote.State(1 + r.IntN(5)), Verdict: 1}
				m.Reports = edges[i].see([]vote.Seen{{Target: health.Kind(r.IntN(2)).Of(names[r.IntN(6)]), Sight: sight}}, [health.Kinds]bool{}).reports()
			}
			for j, e := range edges {
				if j != i && r.IntN(2) == 0 {
					e.hear(&m, now.Add(skews[j]))
				}
			}
			now = now.Add(time.Duration(r.IntN(5)) * time.Second)
			e := r.IntN(len(edges))
			edges[e].decide(now.Add(skews[e]))
		}
		for range 2 {
			for i, from := range edges {
				for j, to := range edges {
					if i != j {
						to.hear(from.all(now.Add(skews[i])), now.Add(skews[j]))
					}
				}
			}
		}
		for _, e := range edges { // not all observers have voted
			e.decision = vote.Decision{}
		}
		want := edges[0].decide(now.Add(skews[0])).Decision
		for i, e := range edges {
			if diff := cmp.Diff(want, e.decide(now.Add(skews[i])).Decision); diff != "" {
				t.Fatalf("seed %d: edge0 and edge%d: %s", seed, i, diff)
			}
		}
	}
}

// TestOrderEnds: a council says when it has to be asked again, also for a host
// that nobody votes on.
func TestOrderEnds(t *testing.T) {
	c := newCouncil("a", 2, 1)
	c.setHosts(hosts("h"))
	now := time.Now()
	c.order(now, vote.Drain{Name: "h", On: true, Left: time.Minute})
	c.order(now, vote.Drain{Name: "rsync-only", On: true, Left: time.Minute})
	v := c.decide(now)
	if len(v.Down) != 0 || !cmp.Equal(v.Drained, []string{"h", "rsync-only"}) || !v.next.Equal(now.Add(time.Minute)) || !v.changed {
		t.Fatalf("%+v", v)
	}
	if v = c.decide(v.next); len(v.Drained) != 0 || !v.next.IsZero() || !v.changed {
		t.Errorf("%+v", v)
	}
	if v = c.decide(now.Add(time.Minute)); v.changed {
		t.Errorf("%+v", v)
	}
}

// TestWithdrawn: what an edge no longer looks at is taken back from the others.
func TestWithdrawn(t *testing.T) {
	a, b := newCouncil("a", 1, 1), newCouncil("b", 1, 1)
	b.setMembers([]vote.Member{{Name: "a"}, {Name: "b"}})
	b.setHosts(hosts("h"))
	tell := func(s vote.Sight) heard {
		m := vote.Message{Reports: a.see([]vote.Seen{{Target: health.Kind(1).Of("h"), Sight: s}}, [health.Kinds]bool{}).reports()}
		return b.hear(&m, time.Now())
	}
	b.see([]vote.Seen{{Target: health.Kind(1).Of("h"), Sight: vote.Sight{State: vote.Good}}}, [health.Kinds]bool{})
	h := tell(vote.Sight{State: vote.Failing})
	if diff := cmp.Diff([]health.Target{health.Kind(1).Of("h")}, h.look); diff != "" {
		t.Error(diff)
	}
	b.see([]vote.Seen{{Target: health.Kind(1).Of("h")}}, [health.Kinds]bool{})
	if v := b.decide(time.Now()); len(v.Down) != 0 { // one of two
		t.Errorf("%+v", v)
	}
	tell(vote.Sight{State: vote.Good})
	tell(vote.Sight{})
	if f := b.question(time.Now()).Find(&b.hosts[0], 1); f.Votes != 0 {
		t.Errorf("%+v", f)
	}
	if len(a.own) > 1 {
		t.Errorf("a remembers %v", a.own)
	}
}

// TestBefore: what counts as decided before is by votes, and not by order, also
// where one host comes under order as another one comes out of it; nobody is told
// that what is drained is up.
func TestBefore(t *testing.T) {
	c, now := newCouncil("a", 1, 1), time.Now()
	c.setMembers([]vote.Member{{Name: "a"}})
	c.setHosts(hosts("h1", "h2"))
	see := func(host string, s vote.State) {
		for k := range health.Kind(2) {
			c.see([]vote.Seen{{Target: k.Of(host), Sight: vote.Sight{State: s}}}, [health.Kinds]bool{})
		}
	}
	see("h1", vote.Failing)
	c.order(now, vote.Drain{Name: "h2", On: true, Left: time.Minute})
	if v := c.decide(now); len(v.Down) != 2 || !v.IsDown(health.Kind(0).Of("h1")) || len(v.fell) != 2 {
		t.Fatalf("%+v", v)
	}
	see("h1", vote.Good)
	see("h2", vote.Failing)
	c.order(now, vote.Drain{Name: "h2", Left: time.Minute})
	c.order(now, vote.Drain{Name: "h1", On: true, Left: time.Minute})
	if v := c.decide(now); !v.changed || len(v.Down) != 2 || !v.IsDown(health.Kind(0).Of("h2")) || len(v.fell) != 2 || len(v.rose) != 0 {
		t.Errorf("%+v", v)
	}
}

// TestStrangers: what somebody said who is gone is forgotten, also where it was
// heard after that.
func TestStrangers(t *testing.T) {
	c := newCouncil("a", 2, 1)
	m := vote.Message{Reports: []vote.Report{said("h", 1, vote.Good), said("h", 1, vote.Good)}}
	m.Reports[0].Observer, m.Reports[1].Observer = "x", "y"
	c.gone("x")
	c.hear(&m, time.Now())
	c.forget(time.Now(), func(name string) bool { return name == "y" })
	if diff := cmp.Diff([]string{"a", "y"}, c.book.Observers()); diff != "" {
		t.Error(diff)
	}
}

// TestArranging changes members and hosts at once: hosts have the observers of
// the last members.
func TestArranging(t *testing.T) {
	c := newCouncil("a", 2, 1)
	var members []vote.Member
	var work sync.WaitGroup
	for i := range 30 {
		members = append(members, vote.Member{Name: fmt.Sprint("edge", i)})
		work.Go(func() { c.setHosts(hosts("h1", "h2", "h3", fmt.Sprint("other", i))) })
		c.setMembers(members)
	}
	work.Wait()
	for _, h := range c.hosts {
		if diff := cmp.Diff(vote.NewRoll(members).Of(h.Name), h.Observers); diff != "" || len(c.hosts) != 4 {
			t.Error(diff)
		}
	}
}
