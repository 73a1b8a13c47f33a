package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waypost/waypost/edge/snapshot"
)

// addFiles lists the directories of files.
func (b *builder) addFiles() {
	b.files, b.holes = map[string]int{}, map[int][]uint32{}
	for i := range b.in.Files {
		f := &b.in.Files[i]
		key := fmt.Sprintf("files[%d].path", i)
		b.require(key, "a path")
		if !f.Path.given {
			continue
		}
		path := f.Path.text
		b.unique(b.files, path, "files", i, "path")
		if path == "" || b.tree.add(parent(path)) == nil {
			b.doc.Problem(key, "%q is below no category's path", path)
		}
	}
}

// checkFiles finds files that are directories, too.
func (b *builder) checkFiles() {
	for i := range b.in.Files {
		path := b.in.Files[i].Path.text
		_, isTop := b.tree.tops[path]
		if path != "" && (isTop || b.tree.dirs[path] != nil) {
			b.doc.Problem(fmt.Sprintf("files[%d].path", i), "%q is a directory elsewhere in this file", path)
		}
	}
}

// placeFiles files everything known of files under their directories.
func (b *builder) placeFiles() {
	var files snapshot.FileBuilder
	for i := range b.in.Files {
		f := &b.in.Files[i]
		at := fmt.Sprintf("files[%d]", i)
		current := f.current()
		var versions []snapshot.Version
		if current != (Version{}) || len(f.Alternates) > 0 {
			versions = append(versions, b.version(&current, at))
		}
		for j := range f.Alternates {
			key := fmt.Sprintf("%s.alternates[%d]", at, j)
			if f.Alternates[j] == (Version{}) {
				b.doc.Problem(key, "want a size, an mtime or a hash")
			}
			versions = append(versions, b.version(&f.Alternates[j], key))
		}
		path := f.Path.text
		dir, ok := slices.BinarySearchFunc(b.snap.Directories, parent(path),
			func(d snapshot.Directory, path string) int { return strings.Compare(d.Path, path) })
		if ok && f.Path.given {
			slices.Sort(b.holes[i])
			files.Add(uint32(dir), path[strings.LastIndexByte(path, '/')+1:], versions, b.holes[i])
		}
	}
	b.snap.Files = files.Build(len(b.snap.Directories))
}

func (b *builder) version(in *Version, at string) snapshot.Version {
	v := snapshot.Version{Size: -1}
	if in.Size != nil {
		v.Size = *in.Size
		if v.Size < 0 {
			b.doc.Problem(at+".size", "want a number of bytes, got %d", v.Size)
		}
	}
	if in.MTime != nil {
		v.MTime = in.MTime.Unix()
	}
	for kind, text := range in.hashes() {
		if text == nil {
			continue
		}
		k := snapshot.HashKind(kind)
		if err := v.SetHash(k, *text); err != nil || *text == "" {
			b.doc.Problem(at+"."+k.String(), "want %d hexadecimal digits, got %q", 2*k.Size(), *text)
		}
	}
	return v
}
