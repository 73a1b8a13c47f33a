package anycast

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// A day is a machine and its clock.
type day struct {
	t   *testing.T
	m   *machine
	now time.Time
	out outlook
}

func newDay(t *testing.T) *day {
	t.Helper()
	c := Config{Prefixes: []netip.Prefix{netip.MustParsePrefix("198.18.0.0/24")}}.WithDefaults(nil)
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	return &day{t: t, m: newMachine(&c, func() float64 { return 0 }, now), now: now}
}

// pass lets seconds pass, with a good or bad check in each.
func (d *day) pass(seconds int, err error) {
	for range seconds {
		d.now = d.now.Add(time.Second)
		d.m.check(d.now, err)
		d.m.step(d.now, d.out)
	}
}

func (d *day) want(s State, reason string) {
	d.t.Helper()
	if d.m.state != s || !strings.Contains(d.m.reason, reason) {
		d.t.Fatalf("at %s it is %s: %s; want %s: …%s…", d.now.Format(time.TimeOnly), d.m.state, d.m.reason, s, reason)
	}
}

var errCheck = errors.New("no answer")

func TestUpAfterGoodChecks(t *testing.T) {
	d := newDay(t)
	d.want(Down, "no check")
	d.pass(2, nil)
	d.want(Down, "2 of 3")
	d.pass(1, nil)
	d.want(Down, "announced after 5s")
	d.pass(2, nil)
	d.want(Down, "announced after")
	d.pass(1, nil)
	d.want(Up, "answers")
	d.pass(2, errCheck)
	d.want(Up, "answers")
	d.pass(1, nil) // a good one between: not three in a row
	d.pass(2, errCheck)
	d.want(Up, "answers")
	d.pass(1, errCheck)
	d.want(Down, "3 checks in a row have failed: no answer")
}

func TestHoldDownGrows(t *testing.T) {
	d := newDay(t)
	d.pass(10, nil)
	for _, hold := range []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute} {
		d.want(Up, "")
		d.pass(3, errCheck)
		d.want(Down, "failed")
		at := d.now
		for d.m.state == Down {
			d.pass(1, nil)
		}
		if got := d.now.Sub(at); got != hold {
			t.Errorf("down for %s, want %s", got, hold)
		}
	}
	d.pass(900, nil) // the failures are forgotten
	d.pass(3, errCheck)
	d.pass(14, nil)
	d.want(Down, "held down")
	d.pass(1, nil)
	d.want(Up, "")
}

func TestHoldUpIsDrawn(t *testing.T) {
	d := newDay(t)
	d.m.hold = d.m.config.holdUp(func() float64 { return 0.999 })
	d.pass(8, nil)
	d.want(Down, "announced after 7.49")
	d.pass(1, nil)
	d.want(Up, "")
}

func TestDrain(t *testing.T) {
	d := newDay(t)
	d.pass(10, nil)
	d.out.wish = drain
	d.pass(1, nil)
	d.want(Draining, "operator")
	d.pass(119, nil)
	d.want(Draining, "operator")
	d.pass(1, nil)
	d.want(Maintenance, "operator")
	d.pass(500, nil)
	d.out.wish = run
	d.pass(1, nil)
	d.want(Up, "answers")

	d.out.wish = drain
	d.pass(1, nil)
	d.out.wish = run
	d.pass(1, nil)
	d.want(Up, "resumed")

	d.out.wish = drain
	d.pass(4, errCheck)
	d.want(Down, "failed")
	d.pass(1, nil)
	d.want(Maintenance, "operator")
}

func TestOldData(t *testing.T) {
	d := newDay(t)
	d.pass(10, nil)
	d.out.behind = time.Hour
	d.pass(1, nil)
	d.want(Up, "")
	d.out.behind += time.Second
	d.pass(1, nil)
	d.want(Down, "1h0m1s older")
	d.out.behind = 0 // the other one has gone: better old data than none
	d.pass(5, nil)
	d.want(Up, "")
}

func TestLastStays(t *testing.T) {
	d := newDay(t)
	d.pass(10, nil)
	d.out = outlook{wish: drain}
	d.pass(60, nil)
	d.out.last = true // another one was there when the operator asked
	d.pass(600, nil)
	d.want(Draining, "no other edge")
	d.pass(3, errCheck)
	d.want(Down, "failed")
}

// TestLastResortAnswers has a prefix that is announced in maintenance, too: not
// before checks were good, nor while they are bad, and it is damped as well.
func TestLastResortAnswers(t *testing.T) {
	d := newDay(t)
	yes := true
	d.m.config.Maintenance.Announce = &yes
	d.out.wish = drain
	d.pass(2, nil)
	d.want(Down, "2 of 3")
	d.pass(4, nil)
	d.want(Maintenance, "taken out by an operator")
	d.pass(2, errCheck)
	d.want(Maintenance, "")
	d.pass(1, errCheck)
	d.want(Down, "3 checks in a row have failed")
	d.pass(10, nil)
	d.want(Down, "held down")
	d.pass(5, nil)
	d.want(Maintenance, "")
	d.out.wish = run
	d.pass(1, nil)
	d.want(Up, "answers")
	d.pass(2, errCheck)
	d.out.wish = drain
	d.pass(1, errCheck) // told to drain as it fails: it is no time for that
	d.want(Down, "failed")
}

// TestSetBack has a clock that is set back after an upgrade: what was held down
// is held down for no longer.
func TestSetBack(t *testing.T) {
	c := Config{}.WithDefaults(nil)
	now := time.Now()
	m := newMachine(&c, func() float64 { return 0 }, now)
	at := now.Round(0)
	m.inherit(&Inheritance{NotBefore: at.Add(15 * time.Second), GoodFrom: at, Failures: []time.Time{at}}, now)
	for _, got := range []time.Time{m.notBefore, m.goodFrom, m.failures[0]} {
		if !strings.Contains(got.String(), " m=") { // which is how a time that has it is written
			t.Errorf("%v: want it told by the monotonic clock", got)
		}
	}
	if d := m.notBefore.Sub(now); d != 15*time.Second {
		t.Errorf("held down for %s", d)
	}
	if !m.since.IsZero() {
		t.Errorf("since %v", m.since)
	}
}
