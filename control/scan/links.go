package scan

import (
	"path"
	"slices"
	"strings"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan/listing"
)

// maxLinks is how many links are followed one after another.
const maxLinks = 8

// A linker makes files of the links to them.
type linker struct {
	dirs     map[string]*dir
	readable map[string]bool
	count    *counter
	aliases  map[string]string
}

// resolve returns d's files and those that its links lead to, sorted. Links
// that are absolute, leave the tree, lead to a directory or through one that
// is a link, or from a readable directory into one that is not, are skipped.
func (l linker) resolve(d *dir) []registry.File {
	files := slices.Clone(d.files)
	for _, at := range d.links {
		f, to, why := l.follow(d.path, at.target)
		switch {
		case why == "" && (find(d.files, at.name) >= 0 || l.dirs[listing.Join(d.path, at.name)] != nil):
			why = "listed twice"
			fallthrough
		case why != "":
			l.count.skip(why, listing.Join(d.path, at.name))
		default:
			f.Name = at.name
			l.aliases[listing.Join(d.path, at.name)] = to
			files = append(files, f)
		}
	}
	slices.SortStableFunc(files, func(x, y registry.File) int { return strings.Compare(x.Name, y.Name) })
	return slices.CompactFunc(files, func(x, y registry.File) bool { return x.Name == y.Name })
}

// follow returns the file that a link in a directory leads to, and its path.
func (l linker) follow(from, target string) (f registry.File, to, why string) {
	at := from
	for range maxLinks {
		if target == "" || strings.HasPrefix(target, "/") {
			return f, to, "link that is absolute or unknown"
		}
		to = path.Join(at, target)
		if to == "." || listing.Flaw(to) != "" {
			return f, to, "link out of the tree"
		}
		if l.dirs[to] != nil {
			return f, to, "link to a directory"
		}
		var name string
		at, name = listing.Split(to)
		d := l.dirs[at]
		if d == nil {
			return f, to, "link to nothing that is listed"
		}
		if l.readable[from] && !l.readable[at] {
			return f, to, "link into a closed directory"
		}
		if i := find(d.files, name); i >= 0 {
			return d.files[i], to, ""
		}
		i := slices.IndexFunc(d.links, func(l link) bool { return l.name == name })
		if i < 0 {
			return f, to, "link to nothing that is listed"
		}
		target = d.links[i].target
	}
	return f, to, "link to a link, and so on"
}

// find returns the index of a name in sorted files, -1 if it is not there.
func find(files []registry.File, name string) int {
	i, ok := slices.BinarySearchFunc(files, name, func(f registry.File, name string) int { return strings.Compare(f.Name, name) })
	if !ok {
		return -1
	}
	return i
}
