package web

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/snapshot"
)

// JobAnnounce is the kind of jobs that tell mirrors and operators of a release;
// the key is its name.
const JobAnnounce = "announce"

// Announce asks for mirrors to be told of a release, whether they were or not.
type Announce struct {
	Release string `json:"release"`
}

// A MoveRelease makes the repositories of a version in development those of a
// release, all at once: DEVELOPMENT/VERSION in their path becomes RELEASES/VERSION.
type MoveRelease struct {
	Category    string `json:"category"`
	Version     string `json:"version"`
	Development string `json:"development,omitempty"` // "": development
	Releases    string `json:"releases,omitempty"`    // "": releases
	MoveOptions
}

// An ArchiveRelease makes the repositories of an old version those of the
// category that is the archive, all at once.
type ArchiveRelease struct {
	Category string `json:"category"`
	Version  string `json:"version"`
	Archive  string `json:"archive"` // the category
	MoveOptions
}

// MoveOptions say how careful a move is.
type MoveOptions struct {
	DryRun  bool `json:"dry_run,omitempty"` // only say what would be moved
	Partial bool `json:"partial,omitempty"` // leave what cannot be moved where it is, and move the others
	Force   bool `json:"force,omitempty"`   // move also where no public mirror holds the new directory yet
}

// Moves is the answer to [MoveRelease] and [ArchiveRelease].
type Moves struct {
	Moves []MoveOf `json:"moves"`
	Done  bool     `json:"done"` // false: nothing was changed
}

// A MoveOf is one repository's move.
type MoveOf struct {
	registry.Move

	// HeldBy is how many public mirrors hold the new directory.
	HeldBy int `json:"held_by"`
}

// An ExpireMetadata takes old metadata out of metalinks at once.
type ExpireMetadata struct {
	// Target is a repository, as NAME+ARCH or, for all architectures, NAME, or a
	// directory or file by its path; "/" is everything.
	Target string `json:"target"`

	// Keep is how many older versions of each file stay; 0: only the current one
	// is good any more.
	Keep int `json:"keep,omitempty"`
}

// Expired is the answer to [ExpireMetadata].
type Expired struct {
	Paths     []string `json:"paths"`     // the directories or files
	Forgotten int      `json:"forgotten"` // versions
}

// problem is a problem of one field of an action's document.
func problem(action, key, format string, args ...any) error {
	return snapshot.Problems{{File: action, Key: key, Text: fmt.Sprintf(format, args...)}}
}

func (s *server) announce(c *call) error {
	var a Announce
	if err := c.onlyAdmin(); err != nil {
		return err
	}
	if err := c.read("announce", &a); err != nil {
		return err
	}
	r, ok := registry.Find[*registry.Release](c.world, a.Release)
	if !ok {
		return problem("announce", "release", "no release has the name %.80q", a.Release)
	}
	if !r.LiftAt.After(s.Now()) {
		return problem("announce", "release", "the embargo of %s has ended: there is nothing to announce", a.Release)
	}
	return s.enqueue(c, JobAnnounce, []string{a.Release}, func(string) any { return a })
}

func (s *server) moveRelease(c *call) error {
	var a MoveRelease
	if err := c.onlyAdmin(); err != nil {
		return err
	}
	if err := c.read("release-move", &a); err != nil {
		return err
	}
	if a.Development == "" {
		a.Development = "development"
	}
	if a.Releases == "" {
		a.Releases = "releases"
	}
	for key, value := range map[string]string{"version": a.Version, "development": a.Development, "releases": a.Releases} {
		if path.Clean("/"+value) != "/"+value || value == "" {
			return problem("release-move", key, "want a directory such as development or 44, got %.80q", value)
		}
	}
	from, ok := registry.Find[*registry.Category](c.world, a.Category)
	if !ok {
		return problem("release-move", "category", "no category has the name %.80q", a.Category)
	}
	m, err := s.mover(c, from)
	if err != nil {
		return err
	}
	return s.move(c, "release-move", a.MoveOptions, m, m.Release(from, a.Version, a.Development, a.Releases))
}

func (s *server) archiveRelease(c *call) error {
	var a ArchiveRelease
	if err := c.onlyAdmin(); err != nil {
		return err
	}
	if err := c.read("release-archive", &a); err != nil {
		return err
	}
	from, ok := registry.Find[*registry.Category](c.world, a.Category)
	if !ok {
		return problem("release-archive", "category", "no category has the name %.80q", a.Category)
	}
	to, ok := registry.Find[*registry.Category](c.world, a.Archive)
	if !ok || to == from {
		return problem("release-archive", "archive", "want another category, got %.80q", a.Archive)
	}
	if path.Clean("/"+a.Version) != "/"+a.Version || a.Version == "" {
		return problem("release-archive", "version", "want a directory such as 30, got %.80q", a.Version)
	}
	m, err := s.mover(c, from, to)
	if err != nil {
		return err
	}
	return s.move(c, "release-archive", a.MoveOptions, m, m.Archive(from, a.Version, to))
}

// mover returns a mover that knows what the masters of categories hold.
func (s *server) mover(c *call, categories ...*registry.Category) (registry.Mover, error) {
	readable := map[string]map[string]bool{}
	for _, category := range categories {
		t, err := s.Store.Tree(c.Context(), category.Name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return registry.Mover{}, err
		}
		if err != nil {
			return registry.Mover{}, fail(http.StatusConflict, "it is not known what the master of %s holds: scan it first", category.Name)
		}
		there := map[string]bool{}
		for _, d := range t.Directories {
			there[path.Join(category.Path, d.Path)] = d.Readable
		}
		readable[category.Name] = there
	}
	there := func(category *registry.Category, directory string) bool { return readable[category.Name][directory] }
	return registry.Mover{World: c.world, There: there, Now: s.Now()}, nil
}

// move makes moves, all in one change: a client is sent by the old registry or
// by the new one. Nothing is moved where that would leave clients without a mirror.
func (s *server) move(c *call, action string, o MoveOptions, mover registry.Mover, moves []registry.Move) error {
	if len(moves) == 0 {
		return problem(action, "version", "no repository of the category has a directory of this version")
	}
	out := Moves{Moves: make([]MoveOf, len(moves))}
	held, err := s.holders(c, mover, moves)
	if err != nil {
		return err
	}
	var problems snapshot.Problems
	var changes []store.Change
	for i, m := range moves {
		if m.Problem == "" && held[i] == 0 && !o.Force {
			m.Problem = "no public mirror holds " + m.To + " yet"
		}
		out.Moves[i] = MoveOf{m, held[i]}
		if m.Problem != "" {
			problems = append(problems, snapshot.Problem{File: action, Key: m.Repository, Text: m.Problem})
			continue
		}
		entry, bad := s.Store.Get(c.Context(), registry.KindRepository, m.Repository)
		if bad != nil {
			return bad
		}
		r, ok := entry.Object.(*registry.Repository)
		if !ok || r.Path != m.From {
			return store.ErrConflict
		}
		changes = append(changes, store.Put(r.Moved(m), entry.Revision))
	}
	switch {
	case o.DryRun:
		return c.json(http.StatusOK, out)
	case len(problems) > 0 && !o.Partial || len(changes) == 0:
		return problems
	}
	number, err := s.Store.Apply(c.Context(), c.caller.name(), changes...)
	if err != nil {
		return err
	}
	s.Log.Info("repositories moved", "who", c.caller.name(), "change", number, "repositories", len(changes), "left", len(problems))
	s.Publish()
	out.Done = true
	return c.json(http.StatusOK, out)
}

// holders returns how many public mirrors hold the new directory of each move,
// or its metadata where it has a directory of that; 0 where it cannot be made.
// Only what masters have is asked for: a path that is not there would get a
// number for ever.
func (s *server) holders(c *call, mover registry.Mover, moves []registry.Move) ([]int, error) {
	wanted := map[string]bool{}
	for _, m := range moves {
		wanted[m.Category] = true
	}
	held, err := s.sets(c, wanted)
	if err != nil {
		return nil, err
	}
	counts := make([]int, len(moves))
	for i, m := range moves {
		if m.Problem != "" {
			continue
		}
		paths := []string{m.To}
		category, _ := registry.Find[*registry.Category](c.world, m.Category)
		if meta := path.Join(m.To, "repodata"); mover.There(category, meta) {
			paths = append(paths, meta)
		}
		numbers, err := s.Store.Numbers(c.Context(), paths)
		if err != nil {
			return nil, err
		}
		for _, h := range held[m.Category] {
			if h.all || slices.ContainsFunc(numbers, h.holds.Has) {
				counts[i]++
			}
		}
	}
	return counts, nil
}

// A heldSet is what a host holds of a category.
type heldSet struct {
	all   bool
	holds snapshot.Bitmap
}

// sets returns what public hosts hold of categories.
func (s *server) sets(c *call, categories map[string]bool) (map[string][]heldSet, error) {
	sets := map[string][]heldSet{}
	carries := map[[2]string]bool{}
	for _, h := range registry.All[*registry.Host](c.world) {
		if !registry.Public(c.world, h) {
			continue
		}
		for _, carry := range h.Carries {
			if carry.AlwaysUpToDate && categories[carry.Category] {
				sets[carry.Category] = append(sets[carry.Category], heldSet{all: true})
			}
			carries[[2]string{h.Key(), carry.Category}] = !carry.AlwaysUpToDate && categories[carry.Category]
		}
	}
	err := eachListing(c.Context(), s.Store, func(l *registry.Listing) {
		if carries[[2]string{l.Host, l.Category}] {
			sets[l.Category] = append(sets[l.Category], heldSet{holds: l.Holds})
		}
	})
	return sets, err
}

// expireMetadata takes old metadata out of the store; the audit log has what.
func (s *server) expireMetadata(c *call) error {
	var a ExpireMetadata
	if err := c.onlyAdmin(); err != nil {
		return err
	}
	if err := c.read("expire-metadata", &a); err != nil {
		return err
	}
	if a.Keep < 0 || a.Keep > 1000 {
		return problem("expire-metadata", "keep", "want 0 to 1000 older versions, got %d", a.Keep)
	}
	paths := targets(c.world, a.Target)
	if paths == nil {
		return problem("expire-metadata", "target", "want a repository, NAME or NAME+ARCH, or a path below a category, got %.200q", a.Target)
	}
	defer s.Publish() // also what is expired before an error
	out := Expired{Paths: paths}
	for _, below := range paths {
		n, err := s.Store.ExpireHistory(c.Context(), c.caller.name(), below, a.Keep)
		if err != nil {
			return err
		}
		out.Forgotten += n
	}
	s.Log.Warn("metadata expired", "who", c.caller.name(), "paths", paths, "kept", a.Keep, "forgotten", out.Forgotten)
	return c.json(http.StatusOK, out)
}

// targets returns the paths that a target means, nil if it means nothing.
func targets(w *registry.World, target string) (paths []string) {
	for _, r := range registry.All[*registry.Repository](w) {
		if r.RedirectTo == "" && (r.Key() == target || r.Name == target) && !slices.Contains(paths, r.Path) {
			paths = append(paths, r.Path)
		}
	}
	if paths != nil || target == "" {
		return paths
	}
	below := strings.Trim(target, "/")
	for _, category := range registry.All[*registry.Category](w) {
		if registry.Below(below, category.Path) || registry.Below(category.Path, below) {
			return []string{below}
		}
	}
	return nil
}
