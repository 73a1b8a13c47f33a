package probe

import (
	"hash/fnv"
	"time"

	"github.com/waypost/waypost/edge/health"
)

// A target is what is known of one scheme of one host over one family. All
// fields but name are guarded by the Prober's mutex.
type target struct {
	name  health.Target
	phase time.Duration // of its probes within the interval
	plan  plan

	lane *lane     // in which it waits, or its probe runs
	due  time.Time // when the next probe is; meaningless while one is on
	at   int       // position in the lane; -1 while a probe is on
	gone bool      // no longer a target
	seen time.Time // when the last probe ended

	doubted bool // to be probed anew before this kind counts

	brief    int    // probes since the last thorough one
	result   Result // of the last probe
	trips    trips
	answered bool // with OK, ever
	streak   int  // of results that contradict failing
	failing  bool // by rise and fall
	turned   time.Time

	down  bool // failing, and called down
	since time.Time
}

func newTarget(name health.Target, now time.Time, phase time.Duration) *target {
	return &target{
		name: name, phase: phase, at: -1,
		due: now.Add(phase / 10), turned: now, since: now,
	}
}

// phaseOf returns the place of a target's probes within the interval: the same
// on every start, and even over all targets.
func phaseOf(name health.Target, interval time.Duration) time.Duration {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name.Host)) // a hash takes all
	_, _ = h.Write([]byte{byte(name.Scheme), byte(name.Family)})
	const parts = 1 << 16
	mixed := h.Sum64() * 0x9e3779b97f4a7c15 >> 48 // FNV alone leaves the last bytes in few bits
	return interval / parts * time.Duration(mixed)
}

// kind returns which of the kinds the target is of.
func (t *target) kind() health.Kind { return t.name.Kind() }

// probed reports whether t has been probed, by this process or the one before.
func (t *target) probed() bool { return t.result.Verdict != Unknown }

// counts reports whether the last result of t says something of its kind.
func (t *target) counts() bool {
	return t.result.Verdict.settles() && (t.answered || !t.plan.private)
}

// exists reports whether t is a target as far as is known: its name may turn
// out not to have an address of the family.
func (t *target) exists() bool { return t.result.Verdict != NoAddress }

// note counts the last result and reports whether that turned the target:
// whether failing has changed. While its kind abstains, failures do not count.
func (t *target) note(abstaining bool, c *Config, now time.Time) bool {
	if !t.exists() {
		t.streak = 0
		return t.turn(false, now) // what cannot be reached by anyone is not down
	}
	failed := t.result.Verdict.Failed()
	switch {
	case !t.counts() || failed && abstaining:
		return false
	case failed == t.failing:
		t.streak = 0
		return false
	}
	t.streak++
	need := c.Rise
	if failed {
		need = c.Fall
	}
	return t.streak >= need && t.turn(failed, now)
}

// turn sets failing and reports whether that changed it.
func (t *target) turn(failing bool, now time.Time) bool {
	if t.failing == failing {
		return false
	}
	t.failing, t.streak, t.turned = failing, 0, now
	return true
}

// next returns when to probe t again: at its place in the next interval, sooner
// after a result that contradicts what is thought of it. A first failure is
// followed up at once, for clients are being sent there; a first success after
// a third of the interval, for it should last.
func (t *target) next(now time.Time, c *Config) time.Time {
	passed := (now.UnixNano() - int64(t.phase)) % int64(c.Interval) // since the last place, by the clock on the wall
	regular := now.Add(c.Interval - time.Duration(passed))
	soon := regular
	switch {
	case t.streak == 0:
	case t.failing:
		soon = now.Add(c.Interval / 3)
	default:
		soon = now.Add(c.retry())
	}
	if soon.Before(regular) {
		return soon
	}
	return regular
}

// place returns the lane to wait in after a result.
func (t *target) place() int {
	if t.streak > 0 {
		return seconds
	}
	return turns
}

// ask returns how to make the next probe. What follows a failure is thorough
// until all is well again: HEAD could not contradict a GET that failed, and a GET
// that succeeds, which is what clients send, does a HEAD.
func (t *target) ask() plan {
	p := t.plan
	t.brief++
	if t.failing || t.streak > 0 || t.brief >= p.every() {
		p.thorough = true
		t.brief = 0
	}
	return p
}

// retry returns the time from a first failure to the next probe.
func (c *Config) retry() time.Duration { return min(time.Second, c.Interval/4) }
