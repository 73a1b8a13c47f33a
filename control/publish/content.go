package publish

import (
	"bytes"
	"cmp"
	"fmt"
	"math/bits"
	"path"
	"slices"
	"strings"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

// A Content is the part of a snapshot that hosts have nothing to do with: the
// directories and files of all trees. It stays true while categories, releases,
// trees and older versions are the same, and is what publishing spends most of
// its time and memory on: 100 bytes a file. It is immutable.
type Content struct {
	directories []snapshot.Directory
	files       snapshot.Files
	position    []uint32          // by number: 1 above the position of the directory; 0: not there
	numbers     []snapshot.Bitmap // by category: the numbers of its directories
	enumerated  []bool            // by category: all its directories are known
	notes       []string
}

// NewContent makes the content of in; Content and Listings there do not matter.
func NewContent(in Inputs) *Content {
	c := &collector{in: in, content: &Content{}}
	for _, r := range registry.All[*registry.Release](in.World) {
		c.released = append(c.released, r.Paths...)
	}
	c.addDirectories()
	c.addFiles()
	return c.content
}

// add adds the positions of a category's directories whose numbers are in
// holds, and not in unknown, to has.
func (c *Content) add(has *snapshot.Bitmap, category int, holds, unknown snapshot.Bitmap) {
	if *has == nil {
		*has = make(snapshot.Bitmap, (len(c.directories)+63)/64)
	}
	mine := c.numbers[category]
	for i, word := range holds[:min(len(holds), len(mine))] {
		word &= mine[i]
		if i < len(unknown) {
			word &^= unknown[i]
		}
		for ; word != 0; word &= word - 1 {
			at := c.position[i*64+bits.TrailingZeros64(word)] - 1
			(*has)[at/64] |= 1 << (at % 64)
		}
	}
}

// find returns a file by the number of its directory and its name.
func (c *Content) find(f registry.FileRef) (file uint32, ok bool) {
	if int(f.Directory) >= len(c.position) || c.position[f.Directory] == 0 {
		return 0, false
	}
	return c.files.Find(c.position[f.Directory]-1, []byte(f.Name))
}

// An entry is a directory of the snapshot and where it comes from.
type entry struct {
	snapshot.Directory

	tree, dir int // positions; tree -1: of no tree
}

// A collector makes one content.
type collector struct {
	in       Inputs
	content  *Content
	released []string // paths of releases
	entries  []entry  // beside content.directories

	versions []snapshot.Version // of the file at hand
	sums     []byte             // of the version at hand
}

func (c *collector) note(format string, args ...any) {
	c.content.notes = append(c.content.notes, fmt.Sprintf(format, args...))
}

// addDirectories lists the directories of all trees, and the tops of
// categories that were not scanned. Where two categories have one, it is that of
// the first.
func (c *collector) addDirectories() {
	categories := registry.All[*registry.Category](c.in.World)
	for i, category := range categories {
		tree := c.in.tree(category.Name)
		if tree < 0 {
			c.addDirectory(snapshot.Directory{Path: category.Path, Category: uint32(i)}, true, -1, 0)
			continue
		}
		for dir, d := range c.in.Trees[tree].Directories {
			out := snapshot.Directory{Path: path.Join(category.Path, d.Path), Category: uint32(i), Complete: !d.Partial}
			c.addDirectory(out, d.Readable, tree, dir)
		}
	}
	slices.SortStableFunc(c.entries, func(x, y entry) int { return cmp.Compare(x.Path, y.Path) })
	c.entries = slices.CompactFunc(c.entries, func(x, y entry) bool { return x.Path == y.Path })
	c.content.directories = make([]snapshot.Directory, len(c.entries))
	c.content.numbers, c.content.enumerated = make([]snapshot.Bitmap, len(categories)), make([]bool, len(categories))
	for i, category := range categories {
		tree := c.in.tree(category.Name)
		c.content.enumerated[i] = tree >= 0 && !c.in.Trees[tree].Partial
	}
	for at, e := range c.entries {
		c.content.directories[at] = e.Directory
		if n := int(e.Number) + 1 - len(c.content.position); n > 0 {
			c.content.position = append(c.content.position, make([]uint32, n)...)
		}
		c.content.position[e.Number] = uint32(at) + 1
		c.content.numbers[e.Category].Add(e.Number)
	}
}

// addDirectory lists a directory unless the world may not read it: then only
// a release can say that it is to be there, once its embargo is lifted.
func (c *collector) addDirectory(d snapshot.Directory, readable bool, tree, dir int) {
	if !readable && !c.announced(d.Path) {
		return
	}
	var ok bool
	if d.Number, ok = c.in.Number(d.Path); !ok {
		c.note("directory %s has no number", d.Path)
		return
	}
	c.entries = append(c.entries, entry{d, tree, dir})
}

// announced reports whether a release names the path or one above it.
func (c *collector) announced(whole string) bool {
	return slices.ContainsFunc(c.released, func(p string) bool { return registry.Below(whole, p) })
}

// addFiles lists what is known of files: those of scanned trees, each with
// older versions that mirrors may still hold.
func (c *collector) addFiles() {
	var files snapshot.FileAppender
	for at, e := range c.entries {
		if e.tree < 0 {
			continue
		}
		if err := c.addFilesOf(&files, uint32(at), e); err != nil {
			c.note("files of %s: %v", e.Path, err)
		}
	}
	c.content.files = files.Files(len(c.entries))
}

func (c *collector) addFilesOf(to *snapshot.FileAppender, at uint32, e entry) error {
	files := inOrder(c.filesOf(e))
	if len(files) == 0 {
		return nil
	}
	if err := to.Directory(at); err != nil {
		return err
	}
	for i := range files {
		if err := to.File([]byte(files[i].Name)); err != nil {
			return err
		}
		c.versions = c.versions[:0]
		c.addVersions(e.Path, &files[i])
		for _, v := range c.versions {
			if err := c.addVersion(to, v); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *collector) addVersion(to *snapshot.FileAppender, v snapshot.Version) error {
	var kinds uint8
	c.sums = c.sums[:0]
	for k, sum := range v.Hashes {
		if len(sum) > 0 {
			kinds |= 1 << k
			c.sums = append(c.sums, sum...)
		}
	}
	return to.Version(v.Size, v.MTime, kinds, c.sums)
}

// inOrder returns files by their names, each name once.
func inOrder(files []registry.File) []registry.File {
	byName := func(x, y registry.File) int { return strings.Compare(x.Name, y.Name) }
	if !slices.IsSortedFunc(files, byName) {
		files = slices.Clone(files)
		slices.SortStableFunc(files, byName)
	}
	for i := 1; i < len(files); i++ {
		if files[i].Name == files[i-1].Name {
			return slices.CompactFunc(slices.Clone(files), func(x, y registry.File) bool { return x.Name == y.Name })
		}
	}
	return files
}

// filesOf returns the files of a directory.
func (c *collector) filesOf(e entry) []registry.File {
	if c.in.Files != nil {
		return c.in.Files(e.tree, e.dir)
	}
	return c.in.Trees[e.tree].Directories[e.dir].Files
}

// addVersions adds a file's current version and the older ones to versions. One
// whose hash is withheld, as it may be incomplete yet, does not come before those
// that are known: clients go on with the last good one. A file of which nothing
// is known but its name has no version.
func (c *collector) addVersions(dir string, f *registry.File) {
	var older []snapshot.Version
	if c.in.Older != nil {
		older = c.in.Older(path.Join(dir, f.Name))
	}
	known := f.Size >= 0 || f.Changed > 0 || f.Hashes != nil
	if f.Hashes != nil || len(older) == 0 && known {
		c.versions = append(c.versions, f.Version())
	}
	for _, v := range older {
		if sum := v.Hashes[snapshot.SHA256]; f.Hashes == nil || !bytes.Equal(sum, f.Hashes[snapshot.SHA256]) {
			c.versions = append(c.versions, v)
		}
	}
}
