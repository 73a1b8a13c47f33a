package vote_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waypost/waypost/edge/cluster/vote"
)

// TestDrain has two edges whose clocks are an hour apart.
func TestDrain(t *testing.T) {
	a, b := vote.NewDrains(), vote.NewDrains()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	skew := time.Hour
	order := a.Order(now, vote.Drain{Name: "h", On: true, Author: "a", Left: 10 * time.Minute})
	now = now.Add(time.Minute)
	told := a.All(now)
	if len(told) != 1 || told[0].Left != 9*time.Minute {
		t.Fatalf("%+v", told)
	}
	if !b.Merge(now.Add(skew), told[0]) || b.Merge(now.Add(skew), order) || b.Merge(now.Add(skew), told[0]) {
		t.Error("what is news is not, or the reverse")
	}
	if !b.Has(now.Add(skew), "h", false) || b.Has(now.Add(skew), "h", true) || b.Has(now.Add(skew), "x", false) {
		t.Error("b does not know, or too much")
	}
	if now = now.Add(9*time.Minute - time.Second); !a.Has(now, "h", false) || !b.Has(now.Add(skew), "h", false) {
		t.Error("over too soon")
	}
	if now = now.Add(2 * time.Second); a.Has(now, "h", false) || b.Has(now.Add(skew), "h", false) {
		t.Error("not over")
	}
	if len(a.All(now)) != 0 || !a.Next(now).IsZero() {
		t.Error("not forgotten")
	}
}

func TestUndrain(t *testing.T) {
	a, b := vote.NewDrains(), vote.NewDrains()
	now := time.Now()
	on := a.Order(now, vote.Drain{Name: "h", On: true, Author: "a", Left: time.Hour})
	b.Merge(now, on)
	off := b.Order(now.Add(time.Minute), vote.Drain{Name: "h", Author: "b"})
	if off.Left != 0 || off.Kept != 59*time.Minute || off.Counter != 2 {
		t.Errorf("%+v", off)
	}
	a.Merge(now, off)
	a.Merge(now, on) // heard once more, from somebody who is behind
	if a.Has(now, "h", false) || b.Has(now.Add(time.Minute), "h", false) {
		t.Error("still drained")
	}
	if again := a.Order(now, vote.Drain{Name: "h", On: true, Author: "a", Left: time.Minute}); again.Counter != 3 || !a.Has(now, "h", false) {
		t.Errorf("%+v", again)
	}
}

// TestShortened: an order that takes the place of a longer one ends when it says,
// also where the longer one comes back from an edge that was cut off.
func TestShortened(t *testing.T) {
	a, b, off := vote.NewDrains(), vote.NewDrains(), vote.NewDrains()
	now := time.Now()
	long := a.Order(now, vote.Drain{Name: "h", On: true, Author: "a", Left: 24 * time.Hour})
	off.Merge(now, long)
	short := a.Order(now, vote.Drain{Name: "h", On: true, Author: "a", Left: 5 * time.Minute})
	b.Merge(now, short)
	if next := a.Next(now); !next.Equal(now.Add(5 * time.Minute)) {
		t.Errorf("it ends at %v", next)
	}
	now = now.Add(10 * time.Minute)
	for _, d := range []*vote.Drains{a, b} {
		for _, o := range off.All(now) {
			if d.Merge(now, o) || d.Has(now, "h", false) {
				t.Errorf("the long order is back: %+v", d.All(now))
			}
		}
		for _, o := range d.All(now) {
			if off.Merge(now, o); off.Has(now, "h", false) {
				t.Errorf("who was cut off does not learn: %+v", off.All(now))
			}
		}
	}
	if now = now.Add(24 * time.Hour); len(a.All(now))+len(b.All(now))+len(off.All(now)) > 0 || !a.Next(now).IsZero() {
		t.Error("not forgotten")
	}
}

// TestPoisonedOrder: an order with a counter that nothing gets to does not stop
// others from being made.
func TestPoisonedOrder(t *testing.T) {
	a, now := vote.NewDrains(), time.Now()
	a.Order(now, vote.Drain{Name: "h", On: true, Author: "a", Left: time.Hour})
	if a.Merge(now, vote.Drain{Name: "h", On: true, Author: "b", Left: time.Hour, Counter: 1<<62 - 1}) {
		t.Error("it is believed")
	}
	if d := a.Order(now, vote.Drain{Name: "h", Author: "a"}); d.Counter != 2 || a.Has(now, "h", false) {
		t.Errorf("%+v", d)
	}
}

// TestDrainsInAnyOrder merges orders in random order: the result is the same.
func TestDrainsInAnyOrder(t *testing.T) {
	now := time.Now()
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 4))
		var orders []vote.Drain
		for range 20 {
			counter := uint64(r.IntN(5))
			orders = append(orders, vote.Drain{
				Name: []string{"h", "i"}[r.IntN(2)], Edge: r.IntN(2) == 0, Counter: counter, On: counter%2 == 0,
				Author: []string{"a", "b"}[r.IntN(2)], Left: time.Duration(1+r.IntN(60)) * time.Minute, Kept: time.Duration(r.IntN(90)) * time.Minute,
			})
		}
		var want []vote.Drain
		for range 5 {
			d := vote.NewDrains()
			for _, i := range r.Perm(len(orders)) {
				d.Merge(now, orders[i])
				d.Merge(now, orders[r.IntN(len(orders))])
			}
			if want == nil {
				want = d.All(now)
			}
			if diff := cmp.Diff(want, d.All(now), cmpopts.EquateApproxTime(0)); diff != "" {
				t.Fatalf("seed %d: %s", seed, diff)
			}
		}
	}
}

// TestDrainedHosts: hosts that are drained are told from edges, from what is
// over, and from what was taken back.
func TestDrainedHosts(t *testing.T) {
	d, now := vote.NewDrains(), time.Unix(1_800_000_000, 0)
	for _, name := range []string{"b", "a", "back", "over"} {
		d.Order(now, vote.Drain{Name: name, On: true, Left: map[bool]time.Duration{true: time.Minute, false: time.Hour}[name == "over"]})
	}
	d.Order(now, vote.Drain{Name: "edge1", Edge: true, On: true, Left: time.Hour})
	d.Order(now, vote.Drain{Name: "back"})
	now = now.Add(time.Minute)
	if diff := cmp.Diff([]string{"a", "b"}, d.Hosts(now)); diff != "" {
		t.Error(diff)
	}
	if hosts, edges := d.Count(now); hosts != 2 || edges != 1 {
		t.Errorf("%d hosts, %d edges", hosts, edges)
	}
	if vote.NewDrains().Hosts(now) != nil {
		t.Error("nobody ordered anything")
	}
}
