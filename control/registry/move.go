package registry

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// A Move is a repository whose name leads to another directory from some time
// on: clients that ask for the name notice nothing.
type Move struct {
	// Repository is its key, NAME+ARCH.
	Repository string `json:"repository"`

	From string `json:"from"`         // its directory
	To   string `json:"to,omitempty"` // the directory that it is to have; empty if there is none

	// Category and Version are those that it is to have.
	Category string `json:"category,omitempty"`
	Version  string `json:"version,omitempty"`

	// Problem is why it cannot be moved now; empty: it can.
	Problem string `json:"problem,omitempty"`
}

// A Mover plans moves, so that they can be looked at before they are made.
type Mover struct {
	World *World

	// There reports whether a category's master holds a directory, by its whole
	// path, for all the world to read.
	There func(category *Category, directory string) bool

	Now time.Time
}

// Release returns the moves of a category's repositories from a version's
// directory of development to the one of releases: where the elements
// DEVELOPMENT/VERSION stand in the path, RELEASES/VERSION will.
func (m Mover) Release(c *Category, version, development, releases string) []Move {
	var moves []Move
	for _, r := range All[*Repository](m.World) {
		to, ok := replaceElements(r.Path, path.Join(development, version), path.Join(releases, version))
		if r.Category == c.Name && r.RedirectTo == "" && ok {
			moves = append(moves, m.move(r, c, c, to, m.version(c, version, r.Version)))
		}
	}
	return moves
}

// Archive returns the moves of a category's repositories below a version's
// directories to the category that is its archive. The directory there is the
// archive's top and the most of the old path, from its end, that the archive
// has: of pub/os/releases/30/x perhaps pub/archive/os/releases/30/x.
func (m Mover) Archive(c *Category, version string, archive *Category) []Move {
	var moves []Move
	for _, r := range All[*Repository](m.World) {
		if r.Category == c.Name && r.RedirectTo == "" && (r.Version == version || hasElement(r.Path, version)) {
			moves = append(moves, m.move(r, c, archive, m.archived(r.Path, version, archive), m.version(archive, version, "")))
		}
	}
	return moves
}

// archived returns the directory that takes the place of an old one; "": none.
// What is left of the old path names the version, so that no other one's does.
func (m Mover) archived(old, version string, archive *Category) string {
	for rest := old; hasElement(rest, version); _, rest, _ = strings.Cut(rest, "/") {
		if to := path.Join(archive.Path, rest); to != old && m.There(archive, to) {
			return to
		}
	}
	return ""
}

// move returns the move of a repository to a directory, "" if there is none.
func (m Mover) move(r *Repository, from, to *Category, directory, version string) Move {
	out := Move{Repository: r.Key(), From: r.Path, To: directory, Category: to.Name, Version: version}
	switch meta := path.Join(directory, "repodata"); {
	case directory == "":
		out.Problem = fmt.Sprintf("the master of %s has no directory for it", to.Name)
	case !m.There(to, directory):
		out.Problem = "the master does not have " + directory
	case m.There(from, path.Join(r.Path, "repodata")) && !m.There(to, meta):
		out.Problem = "the master does not have " + meta
	default:
		for _, release := range All[*Release](m.World) {
			if release.LiftAt.After(m.Now) && release.Covers(directory) {
				out.Problem = fmt.Sprintf("it is under the embargo of %s until %s", release.Name, release.LiftAt.UTC().Format(time.RFC3339))
			}
		}
	}
	return out
}

// version returns the version that a repository of a category is to have: the
// one wanted if the category's product has it.
func (m Mover) version(c *Category, want, otherwise string) string {
	if product, ok := Find[*Product](m.World, c.Product); ok && product.Has(want) {
		return want
	}
	return otherwise
}

// Moved returns the repository after a move.
func (r *Repository) Moved(m Move) *Repository {
	moved := *r
	moved.Path, moved.Category, moved.Version = m.To, m.Category, m.Version
	return &moved
}

// replaceElements replaces whole elements of a path, the first that match.
func replaceElements(p, old, by string) (string, bool) {
	before, after, ok := strings.Cut("/"+p+"/", "/"+old+"/")
	if !ok {
		return p, false
	}
	return strings.Trim(before+"/"+by+"/"+after, "/"), true
}

// hasElement reports whether a path has an element.
func hasElement(p, element string) bool { return strings.Contains("/"+p+"/", "/"+element+"/") }
