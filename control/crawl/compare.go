package crawl

import (
	"bytes"
	"crypto/md5"  //nolint:gosec // what the tree has; an old master knows no better
	"crypto/sha1" //nolint:gosec // what the tree has; an old master knows no better
	"crypto/sha256"
	"crypto/sha512"
	"path"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

// A sight is what a protocol told of a file.
type sight struct {
	size      int64         // -1: not told
	mtime     int64         // Unix seconds; 0: not told
	precision time.Duration // of mtime
	body      []byte        // the whole content, nil if it was not fetched
}

// A comparison says what counts as equal.
type comparison struct {
	metadata bool // its content changes under one name: equal size proves nothing
	strict   bool // a different time is a different file
	older    []snapshot.Version
}

// judge compares a sight with what the master holds. If it is an older
// version, which is its index.
func (c comparison) judge(f *registry.File, s sight) (is state, which int) {
	v := f.Version()
	current := &v
	switch equal, known := same(current, s); {
	case known && equal:
		return good, 0
	case known:
		return c.orOlder(s, wrong)
	case s.size < 0 || current.Size < 0:
		return unsure, 0
	case s.size != current.Size:
		return c.orOlder(s, wrong)
	case sameTime(current, s):
		return good, 0
	}
	switch timed := s.mtime != 0 && current.MTime != 0; {
	case timed && c.strict:
		return c.orOlder(s, wrong)
	case c.metadata:
		return c.orOlder(s, unsure)
	}
	return good, 0 // many mirrors do not keep times; packages do not change under their names
}

// orOlder returns older if s is a version that is still live, otherwise what
// it was called. Only metadata has older versions.
func (c comparison) orOlder(s sight, otherwise state) (is state, which int) {
	for i := range c.older {
		v := &c.older[i]
		equal, known := same(v, s)
		if !known {
			equal = s.size >= 0 && s.size == v.Size && sameTime(v, s)
		}
		if equal {
			return older, i
		}
	}
	return otherwise, -1
}

// sameTime reports whether times are known and equal as far as they are told.
func sameTime(v *snapshot.Version, s sight) bool {
	if s.mtime == 0 || v.MTime == 0 {
		return false
	}
	diff, step := v.MTime-s.mtime, max(1, int64(s.precision/time.Second))
	return diff > -step && diff < step
}

// same compares content by the strongest hash that is known; known is false
// without content or hash.
func same(v *snapshot.Version, s sight) (is, known bool) {
	if s.body == nil {
		return false, false
	}
	for k := snapshot.HashKinds; k > 0; k-- {
		if want := v.Hashes[k-1]; len(want) > 0 {
			return bytes.Equal(hash(k-1, s.body), want), true
		}
	}
	return false, false
}

// hashed reports whether any hash of a file is known.
func hashed(f *registry.File) bool {
	if f.Hashes == nil {
		return false
	}
	for _, h := range f.Hashes {
		if len(h) > 0 {
			return true
		}
	}
	return false
}

// hash returns a hash of b.
func hash(k snapshot.HashKind, b []byte) []byte {
	switch k {
	case snapshot.MD5:
		h := md5.Sum(b) //nolint:gosec // as above
		return h[:]
	case snapshot.SHA1:
		h := sha1.Sum(b) //nolint:gosec // as above
		return h[:]
	case snapshot.SHA256:
		h := sha256.Sum256(b)
		return h[:]
	}
	h := sha512.Sum512(b)
	return h[:]
}

// IsMetadata reports whether a file is one whose content changes under its
// name and that leads to others: the heads of RPM, Debian, Arch and Alpine
// repositories, and lists of hashes.
func IsMetadata(dir, name string) bool {
	switch name {
	case "repomd.xml", "repomd.xml.asc":
		return path.Base(dir) == "repodata"
	case "Release", "InRelease", "Release.gpg", "APKINDEX.tar.gz", "SHA256SUMS", "SHA512SUMS", ".treeinfo", "treeinfo":
		return true
	}
	return strings.HasSuffix(name, ".db") || strings.HasSuffix(name, "-CHECKSUM")
}

// looksHTML reports whether content begins as a page does.
func looksHTML(b []byte) bool {
	b = bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\ufeff"))))
	return bytes.HasPrefix(b, []byte("<!doctype html")) || bytes.HasPrefix(b, []byte("<html"))
}

// namedHTML reports whether a file may well be a page.
func namedHTML(name string) bool {
	switch path.Ext(strings.ToLower(name)) {
	case ".html", ".htm", ".xhtml", ".shtml":
		return true
	}
	return false
}
