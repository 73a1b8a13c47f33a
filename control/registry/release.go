package registry

import (
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

	// Announced is when mirrors were told of it; zero: not yet.
	Announced time.Time `json:"announced,omitzero" yaml:"announced"`
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
