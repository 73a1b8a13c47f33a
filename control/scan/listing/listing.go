// Package listing reads lists of files that others wrote: what
// `rsync --list-only` prints, and the full file lists that quick-fedora-mirror
// makes. Both give [Entry] values, one call a file, so that ten million files
// need no memory here. [Rsync] runs the program.
//
// What is read is foreign. Names come as they were listed: ask [Flaw] before
// using one. Functions are safe for concurrent use.
package listing

import (
	"strings"
	"unicode/utf8"
)

// A Kind is a kind of entry.
type Kind uint8

// The kinds. Other is a device, a socket or a pipe.
const (
	Other Kind = iota
	File
	Dir
	Link
)

// An Entry is one line of a list.
type Entry struct {
	// Path is below the top of the list, with slashes; "" is the top itself.
	Path string

	// Target is where a Link points, as it was written; "" if the list does
	// not say.
	Target string

	Kind Kind

	// Readable reports whether its own permissions let all the world read it
	// (and enter it, a directory); those of its parents are not looked at.
	Readable bool

	// Size is in bytes.
	Size int64

	// MTime is in Unix seconds. In a full file list it is the later of the
	// times of change of content and of inode.
	MTime int64
}

// maxPath is the longest path that is of use: longer ones fit in no database's
// index (control/store numbers directories) and are cut off by some clients.
const maxPath = 1536

// Flaw returns why a path must not be used: it leaves the tree, could not be
// in a URL or in a line of text, or is no clean relative path. It returns ""
// for a good one; "" itself, the top, is good.
func Flaw(path string) string {
	switch {
	case path == "":
		return ""
	case len(path) > maxPath:
		return "name too long"
	case !utf8.ValidString(path):
		return "name not UTF-8"
	}
	for i := range len(path) {
		if path[i] < ' ' || path[i] == 0x7f {
			return "control character in name"
		}
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." {
			return "empty, . or .. in path"
		}
	}
	return ""
}

// Split returns the directory and the name of a path.
func Split(path string) (dir, name string) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

// Join is the reverse of [Split].
func Join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
