package registry

import (
	"time"

	"github.com/waypost/waypost/edge/snapshot"
)

// A Tree is what a master holds of one category: what a scan gives and
// publishing needs. Directories are sorted by path, files by name.
type Tree struct {
	Category    string
	Scanned     time.Time
	Directories []Directory

	// Partial means that there are more directories than these: an import knew
	// no others, and no scan was there yet.
	Partial bool
}

// A Directory is a directory of a tree. Readable tells whether all the world
// may read it: on a master, what is under embargo is not.
type Directory struct {
	Path     string // below the category's top directory; "" is the top itself
	Changed  int64  // Unix seconds
	Readable bool
	Partial  bool // there may be more files than these, as in a partial tree
	Files    []File
}

// A File is a file of a tree. Two million of them are in memory at a time, so
// that what few files have stands behind a pointer: 40 bytes and the name.
type File struct {
	Name    string
	Size    int64 // bytes; -1 if unknown
	Changed int64 // Unix seconds; 0 if unknown

	// Hashes are those that are known; nil: none.
	Hashes *Hashes
}

// Hashes are the hashes of a file by their kind; nil where one is unknown.
type Hashes [snapshot.HashKinds][]byte

// Version returns what is known of the file, as snapshots have it.
func (f File) Version() snapshot.Version {
	v := snapshot.Version{Size: f.Size, MTime: f.Changed}
	if f.Hashes != nil {
		v.Hashes = *f.Hashes
	}
	return v
}

// A Listing is what a host was seen to hold of one category. It speaks of
// directories by the numbers that the store assigns once to every path, and so
// stays true when the master's tree changes.
type Listing struct {
	Host     string // key
	Category string
	Seen     time.Time

	// Holds are the directories that the host holds as the master does; Unknown
	// are those of which that could not be told.
	Holds   snapshot.Bitmap
	Unknown snapshot.Bitmap

	// Lacks are files missing from, or wrong in, directories that count as held.
	Lacks []FileRef

	// Older are files of which the host holds an older version than the master.
	Older []OlderFile
}

// A FileRef names a file by the number of its directory and its name.
type FileRef struct {
	Directory uint32
	Name      string
}

// An OlderFile is a file in an older version, which its SHA-256 tells.
type OlderFile struct {
	FileRef

	SHA256 [32]byte
}
