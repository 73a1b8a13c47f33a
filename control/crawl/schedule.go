package crawl

import (
	"fmt"
	"slices"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

// A Plan says how often hosts are crawled.
type Plan struct {
	Every  time.Duration // between crawls of a host that is well
	Most   time.Duration // between crawls of one that fails; default 8 times Every
	Jitter float64       // part of the time by which it is made longer or shorter, 0 to 1; 0.1 is usual
}

// Next returns when a host is due: Every after the last crawl, twice as long
// for each failure in a row, and a little sooner or later by draw, a random
// number in [0, 1), so that hosts do not gather at one time. A host that was
// never crawled (last is zero) is due at once.
func (p Plan) Next(last time.Time, failures int, draw float64) time.Time {
	if last.IsZero() {
		return last
	}
	most := p.Most
	if most <= 0 {
		most = 8 * p.Every
	}
	wait := p.Every
	for range failures {
		if wait >= most {
			break
		}
		wait *= 2
	}
	wait = min(wait, max(most, p.Every))
	return last.Add(time.Duration(float64(wait) * (1 + p.Jitter*(2*draw-1))))
}

// A Past is a former crawl of a host, of all its categories or one.
type Past struct {
	At      time.Time
	Mode    Mode
	Outcome Outcome
	Reason  string
}

// A Decision says what becomes of a host.
type Decision struct {
	Disable bool
	Enable  bool // it was disabled by crawls, and the last one was good
	InARow  int  // failures since the last good crawl
	Reason  string
}

// Decide looks at a host's former crawls, the newest last, and decides whether
// it is disabled: after limit failures in a row, 4 where limit is 0. disabled
// tells that crawls have disabled it; it comes back only after a good crawl
// that looked at content, which a canary does not. A crawl that we broke off
// and one that the host did not want say nothing.
func Decide(history []Past, limit int, disabled bool) Decision {
	if limit <= 0 {
		limit = 4
	}
	d := Decision{}
	var reason string
	var good time.Time
past:
	for _, p := range slices.Backward(history) {
		switch {
		case p.Outcome == OK && (p.Mode != Canary || !disabled):
			good = p.At
			break past
		case p.Outcome == Failed || p.Outcome == TimedOut || p.Outcome == Empty:
			d.InARow++
			if reason == "" {
				reason = fmt.Sprintf("%s: %s", p.Outcome, p.Reason)
			}
		}
	}
	d.Enable = disabled && d.InARow == 0 && !good.IsZero()
	d.Disable = !disabled && d.InARow >= limit
	switch {
	case d.Disable && good.IsZero():
		d.Reason = fmt.Sprintf("%d crawls in a row were not good, none before was; the last one %s", d.InARow, reason)
	case d.Disable:
		d.Reason = fmt.Sprintf("%d crawls in a row were not good, since %s; the last one %s",
			d.InARow, good.UTC().Format(time.RFC3339), reason)
	case d.Enable:
		d.Reason = "the crawl of " + good.UTC().Format(time.RFC3339) + " was good"
	}
	return d
}

// Propagation counts the mirrors that have a version of a repository's
// metadata, by its age: how long before the newest it was made.
type Propagation struct {
	SameDay int // at most one day, or the newest
	OneDay  int // at most two
	TwoDays int // at most three
	Older   int // more, or a version that nobody knows any more
	Unknown int // it could not be told
}

// Ages counts the mirrors of one metadata file. history are its versions, the
// newest first: what the master holds and then what is in Job.Older; seen has
// an entry for each mirror of which a version is known; mirrors is how many
// there are.
func Ages(history []snapshot.Version, file registry.FileRef, seen []Sighting, mirrors int) Propagation {
	p := Propagation{}
	counted := 0
	for _, s := range seen {
		if s.File != file {
			continue
		}
		n := max(1, s.Hosts)
		counted += n
		version := s.Older + 1
		if s.Current {
			version = 0
		}
		if !s.Current && s.Older < 0 || version >= len(history) {
			p.Older += n
			continue
		}
		switch age := Age(&history[0], &history[version]); {
		case age <= 24*time.Hour:
			p.SameDay += n
		case age <= 48*time.Hour:
			p.OneDay += n
		case age <= 72*time.Hour:
			p.TwoDays += n
		default:
			p.Older += n
		}
	}
	p.Unknown = max(0, mirrors-counted)
	return p
}
