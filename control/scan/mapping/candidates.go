package mapping

import (
	"slices"
	"strings"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan/listing"
)

// A Kind is a kind of repository.
type Kind string

// The kinds, with what they are known by.
const (
	Yum    Kind = "yum"    // repodata/repomd.xml
	OSTree Kind = "ostree" // summary and objects/
	Debian Kind = "debian" // binary-ARCH or source below a Release or InRelease
	Arch   Kind = "arch"   // NAME.db, where NAME is part of the path
	Plain  Kind = "plain"  // a rule says so
)

// A Candidate is a directory that is a repository.
type Candidate struct {
	Path string
	Kind Kind
	Arch string // if its kind tells

	// Suite and Component are Debian's: bookworm/updates, main.
	Suite, Component string
}

// Candidates returns the repositories that a tree's files show, with paths
// below the category's top, sorted. Directories that are not readable count:
// a release has its names before it is public.
func Candidates(tree *registry.Tree) []Candidate {
	dirs := make(map[string]*registry.Directory, len(tree.Directories))
	for i := range tree.Directories {
		dirs[tree.Directories[i].Path] = &tree.Directories[i]
	}
	var all []Candidate
	for i := range tree.Directories {
		if c := candidate(&tree.Directories[i], dirs); c.Kind != "" {
			all = append(all, c)
		}
	}
	return all
}

// candidate returns what d is; no Kind if it is no repository.
func candidate(d *registry.Directory, dirs map[string]*registry.Directory) Candidate {
	c := Candidate{Path: d.Path}
	if repodata := dirs[listing.Join(d.Path, "repodata")]; repodata != nil && holds(repodata, "repomd.xml") {
		c.Kind = Yum
		return c
	}
	if dirs[listing.Join(d.Path, "objects")] != nil && holds(d, "summary") {
		c.Kind = OSTree
		return c
	}
	if debian(&c, dirs) {
		return c
	}
	for _, f := range d.Files {
		name, ok := strings.CutSuffix(f.Name, ".db")
		if ok && slices.Contains(strings.Split(d.Path, "/"), name) {
			c.Kind = Arch
			return c
		}
	}
	return c
}

// debian fills in c if it is .../dists/SUITE/COMPONENT/binary-ARCH or
// .../source, with a Release file in the suite.
func debian(c *Candidate, dirs map[string]*registry.Directory) bool {
	parent, name := listing.Split(c.Path)
	arch, ok := strings.CutPrefix(name, "binary-")
	if name == "source" {
		arch, ok = name, true
	}
	i := strings.LastIndex("/"+parent, "/dists/")
	if !ok || arch == "" || i < 0 {
		return false
	}
	dists := ("/" + parent)[1:max(1, i)]
	parts := strings.Split(strings.TrimPrefix(parent[len(dists):], "/"), "/")[1:] // without dists
	for n := 1; n < len(parts); n++ {
		suite := strings.Join(parts[:n], "/")
		d := dirs[listing.Join(listing.Join(dists, "dists"), suite)]
		if d != nil && (holds(d, "Release") || holds(d, "InRelease")) {
			c.Kind, c.Arch, c.Suite, c.Component = Debian, arch, suite, strings.Join(parts[n:], "/")
			return true
		}
	}
	return false
}

// holds reports whether d holds a file.
func holds(d *registry.Directory, name string) bool {
	_, ok := slices.BinarySearchFunc(d.Files, name, func(f registry.File, name string) int { return strings.Compare(f.Name, name) })
	return ok
}
