package crawl

import (
	"sort"
	"strings"

	"github.com/waypost/waypost/control/registry"
)

// A state is what was found out about a file, or a directory itself.
type state uint8

const (
	unseen  state = iota // nothing was found out
	good                 // it is as on the master
	older                // metadata: an older version that is still live
	wrong                // it is there, and something else
	missing              // it is not there
	unsure               // it was looked at, and that told nothing
)

// bad reports whether a client that wants the file would be served badly.
func (s state) bad() bool { return s == wrong || s == missing }

// A pos is where a file stands in a tree: the positions of its directory and
// of itself in it.
type pos struct{ dir, file uint32 }

// A ledger keeps what is known of each file of a tree while a crawl runs: a
// byte for each. Bytes of different directories may be written by different
// goroutines.
type ledger struct {
	tree   *registry.Tree
	number []uint32 // of each directory, in listings
	first  []uint32 // the number of each directory's first file, and of one past the last
	files  []state  // by number
	dirs   []state  // of the directories themselves: unseen, good (seen), missing or unsure
	links  []bool   // it is a symbolic link on the host, or below one
	last   int      // the directory that was found last
	next   int      // the file there that is expected next
}

// newLedger returns an empty ledger of a tree.
func newLedger(t *registry.Tree, numbers []uint32) *ledger {
	l := &ledger{tree: t, number: numbers, first: make([]uint32, len(t.Directories)+1)}
	for d := range t.Directories {
		l.first[d+1] = l.first[d] + uint32(len(t.Directories[d].Files))
	}
	l.files = make([]state, l.first[len(t.Directories)])
	l.dirs = make([]state, len(t.Directories))
	l.links = make([]bool, len(t.Directories))
	return l
}

// in returns the states of a directory's files.
func (l *ledger) in(d int) []state { return l.files[l.first[d]:l.first[d+1]] }

// of returns the state of one file.
func (l *ledger) of(p pos) *state { return &l.files[l.first[p.dir]+p.file] }

// file returns what the master holds under a reference.
func (l *ledger) file(p pos) *registry.File {
	return &l.tree.Directories[p.dir].Files[p.file]
}

// ref returns what listings call a file.
func (l *ledger) ref(p pos) registry.FileRef {
	return registry.FileRef{Directory: l.number[p.dir], Name: l.file(p).Name}
}

// path returns a file's path below the category's top.
func (l *ledger) path(p pos) string {
	return join(l.tree.Directories[p.dir].Path, l.file(p).Name)
}

// join returns a path below the top, "" being the top itself.
func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// directory finds a directory of the tree. Listings come directory by
// directory, so that the last one is mostly the right one. It is for one
// goroutine.
func (l *ledger) directory(path string) (d int, ok bool) {
	dirs := l.tree.Directories
	if l.last < len(dirs) && dirs[l.last].Path == path {
		return l.last, true
	}
	d = sort.Search(len(dirs), func(i int) bool { return dirs[i].Path >= path })
	if d == len(dirs) || dirs[d].Path != path {
		return 0, false
	}
	l.last, l.next = d, 0
	return d, true
}

// find finds a file in the directory that [ledger.directory] found last.
func (l *ledger) find(name string) (f int, ok bool) {
	files := l.tree.Directories[l.last].Files
	if l.next < len(files) && files[l.next].Name == name {
		l.next++
		return l.next - 1, true
	}
	f = sort.Search(len(files), func(i int) bool { return files[i].Name >= name })
	if f == len(files) || files[f].Name != name {
		return 0, false
	}
	l.next = f + 1
	return f, true
}

// parent returns the directory above, which trees list too.
func (l *ledger) parent(d int) (p int, ok bool) {
	path := l.tree.Directories[d].Path
	if path == "" {
		return 0, false
	}
	above := path[:max(0, strings.LastIndexByte(path, '/'))]
	dirs := l.tree.Directories
	p = sort.Search(d, func(i int) bool { return dirs[i].Path >= above })
	return p, p < d && dirs[p].Path == above
}

// settle ends a listing of the whole tree. What was not seen is missing if the
// listing was whole. If parts of it could not be read, only what lies in a
// directory of which something was seen is: such a directory was read.
func (l *ledger) settle(whole bool) {
	read := make([]bool, len(l.dirs))
	for d := len(l.dirs) - 1; d >= 0; d-- {
		for _, s := range l.in(d) {
			read[d] = read[d] || s != unseen
		}
		if p, ok := l.parent(d); ok && l.dirs[d] == good {
			read[p] = true
		}
	}
	for d := range l.dirs {
		p, ok := l.parent(d)
		if l.dirs[d] == unseen && (whole || ok && read[p] || ok && l.dirs[p] == missing) {
			l.dirs[d] = missing
		}
		if l.dirs[d] == missing || l.dirs[d] == good && (whole || read[d]) {
			l.replace(d, unseen, missing)
		}
	}
}

// replace changes all files of a directory that are in one state to another.
func (l *ledger) replace(d int, from, to state) {
	in := l.in(d)
	for i, s := range in {
		if s == from {
			in[i] = to
		}
	}
}

// undecided reports whether something about a directory is still to be found out.
func (l *ledger) undecided(d int) bool {
	if l.dirs[d] == missing {
		return false
	}
	for _, s := range l.in(d) {
		if s == unseen || s == unsure {
			return true
		}
	}
	return len(l.in(d)) == 0 && l.dirs[d] != good
}
