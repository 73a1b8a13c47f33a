package publish

import (
	"bytes"
	"cmp"
	"path"
	"slices"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

// addDirectories lists the directories of all trees, and the tops of
// categories that were not scanned.
func (b *builder) addDirectories() {
	for i, c := range b.categories {
		b.position[c.Name] = map[uint32]uint32{}
		t := b.tree(c.Name)
		if t == nil {
			t = &registry.Tree{Directories: []registry.Directory{{Readable: true}}}
		}
		for _, d := range t.Directories {
			b.addDirectory(uint32(i), c, d, b.tree(c.Name) != nil && !d.Partial)
		}
	}
	slices.SortStableFunc(b.entries, func(x, y entry) int { return cmp.Compare(x.Path, y.Path) })
	b.entries = slices.CompactFunc(b.entries, func(x, y entry) bool { return x.Path == y.Path })
	for at, e := range b.entries {
		b.position[b.categories[e.Category].Name][e.Number] = uint32(at)
		b.snap.Directories = append(b.snap.Directories, e.Directory)
	}
}

// addDirectory lists a directory unless the world may not read it: then only
// a release can say that it is to be there, once its embargo is lifted.
func (b *builder) addDirectory(category uint32, c *registry.Category, d registry.Directory, complete bool) {
	whole := path.Join(c.Path, d.Path)
	if !d.Readable && !b.announced(whole) {
		return
	}
	number, ok := b.in.Number(whole)
	if !ok {
		b.note("directory %s has no number", whole)
		return
	}
	b.entries = append(b.entries, entry{
		Directory: snapshot.Directory{Path: whole, Number: number, Category: category, Complete: complete},
		files:     d.Files,
	})
}

// announced reports whether a release names the path or one above it.
func (b *builder) announced(whole string) bool {
	return slices.ContainsFunc(b.released, func(p string) bool { return registry.Below(whole, p) })
}

// addFiles lists what is known of files: those of scanned trees, each with
// older versions that mirrors may still hold, and the hosts that lack it.
func (b *builder) addFiles() {
	var files snapshot.FileBuilder
	for at, e := range b.entries {
		for _, f := range e.files {
			lacking := b.lacking[registry.FileRef{Directory: e.Number, Name: f.Name}]
			files.Add(uint32(at), f.Name, b.versions(e.Path, f), lacking)
		}
	}
	b.snap.Files = files.Build(len(b.entries))
}

// versions returns a file's current version and the older ones. One whose hash
// is withheld, as it may be incomplete yet, does not come before those that are
// known: clients go on with the last good one.
func (b *builder) versions(dir string, f registry.File) []snapshot.Version {
	versions := []snapshot.Version{f.Version()}
	if b.in.Older == nil {
		return versions
	}
	current := versions[0].Hashes[snapshot.SHA256]
	older := b.in.Older(path.Join(dir, f.Name))
	if f.Hashes == nil && len(older) > 0 {
		return older
	}
	for _, v := range older {
		if sum := v.Hashes[snapshot.SHA256]; current == nil || !bytes.Equal(sum, current) {
			versions = append(versions, v)
		}
	}
	return versions
}
