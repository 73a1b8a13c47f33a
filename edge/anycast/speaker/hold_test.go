package speaker

import (
	"testing"
	"time"
)

func TestOrdersOfTheNewestProcessRule(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	o := orders{}
	at := func(d time.Duration) time.Time { return now.Add(d) }
	hear := func(generation uint64, d time.Duration) bool { return o.hear(Order{Generation: generation}, at(d)) }
	want := func(generation uint64, d time.Duration) {
		t.Helper()
		if got, ok := o.ruling(at(d)); !ok || got.Generation != generation {
			t.Errorf("after %s generation %d rules (%v), want %d", d, got.Generation, ok, generation)
		}
	}
	if !hear(1, 0) || !hear(2, time.Second) {
		t.Error("the newest does not rule")
	}
	if hear(1, 2*time.Second) {
		t.Error("the old one rules while the new one lives")
	}
	want(2, 3*time.Second)
	want(1, time.Second+Lease) // the new one has died, the old one lives on
	if _, ok := o.ruling(at(2*time.Second + Lease)); ok || len(o) > 0 {
		t.Error("an order outlives its lease")
	}
}
