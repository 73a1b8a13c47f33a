package scan

import "github.com/waypost/waypost/control/registry"

// A Change is what a master has lost between two scans.
type Change struct {
	// OldFiles and OldDirectories are what there was.
	OldDirectories, OldFiles int

	LostDirectories, LostFiles int

	// Closed are directories that the world could read and cannot any more.
	Closed int
}

// Compare returns what a master has lost. It takes time linear in the two trees
// and no memory.
func Compare(old, now *registry.Tree) Change {
	c := Change{OldDirectories: len(old.Directories)}
	dirs := now.Directories
	for i := range old.Directories {
		d := &old.Directories[i]
		c.OldFiles += len(d.Files)
		for len(dirs) > 0 && dirs[0].Path < d.Path {
			dirs = dirs[1:]
		}
		if len(dirs) == 0 || dirs[0].Path != d.Path {
			c.LostDirectories++
			c.LostFiles += len(d.Files)
			continue
		}
		if d.Readable && !dirs[0].Readable {
			c.Closed++
		}
		c.LostFiles += lost(d.Files, dirs[0].Files)
	}
	return c
}

// lost counts the files that are not there any more.
func lost(old, now []registry.File) (n int) {
	for i := range old {
		for len(now) > 0 && now[0].Name < old[i].Name {
			now = now[1:]
		}
		if len(now) == 0 || now[0].Name != old[i].Name {
			n++
		}
	}
	return n
}

// Loss returns which part of the files or directories, whichever is more, is
// lost or closed, from 0 to 1. Hold a scan that loses more than is usual: a
// master whose disk was not mounted loses 1.
func (c Change) Loss() float64 {
	part := func(lost, of int) float64 {
		if of == 0 {
			return 0
		}
		return float64(lost) / float64(of)
	}
	return max(part(c.LostFiles, c.OldFiles), part(c.LostDirectories+c.Closed, c.OldDirectories))
}
