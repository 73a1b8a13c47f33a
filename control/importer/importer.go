// Package importer turns what other systems know of a mirror network into
// objects, trees and listings of the registry:
//
//	MirrorManagerCache   mirrorlist_cache, as mirrorlist-servers read it
//	MirrorManagerDB      MirrorManager2's PostgreSQL database
//	Mirrorbits           what mirrorbits shows of its mirrors, and its database's fields
//	Catalog              a catalogue file
//
// Foreign bytes that cannot be read are an error that names the file, the line
// or row, and the field. What was read but has no place here is in
// [Result.Left], never dropped without a word. Publishing a result gives the
// answers that the other system gave, as far as Left does not say otherwise.
//
// Nothing here touches a store: the caller checks the objects, asks for numbers
// ([Result.Renumber]) and stores all. The functions keep no state; each result
// is its caller's own.
package importer

import (
	"fmt"
	"maps"
	"slices"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

// A Result is what an import found.
type Result struct {
	Objects  []registry.Object
	Trees    []*registry.Tree
	Listings []*registry.Listing

	// Paths are the directories of Trees by their whole paths. Listings speak of
	// them by their position here, until Renumber.
	Paths []string

	// Older are older versions of files by their whole paths, the newest first.
	Older map[string][]snapshot.Version

	// Left is what was left out or changed, with where it stood and why.
	Left snapshot.Problems
}

// Number returns the number of a path before Renumber: its position in Paths,
// which is sorted.
func (r *Result) Number(path string) (uint32, bool) {
	at, ok := slices.BinarySearch(r.Paths, path)
	return uint32(at), ok
}

// Renumber lets listings speak of directories by other numbers, those that the
// store gave to Paths, in their order. It must be called at most once.
func (r *Result) Renumber(numbers []uint32) error {
	if len(numbers) != len(r.Paths) {
		return fmt.Errorf("numbering imported directories: want %d numbers, got %d", len(r.Paths), len(numbers))
	}
	for _, l := range r.Listings {
		l.Holds, l.Unknown = renumbered(l.Holds, numbers), renumbered(l.Unknown, numbers)
		for i := range l.Lacks {
			l.Lacks[i].Directory = numbers[l.Lacks[i].Directory]
		}
		for i := range l.Older {
			l.Older[i].Directory = numbers[l.Older[i].Directory]
		}
	}
	return nil
}

func renumbered(set snapshot.Bitmap, numbers []uint32) (out snapshot.Bitmap) {
	for at, number := range numbers {
		if set.Has(uint32(at)) {
			out.Add(number)
		}
	}
	return out
}

// A collector collects a result.
type collector struct {
	Result

	file string            // its name, for Left
	seen map[string]bool   // names of objects that were added
	urls map[string]string // whose they are
	like map[string]int    // how many problems there were of a kind
}

// leftExamples is how many problems of a kind are in Left; of the others, only
// how many there are.
const leftExamples = 100

func newCollector(file string) *collector {
	return &collector{
		file: file, seen: map[string]bool{}, urls: map[string]string{}, like: map[string]int{},
		Result: Result{Older: map[string][]snapshot.Version{}},
	}
}

// left notes what was left out or changed.
func (c *collector) left(line int, key, format string, args ...any) {
	kind := format
	if line > 0 {
		kind = key + ": " + format // of a table's column
	}
	if c.like[kind]++; c.like[kind] > leftExamples {
		return
	}
	c.Left = append(c.Left, snapshot.Problem{File: c.file, Line: line, Key: key, Text: fmt.Sprintf(format, args...)})
}

// done returns the result: objects that others refer to come first.
func (c *collector) done() *Result {
	kinds := registry.Kinds()
	slices.SortStableFunc(c.Objects, func(x, y registry.Object) int {
		return slices.Index(kinds, x.Kind()) - slices.Index(kinds, y.Kind())
	})
	for _, kind := range slices.Sorted(maps.Keys(c.like)) {
		if more := c.like[kind] - leftExamples; more > 0 {
			c.Left = append(c.Left, snapshot.Problem{File: c.file, Text: fmt.Sprintf("%d more like %q", more, kind)})
		}
	}
	return &c.Result
}

// add adds an object unless something is wrong with it by itself or its name is
// taken, which is noted: what differs there may have one name here.
func (c *collector) add(line int, o registry.Object) bool {
	name, problems := registry.Name(o), o.Check()
	for _, p := range problems {
		c.left(line, name, "left out: %s: %s", p.Key, p.Text)
	}
	if len(problems) > 0 {
		return false
	}
	if c.seen[name] {
		c.left(line, name, "left out: it is there already")
		return false
	}
	c.seen[name] = true
	c.Objects = append(c.Objects, o)
	return true
}

// claim reports whether a URL is free, and takes it for an owner; a URL in the
// registry is that of one host only.
func (c *collector) claim(line int, owner, url string) bool {
	if other, taken := c.urls[url]; taken && other != owner {
		c.left(line, owner, "URL %q left out: it is that of %s already", url, other)
		return false
	}
	c.urls[url] = owner
	return true
}
