package snapshot

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// A HashKind is a kind of file hash.
type HashKind uint8

// The kinds, in the order metalinks list them.
const (
	MD5 HashKind = iota
	SHA1
	SHA256
	SHA512
	HashKinds // how many there are
)

// Size returns the length of a hash in bytes.
func (k HashKind) Size() int { return [...]int{16, 20, 32, 64}[k] }

// String returns the name MirrorManager's metalinks use: md5, sha1, sha256, sha512.
func (k HashKind) String() string { return [...]string{"md5", "sha1", "sha256", "sha512"}[k] }

// A Version is what is known of one version of a file. The zero value says
// nothing. Unknown numbers are 0 for MTime and -1 for Size.
type Version struct {
	Size   int64 // bytes; -1 if unknown
	MTime  int64 // Unix seconds; 0 if unknown
	Hashes [HashKinds][]byte
}

// SetHash sets a hash from its hexadecimal form; "" leaves it unknown.
func (v *Version) SetHash(k HashKind, text string) error {
	if text == "" {
		return nil
	}
	b, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(b) != k.Size() {
		return fmt.Errorf("%s: want %d hexadecimal digits, got %q", k, 2*k.Size(), text)
	}
	v.Hashes[k] = b
	return nil
}

// Files is what is known of single files, in columns: ten million of them
// cost no pointer each. The zero value holds no files. Make one with a
// [FileBuilder]; it is immutable afterwards.
type Files struct {
	first   []uint32 // by directory: its first file; one more at the end
	nameEnd []uint32 // by file: where its name ends in names
	names   []byte
	version []uint32 // by file: its first version; one more at the end
	size    []int64  // by version
	mtime   []int64
	kinds   []uint8  // by version: bit 1<<HashKind for each known hash
	sum     []uint32 // by version: where its hashes start in sums
	sums    []byte
	lacks   map[uint32][]uint32 // by file: hosts whose directory holds it, but not this file
	older   map[uint32][]Holder // by file: those of them that hold an older version
}

// A Holder is a host that holds an older version of a file instead of the
// current one. Clients of a metalink that names that version as an alternate
// can use it; all others must not be sent there.
type Holder struct {
	Host    uint32
	Version uint32 // one of [Files.Versions], but not the first
}

// Len returns the number of files.
func (f *Files) Len() int { return len(f.nameEnd) }

// In returns the numbers of dir's files as a half-open range; they are sorted by name.
func (f *Files) In(dir uint32) (from, to uint32) {
	if int(dir)+1 >= len(f.first) {
		return 0, 0
	}
	return f.first[dir], f.first[dir+1]
}

// Name returns a file's name. The slice is part of f: do not change it.
func (f *Files) Name(file uint32) []byte {
	from := uint32(0)
	if file > 0 {
		from = f.nameEnd[file-1]
	}
	return f.names[from:f.nameEnd[file]]
}

// Find looks a name up in dir by binary search, without allocating.
func (f *Files) Find(dir uint32, name []byte) (file uint32, ok bool) {
	from, to := f.In(dir)
	end := to
	for from < to {
		mid := (from + to) / 2
		if string(f.Name(mid)) < string(name) {
			from = mid + 1
		} else {
			to = mid
		}
	}
	return from, from < end && string(f.Name(from)) == string(name)
}

// Versions returns the numbers of a file's versions as a half-open range; the
// first is the current one, the others are older ones that mirrors may still
// hold. A file may have none.
func (f *Files) Versions(file uint32) (from, to uint32) { return f.version[file], f.version[file+1] }

// Size returns a version's size in bytes, -1 if unknown.
func (f *Files) Size(version uint32) int64 { return f.size[version] }

// MTime returns a version's time of change in Unix seconds, 0 if unknown.
func (f *Files) MTime(version uint32) int64 { return f.mtime[version] }

// Hash returns a version's hash, nil if unknown. The slice is part of f: do not change it.
func (f *Files) Hash(version uint32, k HashKind) []byte {
	if f.kinds[version]>>k&1 == 0 {
		return nil
	}
	at := f.sum[version]
	for i := range k {
		if f.kinds[version]>>i&1 != 0 {
			at += uint32(i.Size())
		}
	}
	return f.sums[at : at+uint32(k.Size())]
}

// Lacks returns the hosts that hold the file's directory but not the current
// version of the file.
func (f *Files) Lacks(file uint32) []uint32 { return f.lacks[file] }

// Holes returns all files that some host lacks, and those hosts. Do not change it.
func (f *Files) Holes() map[uint32][]uint32 { return f.lacks }

// WithHoles returns the same files with other hosts that lack some of them, by
// file. It shares all columns with f.
func (f *Files) WithHoles(lacks map[uint32][]uint32) Files {
	next := *f
	next.lacks = lacks
	return next
}

// Older returns those of the hosts of [Files.Lacks] that hold an older version
// that is still live. Only metadata has any.
func (f *Files) Older(file uint32) []Holder { return f.older[file] }

// AllOlder returns all files that have such hosts, and those. Do not change it.
func (f *Files) AllOlder() map[uint32][]Holder { return f.older }

// WithOlder returns the same files with other hosts that hold an older version
// of some of them, by file. Each must be among those that lack the file, once.
// It shares all columns with f.
func (f *Files) WithOlder(older map[uint32][]Holder) Files {
	next := *f
	next.older = older
	return next
}

// OlderVersion returns which of a file's older versions has the SHA-256 sum.
func (f *Files) OlderVersion(file uint32, sum []byte) (version uint32, ok bool) {
	v, to := f.Versions(file)
	for v++; v < to; v++ {
		if h := f.Hash(v, SHA256); h != nil && bytes.Equal(h, sum) {
			return v, true
		}
	}
	return 0, false
}

// Shares reports whether f and g have the same columns: one came from the other
// by [Files.WithHoles] or [Files.WithOlder], or both from a third.
func (f *Files) Shares(g *Files) bool {
	return len(f.version) > 0 && len(f.version) == len(g.version) && &f.version[0] == &g.version[0]
}

// A FileBuilder collects files in any order. The zero value is ready. It is
// for one goroutine.
type FileBuilder struct {
	files []builtFile
}

type builtFile struct {
	dir      uint32
	name     string
	versions []Version
	lacks    []uint32
}

// Add adds a file with its versions, the current one first, and the hosts
// that lack it. Where a file is added twice, the later versions become
// alternates of the first.
func (b *FileBuilder) Add(dir uint32, name string, versions []Version, lacks []uint32) {
	b.files = append(b.files, builtFile{dir, name, versions, lacks})
}

// Build returns the files of dirs directories, sorted.
func (b *FileBuilder) Build(dirs int) Files {
	slices.SortStableFunc(b.files, func(x, y builtFile) int {
		return cmp.Or(cmp.Compare(x.dir, y.dir), strings.Compare(x.name, y.name))
	})
	f := Files{first: make([]uint32, 0, dirs+1), lacks: map[uint32][]uint32{}}
	for i := range b.files {
		f.add(b.files, i)
	}
	for len(f.first) <= dirs {
		f.first = append(f.first, uint32(f.Len()))
	}
	f.version = append(f.version, uint32(len(f.size)))
	f.names, f.sums = slices.Clip(f.names), slices.Clip(f.sums)
	return f
}

// add appends files[i], which continues the file before it if both have the same name.
func (f *Files) add(files []builtFile, i int) {
	next := &files[i]
	again := i > 0 && files[i-1].dir == next.dir && files[i-1].name == next.name
	if !again {
		for len(f.first) <= int(next.dir) {
			f.first = append(f.first, uint32(f.Len()))
		}
		f.names = append(f.names, next.name...)
		f.nameEnd = append(f.nameEnd, uint32(len(f.names)))
		f.version = append(f.version, uint32(len(f.size)))
	}
	for _, v := range next.versions {
		f.addVersion(v)
	}
	if len(next.lacks) > 0 {
		file := uint32(f.Len() - 1)
		f.lacks[file] = append(f.lacks[file], next.lacks...)
	}
}

func (f *Files) addVersion(v Version) {
	f.size = append(f.size, v.Size)
	f.mtime = append(f.mtime, v.MTime)
	f.sum = append(f.sum, uint32(len(f.sums)))
	kinds := uint8(0)
	for k, h := range v.Hashes {
		if len(h) > 0 {
			kinds |= 1 << k
			f.sums = append(f.sums, h...)
		}
	}
	f.kinds = append(f.kinds, kinds)
}
