package snapshot

import (
	"bytes"
	"fmt"
	"math"
	"slices"
)

// A FileAppender makes [Files] out of what comes in their order: directory by
// directory, in each the files by name, of each file its versions. It writes
// straight into the columns, so that ten million files cost no more than they
// take. The zero value is ready. It is for one goroutine.
type FileAppender struct {
	f     Files
	dirs  uint32 // directories so far
	fresh bool   // the directory has no file yet
}

// Grow makes room for n more files, with a version each.
func (a *FileAppender) Grow(n int) {
	a.f.nameEnd, a.f.version = slices.Grow(a.f.nameEnd, n), slices.Grow(a.f.version, n+1)
	a.f.size, a.f.mtime = slices.Grow(a.f.size, n), slices.Grow(a.f.mtime, n)
	a.f.kinds, a.f.sum = slices.Grow(a.f.kinds, n), slices.Grow(a.f.sum, n)
}

// Directory begins directory dir; those that were left out have no files. Dirs
// must ascend.
func (a *FileAppender) Directory(dir uint32) error {
	if dir < a.dirs {
		return fmt.Errorf("directory %d comes after directory %d", dir, a.dirs-1)
	}
	a.skipTo(dir + 1)
	a.fresh = true
	return nil
}

func (a *FileAppender) skipTo(dirs uint32) {
	for a.dirs < dirs {
		a.f.first = append(a.f.first, uint32(a.f.Len()))
		a.dirs++
	}
}

// File begins a file of the directory. Names must ascend.
func (a *FileAppender) File(name []byte) error {
	f := &a.f
	if !a.fresh && bytes.Compare(f.Name(uint32(f.Len()-1)), name) >= 0 {
		return fmt.Errorf("file %q comes after file %q", name, f.Name(uint32(f.Len()-1)))
	}
	if len(f.names)+len(name) > math.MaxUint32 {
		return fmt.Errorf("the names of all files take more than 4 GiB")
	}
	a.fresh = false
	f.names = append(f.names, name...)
	f.nameEnd = append(f.nameEnd, uint32(len(f.names)))
	f.version = append(f.version, uint32(len(f.size)))
	return nil
}

// Version adds a version of the file. Kinds has bit 1<<[HashKind] for each
// hash, and sums has those hashes, one after the other in the order of their
// kinds.
func (a *FileAppender) Version(size, mtime int64, kinds uint8, sums []byte) error {
	f := &a.f
	if want := SumSize(kinds); len(sums) != want {
		return fmt.Errorf("hashes of kinds %#x have %d bytes, want %d", kinds, len(sums), want)
	}
	if len(f.sums)+len(sums) > math.MaxUint32 {
		return fmt.Errorf("the hashes of all files take more than 4 GiB")
	}
	f.size, f.mtime = append(f.size, size), append(f.mtime, mtime)
	f.kinds, f.sum = append(f.kinds, kinds), append(f.sum, uint32(len(f.sums)))
	f.sums = append(f.sums, sums...)
	return nil
}

// Copy adds directory dir with all files that from has in its directory of the
// number fromDir.
func (a *FileAppender) Copy(dir uint32, from *Files, fromDir uint32) error {
	if err := a.Directory(dir); err != nil {
		return err
	}
	for file, end := from.In(fromDir); file < end; file++ {
		if err := a.File(from.Name(file)); err != nil {
			return err
		}
		v, last := from.Versions(file)
		for ; v < last; v++ {
			if err := a.Version(from.size[v], from.mtime[v], from.kinds[v], from.Sums(v)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Files returns the files of dirs directories. The appender must not be used
// afterwards.
func (a *FileAppender) Files(dirs int) Files {
	f := a.f
	a.skipTo(uint32(dirs))
	f.first = append(a.f.first, uint32(f.Len()))
	f.version = append(f.version, uint32(len(f.size)))
	f.names, f.sums = slices.Clip(f.names), slices.Clip(f.sums)
	f.lacks = map[uint32][]uint32{}
	return f
}

// Kinds returns which hashes of a version are known: bit 1<<[HashKind] for each.
func (f *Files) Kinds(version uint32) uint8 { return f.kinds[version] }

// Sums returns all known hashes of a version, one after the other in the order
// of their kinds. The slice is part of f: do not change it.
func (f *Files) Sums(version uint32) []byte {
	at := f.sum[version]
	return f.sums[at : at+uint32(SumSize(f.kinds[version]))]
}

// SumSize returns the length in bytes of all hashes of the kinds together.
func SumSize(kinds uint8) int {
	n := 0
	for k := range HashKinds {
		n += int(kinds>>k&1) * k.Size()
	}
	return n
}
