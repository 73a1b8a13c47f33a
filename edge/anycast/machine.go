package anycast

import (
	"fmt"
	"time"
)

// A State is what becomes of a prefix.
type State uint8

// The states.
const (
	// Down is a prefix that does not answer well, or not yet for long enough.
	Down State = iota

	// Up is one that answers.
	Up

	// Draining is one that is about to be withdrawn, and asks its neighbours to
	// prefer others.
	Draining

	// Maintenance is one that an operator took out.
	Maintenance
)

// String returns the state's name.
func (s State) String() string { return [...]string{"down", "up", "draining", "maintenance"}[s] }

// A wish is what operators want.
type wish uint8

const (
	run   wish = iota // announce what answers
	drain             // drain, and stay out until resumed
	yield             // drain, and stay out while the edge is drained in the cluster
	leave             // drain, for the process is told to stop
)

// why says what a wish is to people.
func (w wish) why() string {
	switch w {
	case leave:
		return "the edge was told to stop"
	case yield:
		return "the edge is drained in the cluster"
	}
	return "taken out by an operator"
}

// A machine decides on one prefix. It is a pure function of what it is told,
// and when: it has no clock.
type machine struct {
	config *Config
	draw   func() float64 // [0, 1)

	state  State
	reason string
	since  time.Time

	good, bad int       // checks in a row
	goodFrom  time.Time // when the first of those that are good was made
	trouble   string    // of the last bad check
	hold      time.Duration
	notBefore time.Time   // held down until
	failures  []time.Time // of the last ten minutes
}

func newMachine(c *Config, draw func() float64, now time.Time) *machine {
	return &machine{config: c, draw: draw, since: now, reason: "no check was good yet", hold: c.holdUp(draw)}
}

// holdUp draws for how long checks must be good before an announcement.
func (c *Config) holdUp(draw func() float64) time.Duration {
	return c.HoldUp + time.Duration(draw()*float64(c.HoldUp)/2)
}

// memory is for how long a failure counts.
const memory = 10 * time.Minute

// check takes in the result of a check at now; nil is good.
func (m *machine) check(now time.Time, err error) {
	if err == nil {
		if m.good == 0 {
			m.goodFrom = now
		}
		m.good, m.bad = m.good+1, 0
		return
	}
	m.good, m.bad, m.trouble = 0, m.bad+1, err.Error()
}

// outlook is what else counts.
type outlook struct {
	wish   wish
	behind time.Duration // by how much another edge's data is newer that announces the prefix; 0: none announces it
	last   bool          // no other edge announces the prefix
}

// step decides at now, and reports whether the state has changed.
func (m *machine) step(now time.Time, o outlook) (changed bool) {
	to, reason := m.next(now, o)
	if to == Down && m.state != Down && m.failing() {
		m.punish(now)
	}
	m.reason = reason
	if to == m.state {
		return false
	}
	if to == Down {
		m.hold = m.config.holdUp(m.draw)
	}
	m.state, m.since = to, now
	return true
}

// failing reports whether checks say that the prefix does not answer.
func (m *machine) failing() bool { return m.bad >= m.config.DownAfter }

// next returns the state that follows at now, and why.
func (m *machine) next(now time.Time, o outlook) (State, string) {
	switch {
	case o.wish != run:
		return m.goes(now, o)
	case m.failing():
		return Down, m.failure()
	case o.behind > m.config.MaxBehind:
		return Down, fmt.Sprintf("the data is %s older than that of another edge that announces the prefix", o.behind.Round(time.Second))
	case m.state == Up:
		return Up, m.reason
	case m.state == Draining: // resumed in time
		return Up, "resumed"
	}
	if why := m.unproven(now); why != "" {
		return Down, why
	}
	return Up, "answers"
}

func (m *machine) failure() string {
	return fmt.Sprintf("%d checks in a row have failed: %s", m.bad, m.trouble)
}

// unproven says why a prefix may not be announced yet; "" if it may.
func (m *machine) unproven(now time.Time) string {
	switch {
	case m.good < m.config.UpAfter:
		return fmt.Sprintf("%d of %d checks in a row were good", m.good, m.config.UpAfter)
	case now.Before(m.notBefore):
		return fmt.Sprintf("held down until %s, after %d failures in %s", m.notBefore.UTC().Format(time.TimeOnly), len(m.failures), memory)
	case now.Sub(m.goodFrom) < m.hold:
		return fmt.Sprintf("good since %s; announced after %s", m.goodFrom.UTC().Format(time.TimeOnly), m.hold.Round(time.Millisecond))
	}
	return ""
}

// goes returns the state of a prefix that is to go.
func (m *machine) goes(now time.Time, o outlook) (State, string) {
	switch {
	case m.state == Up && !m.failing():
		return Draining, o.wish.why()
	case m.state == Draining && m.failing():
		return Down, "while draining, " + m.failure()
	case m.state == Draining && now.Sub(m.since) < m.config.Drain.Wait:
		return Draining, m.reason
	case m.state == Draining && o.last:
		return Draining, "no other edge announces it any more"
	case m.state != Maintenance && m.failing():
		return Down, m.failure()
	}
	if *m.config.Maintenance.Announce { // a route of last resort has to answer, too
		switch why := m.unproven(now); {
		case m.failing():
			return Down, m.failure()
		case m.state == Down && why != "":
			return Down, why
		}
	}
	return Maintenance, o.wish.why()
}

// punish holds a prefix down that failed, longer with each failure.
func (m *machine) punish(now time.Time) {
	kept := m.failures[:0]
	for _, at := range m.failures {
		if now.Sub(at) < memory {
			kept = append(kept, at)
		}
	}
	m.failures = append(kept, now)
	wait := m.config.HoldDown
	for range len(m.failures) - 1 {
		wait = min(2*wait, m.config.HoldDownMax)
	}
	m.notBefore = now.Add(wait)
}

// announcement returns how a prefix in the state is announced.
func (c *Config) announcement(s State) *Announcement {
	switch s {
	case Up:
		return &c.Up
	case Draining:
		return &c.Drain
	case Maintenance:
		return &c.Maintenance
	}
	return &c.Down
}
