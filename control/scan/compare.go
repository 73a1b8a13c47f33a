package scan

import (
	"strings"

	"github.com/waypost/waypost/control/registry"
)

// A Change is the difference between two scans of a master.
type Change struct {
	// OldFiles and OldDirectories are what there was.
	OldDirectories, OldFiles int

	AddedDirectories, LostDirectories int
	AddedFiles, LostFiles             int

	// Altered are files with another size or time.
	Altered int

	// Closed are directories that the world could read and cannot any more.
	Closed int
}

// Compare returns how a master changed. It takes time linear in the two trees
// and no memory.
func Compare(old, now *registry.Tree) Change {
	var c Change
	a, b := old.Directories, now.Directories
	for len(a) > 0 || len(b) > 0 {
		switch order := orderOf(len(a), len(b), func() int { return strings.Compare(a[0].Path, b[0].Path) }); {
		case order < 0:
			c.OldDirectories++
			c.LostDirectories++
			c.OldFiles += len(a[0].Files)
			c.LostFiles += len(a[0].Files)
			a = a[1:]
		case order > 0:
			c.AddedDirectories++
			c.AddedFiles += len(b[0].Files)
			b = b[1:]
		default:
			c.OldDirectories++
			if a[0].Readable && !b[0].Readable {
				c.Closed++
			}
			c.files(a[0].Files, b[0].Files)
			a, b = a[1:], b[1:]
		}
	}
	return c
}

func (c *Change) files(a, b []registry.File) {
	c.OldFiles += len(a)
	for len(a) > 0 || len(b) > 0 {
		switch order := orderOf(len(a), len(b), func() int { return strings.Compare(a[0].Name, b[0].Name) }); {
		case order < 0:
			c.LostFiles++
			a = a[1:]
		case order > 0:
			c.AddedFiles++
			b = b[1:]
		default:
			if a[0].Size != b[0].Size || a[0].Changed != b[0].Changed {
				c.Altered++
			}
			a, b = a[1:], b[1:]
		}
	}
}

// orderOf compares the heads of two lists; that of an empty list is last.
func orderOf(a, b int, compare func() int) int {
	switch {
	case a == 0:
		return 1
	case b == 0:
		return -1
	}
	return compare()
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
