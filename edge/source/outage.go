package source

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"
	"unicode"
)

// complainEvery is how often an outage that goes on is logged.
const complainEvery = 5 * time.Minute

// An outage is the time in which nothing good comes from the control plane.
type outage struct {
	since time.Time // zero: there is none
	said  time.Time // when it was logged last
	words string    // what was logged then
}

// complain logs a failed poll, unless that was said a short time ago.
func (r *Remote) complain(err error) {
	o := &r.trouble
	now, words := time.Now(), withoutDigits(err.Error())
	if o.since.IsZero() {
		o.since = now
	} else if words == o.words && now.Sub(o.said) < complainEvery {
		return
	}
	o.said, o.words = now, words
	args := []any{"control", r.config.URL, "since", o.since.UTC().Format(time.RFC3339), "error", err}
	s := r.Latest()
	if s == nil {
		r.config.Log.Error("nothing good from the control plane, and there is no snapshot to answer from", args...)
		return
	}
	level := slog.LevelWarn
	if errors.As(err, new(refused)) {
		level = slog.LevelError // it does not pass by itself
	}
	r.config.Log.Log(context.Background(), level, "nothing good from the control plane, the present snapshot stays in use", append(args, "version", s.Version)...)
}

// relieve logs the end of an outage.
func (r *Remote) relieve() {
	if r.trouble.since.IsZero() {
		return
	}
	r.config.Log.Info("the control plane answers again", "control", r.config.URL, "after", time.Since(r.trouble.since).Round(time.Second))
	r.trouble = outage{}
}

// withoutDigits returns what is the same in two errors of one cause: errors
// of connections name ports of this side, which differ each time.
func withoutDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, text)
}
