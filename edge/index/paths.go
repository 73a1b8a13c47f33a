package index

import (
	"bytes"
	"hash/maphash"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
)

// paths finds a directory by its path: an open hash table of directory
// numbers over one blob of path bytes, so that a million directories are no
// pointers for the garbage collector.
type paths struct {
	seed maphash.Seed
	slot []uint32 // directory + 1, 0 empty; a power of two, at most half full
	end  []uint32 // by directory: where its path ends in blob
	blob []byte

	embargoed []string // paths that, with all below them, are not there
}

// compilePaths makes the table of the directories that are not under embargo
// at the time now.
func compilePaths(s *snapshot.Snapshot, now time.Time) paths {
	dirs := s.Directories
	size := 2
	for size < 2*len(dirs) {
		size *= 2
	}
	p := paths{seed: maphash.MakeSeed(), slot: make([]uint32, size), end: make([]uint32, len(dirs))}
	for i := range dirs {
		p.blob = append(p.blob, dirs[i].Path...)
		p.end[i] = uint32(len(p.blob))
	}
	for _, e := range s.Embargoes {
		if now.Before(e.LiftAt) {
			p.embargoed = append(p.embargoed, e.Path)
		}
	}
	mask := uint64(size - 1)
	for i := range dirs {
		if p.hidden([]byte(dirs[i].Path)) {
			continue
		}
		at := maphash.String(p.seed, dirs[i].Path) & mask
		for p.slot[at] != 0 {
			at = (at + 1) & mask
		}
		p.slot[at] = uint32(i) + 1
	}
	return p
}

// hidden reports whether path is under embargo.
func (p *paths) hidden(path []byte) bool {
	for _, top := range p.embargoed {
		n := len(top)
		if n == 0 || len(path) >= n && string(path[:n]) == top && (len(path) == n || path[n] == '/') {
			return true
		}
	}
	return false
}

// path returns a directory's path.
func (p *paths) path(dir uint32) []byte {
	from := uint32(0)
	if dir > 0 {
		from = p.end[dir-1]
	}
	return p.blob[from:p.end[dir]]
}

// find returns the directory with exactly this path.
func (p *paths) find(path []byte) (dir uint32, ok bool) {
	mask := uint64(len(p.slot) - 1)
	for at := maphash.Bytes(p.seed, path) & mask; p.slot[at] != 0; at = (at + 1) & mask {
		if dir = p.slot[at] - 1; bytes.Equal(p.path(dir), path) {
			return dir, true
		}
	}
	return 0, false
}

// findAbove returns the nearest listed directory above path.
func (p *paths) findAbove(path []byte) (dir uint32, ok bool) {
	for len(path) > 0 {
		path = path[:max(bytes.LastIndexByte(path, '/'), 0)]
		if dir, ok = p.find(path); ok {
			return dir, true
		}
	}
	return 0, false
}

// A Target is what a path names.
type Target struct {
	Path      []byte // as it was looked up
	Directory uint32 // the listed directory whose hosts hold it
	Category  uint32
	File      uint32 // its number in [Index.Files], if HasFile
	HasFile   bool
	IsDir     bool // Path is itself a listed directory
}

// Suffix returns the part of the target's path below the top directory of its
// category, without a slash at its start.
func (ix *Index) Suffix(t *Target) []byte {
	top := len(ix.Category(t.Category).Path)
	switch {
	case top == 0:
		return t.Path
	case len(t.Path) <= top+1:
		return nil
	}
	return t.Path[top+1:]
}

// Find returns what path, which has no slashes at its ends, names. It is not
// ok where nothing of that name can exist: outside all categories, under
// embargo, below an enumerated category's listed directories, or an unknown
// name below a complete directory. It allocates nothing.
func (ix *Index) Find(path []byte) (t Target, ok bool) {
	t = Target{Path: path}
	if dir, found := ix.paths.find(path); found {
		t.IsDir = true
		return ix.within(t, dir), true
	}
	if ix.paths.hidden(path) {
		return t, false
	}
	name := path
	parent, found := ix.paths.find(nil)
	if cut := bytes.LastIndexByte(path, '/'); cut >= 0 {
		name = path[cut+1:]
		parent, found = ix.paths.find(path[:cut])
	}
	if found {
		t = ix.within(t, parent)
		t.File, t.HasFile = ix.Files().Find(parent, name)
		return t, t.HasFile || !ix.content.complete[parent]
	}
	above, found := ix.paths.findAbove(path)
	if !found {
		return t, false
	}
	t = ix.within(t, above)
	return t, !ix.content.complete[above] && !ix.Category(t.Category).Enumerated
}

// within returns t with its directory.
func (ix *Index) within(t Target, dir uint32) Target {
	t.Directory, t.Category = dir, ix.in.Snapshot.Directories[dir].Category
	return t
}

// FindDirectory returns the listed directory of exactly this path, unless it
// is under embargo.
func (ix *Index) FindDirectory(path []byte) (dir uint32, ok bool) { return ix.paths.find(path) }

// Embargoed reports whether directory dir is hidden. Clients never get there;
// it is for those who go through all directories.
func (ix *Index) Embargoed(dir uint32) bool { return ix.paths.hidden(ix.paths.path(dir)) }
