package wire

import (
	"strings"

	"github.com/waypost/waypost/edge/snapshot"
)

// packDirectories packs directories in columns: paths by what they share with
// the path before, numbers by their distance from the number before.
func packDirectories(p *packer, dirs []snapshot.Directory) {
	var paths, numbers, categories, flags packer
	last, number := "", int64(-1)
	for i := range dirs {
		d := &dirs[i]
		n := shared(last, d.Path)
		paths.uint(uint64(n))
		paths.text(d.Path[n:])
		numbers.int(int64(d.Number) - number - 1)
		categories.uint(uint64(d.Category))
		flags.flags(d.Complete)
		last, number = d.Path, int64(d.Number)
	}
	p.uint(uint64(len(dirs)))
	for _, c := range []*packer{&paths, &numbers, &categories, &flags} {
		p.column(c)
	}
}

// shared returns how many bytes a and b have in common at their start.
func shared(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// unpackDirectories reads directories of so many categories.
func unpackDirectories(u *unpacker, categories int) []snapshot.Directory {
	n := u.count(5, "directories")
	paths := unpackPaths(u.column("paths"), n)
	numbers, inCategory, flags := u.column("numbers"), u.column("categories"), u.column("flags")
	if u.err == nil {
		u.err = paths.err
	}
	if u.err != nil {
		return nil
	}
	dirs := make([]snapshot.Directory, n)
	number := int64(-1)
	for i := range dirs {
		number += numbers.int() + 1
		if number < 0 || number > MaxNumber {
			numbers.fail("want numbers of directories from 0 to %d, got %d", MaxNumber, number)
		}
		category := inCategory.uint()
		if inCategory.err == nil && category >= uint64(categories) {
			inCategory.fail("category %d, there are %d", category, categories)
		}
		complete := flags.flag(1)[0]
		dirs[i] = snapshot.Directory{Path: paths.at(i), Number: uint32(number), Category: uint32(category), Complete: complete}
		if numbers.err != nil || inCategory.err != nil || flags.err != nil {
			break
		}
	}
	for _, c := range []*unpacker{numbers, inCategory, flags} {
		if err := c.done(); err != nil && u.err == nil {
			u.err = err
		}
	}
	return dirs
}

// texts are many texts in one string.
type texts struct {
	all string
	end []int
	err error
}

func (t *texts) at(i int) string {
	from := 0
	if i > 0 {
		from = t.end[i-1]
	}
	return t.all[from:t.end[i]]
}

// maxPaths is how many bytes all paths of directories may have: what they
// share takes no bytes in the section.
const maxPaths = 1 << 30

// unpackPaths reads n paths, which must ascend.
func unpackPaths(u *unpacker, n int) *texts {
	t := &texts{end: make([]int, 0, n)}
	var all strings.Builder
	path := make([]byte, 0, maxText)
	last := make([]byte, 0, maxText)
	for i := range n {
		keep := int(u.upTo(uint64(len(path)), "shared bytes"))
		last = append(last[:0], path...)
		path = append(path[:keep], u.text("path")...)
		switch {
		case u.err != nil:
		case len(path) > maxText || all.Len() > maxPaths:
			u.fail("path %d is too long", i)
		case i > 0 && string(path) <= string(last):
			u.fail("path %q comes after %q", path, last)
		default:
			if err := checkPath(string(path)); err != nil {
				u.fail("path %d: %w", i, err)
			}
		}
		if u.err != nil {
			break
		}
		all.Write(path)
		t.end = append(t.end, all.Len())
	}
	t.all, t.err = all.String(), u.done()
	return t
}
