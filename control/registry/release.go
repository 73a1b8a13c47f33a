package registry

import (
	"slices"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/catalog"
)

// A Release is content that nobody may see before a time.
type Release struct {
	// Name is unique.
	Name string `json:"name" yaml:"name"`

	// Paths are its directories: all below them is under embargo.
	Paths []string `json:"paths" yaml:"paths"`

	// LiftAt is when the embargo ends.
	LiftAt time.Time `json:"lift_at" yaml:"lift_at"`

	// Quiet keeps mirrors from being told by itself; an announcement tells them.
	Quiet bool `json:"quiet,omitempty" yaml:"quiet"`

	// Announced is when mirrors were told of it; zero: not yet. It, Told and
	// Lifted are written by the control plane.
	Announced time.Time `json:"announced,omitzero" yaml:"announced"`

	// Told is what they were told last. Where the release is another by now,
	// they are told again.
	Told *Told `json:"told,omitempty" yaml:"told"`

	// Lifted is when operators were told that its embargo has ended; zero: not
	// yet.
	Lifted time.Time `json:"lifted,omitzero" yaml:"lifted"`
}

// Told is what mirrors know of a release.
type Told struct {
	Paths  []string  `json:"paths" yaml:"paths"`
	LiftAt time.Time `json:"lift_at" yaml:"lift_at"`
}

// News is what is to be told of a release.
type News int

// The news.
const (
	NoNews      News = iota
	IsNew            // mirrors know nothing of it yet
	IsChanged        // mirrors know another date or other directories
	IsLifted         // operators do not know yet that the embargo has ended
	IsCancelled      // it is gone, and mirrors wait for it
)

// longLifted is after what time a lifted embargo is no news.
const longLifted = 7 * 24 * time.Hour

// News returns what is to be told of the release at now.
func (r *Release) News(now time.Time) News {
	switch {
	case r.LiftAt.After(now) && r.Announced.IsZero():
		return IsNew
	case r.LiftAt.After(now):
		if r.Told != nil && (!r.Told.LiftAt.Equal(r.LiftAt) || !slices.Equal(r.Told.Paths, r.Paths)) {
			return IsChanged
		}
	case r.Lifted.Before(r.LiftAt) && now.Sub(r.LiftAt) < longLifted:
		return IsLifted
	}
	return NoNews
}

// Gone returns what is to be told of the release if it ended at a time.
func (r *Release) Gone(at time.Time) News {
	if r.Announced.IsZero() || !r.LiftAt.After(at) {
		return NoNews
	}
	return IsCancelled
}

// Categories returns the categories whose top directory is at or above one of
// the release's paths.
func (r *Release) Categories(w *World) (list []*Category) {
	for _, c := range All[*Category](w) {
		if slices.ContainsFunc(r.Paths, func(path string) bool { return Below(path, c.Path) }) {
			list = append(list, c)
		}
	}
	return list
}

// Covers reports whether a directory, by its whole path, is of the release.
func (r *Release) Covers(directory string) bool {
	return slices.ContainsFunc(r.Paths, func(path string) bool { return Below(directory, path) })
}

var _ Object = (*Release)(nil)

// Kind returns [KindRelease].
func (*Release) Kind() Kind { return KindRelease }

// Key returns the release's name.
func (r *Release) Key() string { return r.Name }

// Redacted returns the release itself.
func (r *Release) Redacted() Object { return r }

// Check returns all that is wrong with the release by itself.
func (r *Release) Check() snapshot.Problems {
	c := check(r)
	c.name("name", r.Name)
	if len(r.Paths) == 0 {
		c.problem("paths", "want at least one directory")
	}
	unique(c, "paths", r.Paths, func(key, s string) { required[catalog.Path](c, key, s) })
	if r.LiftAt.IsZero() {
		c.problem("lift_at", "want the time at which the embargo ends")
	}
	return c.problems
}
