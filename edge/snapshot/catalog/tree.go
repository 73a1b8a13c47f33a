package catalog

import (
	"maps"
	"slices"
	"strings"

	"github.com/waypost/waypost/edge/snapshot"
)

// A tree is the directories of which something is known.
type tree struct {
	tops map[string]int     // category by its path
	dirs map[string]*branch // by path
}

type branch struct {
	category  int
	completes bool // it and everything below it is complete
}

// parent returns the path above path, which is not the root.
func parent(path string) string { return path[:max(strings.LastIndexByte(path, '/'), 0)] }

// category returns the category whose path is the longest at or above path.
func (t *tree) category(path string) (int, bool) {
	for {
		if c, ok := t.tops[path]; ok || path == "" {
			return c, ok
		}
		path = parent(path)
	}
}

// add lists path and all its parents in its category; nil if it has no category.
// Parents are needed because below a complete directory an unlisted one does not exist.
func (t *tree) add(path string) *branch {
	if b, ok := t.dirs[path]; ok {
		return b
	}
	c, ok := t.category(path)
	if !ok {
		return nil
	}
	b := &branch{category: c}
	t.dirs[path] = b
	if path != "" {
		t.add(parent(path)) // above a nested category's top the category around it goes on
	}
	return b
}

// place numbers the directories by path and sets what hosts hold and what is complete.
func (b *builder) place() {
	for path := range b.tree.tops {
		b.tree.add(path)
	}
	paths := slices.Sorted(maps.Keys(b.tree.dirs))
	above := make([]int, len(paths)) // by directory: its parent, -1 if that is in no category
	number := make(map[string]int, len(paths))
	for i, path := range paths {
		number[path] = i
		above[i] = -1
		if at, ok := number[parent(path)]; ok && path != "" {
			above[i] = at
		}
		dir := b.tree.dirs[path]
		complete := dir.completes || above[i] >= 0 && b.snap.Directories[above[i]].Complete
		b.snap.Directories = append(b.snap.Directories,
			snapshot.Directory{Path: path, Category: uint32(dir.category), Complete: complete})
	}
	for i := range b.snap.Hosts {
		b.fill(i, above)
	}
}

// fill sets the directories that host i holds: those of its categories, without
// those at and below what it lacks.
func (b *builder) fill(i int, above []int) {
	h := &b.snap.Hosts[i]
	carried := make([]bool, len(b.snap.Categories))
	for _, m := range h.Mounts {
		carried[m.Category] = true
	}
	lacks := map[string]bool{}
	for _, path := range b.in.Hosts[i].Lacks {
		lacks[path.text] = path.given
	}
	lacked := make([]bool, len(above))
	h.Has = make(snapshot.Bitmap, (len(above)+63)/64)
	for dir, d := range b.snap.Directories {
		lacked[dir] = lacks[d.Path] || above[dir] >= 0 && lacked[above[dir]]
		if carried[d.Category] && !lacked[dir] {
			h.Has.Add(uint32(dir))
		}
	}
}
