// Package checksum reads files that say the hashes of other files: what
// sha256sum and its kin write in both styles, with or without a PGP signature
// around it; the Release files of Debian; and the repomd.xml of RPM
// repositories.
//
// It reads and believes nothing else: whether the files exist, whether their
// sizes agree and whether they are complete is for the caller to see. What is
// read is foreign: give [Parse] a reader with a limit. Functions are safe for
// concurrent use.
package checksum

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/waypost/waypost/control/scan/listing"
	"github.com/waypost/waypost/edge/snapshot"
)

// A Format is how a file says hashes.
type Format uint8

// The formats. None is that of files that say none.
const (
	None    Format = iota
	Lines          // HASH  FILE or KIND (FILE) = HASH, a line each
	Release        // of a Debian suite
	Repomd         // of an RPM repository
)

// A Sum is the hash of one file.
type Sum struct {
	// Path is the file's, below [Base] of the file that said it.
	Path string
	Kind snapshot.HashKind
	Hash []byte
	Size int64 // bytes; -1 if it was not said
}

// A List is what one file says.
type List struct {
	Sums []Sum

	// Skipped counts what could not be used: hashes of unknown kinds, lines
	// without sense, paths that leave the directory.
	Skipped int
}

// ErrIncomplete is wrapped by the errors of files that end too early.
var ErrIncomplete = errors.New("the file is incomplete")

// FormatOf returns the format of a file by its path: *-CHECKSUM and CHECKSUM;
// SHA256SUMS, SHA256SUM, sha256sum.txt, *.sha256sum and *.sha256, and the same
// for md5, sha1 and sha512; Release and InRelease; repodata/repomd.xml.
func FormatOf(file string) Format {
	dir, name := listing.Split(file)
	switch {
	case name == "repomd.xml" && path.Base(dir) == "repodata":
		return Repomd
	case name == "Release" || name == "InRelease":
		return Release
	case name == "CHECKSUM" || strings.HasSuffix(name, "-CHECKSUM"):
		return Lines
	}
	lower := strings.ToLower(name)
	if !strings.Contains(lower, "md5") && !strings.Contains(lower, "sha") { // nearly all files, which must cost little
		return None
	}
	for kind := range snapshot.HashKinds {
		k := kind.String()
		switch {
		case lower == k+"sum", lower == k+"sums", lower == k+"sum.txt", lower == k+"sums.txt",
			strings.HasSuffix(lower, "."+k+"sum"), strings.HasSuffix(lower, "."+k):
			return Lines
		}
	}
	return None
}

// Base returns the directory that the paths in a file are below: the file's
// own, but a repomd.xml's is the one above.
func Base(file string) string {
	dir, _ := listing.Split(file)
	if FormatOf(file) == Repomd {
		dir, _ = listing.Split(dir)
	}
	return dir
}

// Parse reads a file by its path's format. A file that is not whole (XML that
// is not closed, a PGP message without its end) is an error, and so is
// anything that r says; a file of lines needs no end mark.
func Parse(file string, r io.Reader) (List, error) {
	var l List
	var err error
	switch _, name := listing.Split(file); FormatOf(file) {
	case Repomd:
		l, err = parseRepomd(r)
	case Release:
		l, err = parseRelease(r)
	case Lines:
		l, err = parseLines(name, r)
	default:
		err = errors.New("want a file of checksums")
	}
	if err != nil {
		return List{}, fmt.Errorf("reading checksums of %s: %w", file, err)
	}
	return l, nil
}

// add adds a sum if its path and hash are good, else counts it.
func (l *List) add(file, hexHash string, kind snapshot.HashKind, size int64) {
	file = strings.TrimPrefix(file, "./")
	v := snapshot.Version{}
	if file == "" || hexHash == "" || listing.Flaw(file) != "" || v.SetHash(kind, hexHash) != nil {
		l.Skipped++
		return
	}
	l.Sums = append(l.Sums, Sum{Path: file, Kind: kind, Hash: v.Hashes[kind], Size: size})
}

// kindByName returns the kind of hash that a tag names: sha, SHA256, SHA2-256….
func kindByName(tag string) (kind snapshot.HashKind, ok bool) {
	switch strings.ToLower(tag) {
	case "md5", "md5sum":
		return snapshot.MD5, true
	case "sha", "sha1", "sha-1":
		return snapshot.SHA1, true
	case "sha256", "sha2-256":
		return snapshot.SHA256, true
	case "sha512", "sha2-512":
		return snapshot.SHA512, true
	}
	return 0, false
}

// kindByLength returns the kind of a hash of n hexadecimal digits.
func kindByLength(n int) (kind snapshot.HashKind, ok bool) {
	for kind = range snapshot.HashKinds {
		if n == 2*kind.Size() {
			return kind, true
		}
	}
	return 0, false
}
