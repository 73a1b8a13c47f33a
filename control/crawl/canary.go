package crawl

import (
	"context"
	"fmt"
	"slices"
)

// canary looks whether one file is there.
func (c *crawler) canary(ctx context.Context, base string) error {
	if base == "" {
		c.report.Outcome, c.report.Reason = Interrupted, "a canary looks by HTTP, and the host has no such URL"
		return nil
	}
	if path, ok := c.anyFile(ctx, c.facts(base)); !ok {
		c.fail(fmt.Sprintf("none of a few files is there, such as %s", path))
	}
	return nil
}

// anyFile reports whether one of a few files is there: metadata first, for it
// is small and always there, then others by chance.
func (c *crawler) anyFile(ctx context.Context, u *URLFacts) (path string, ok bool) {
	w := &webCrawl{crawler: c, facts: u}
	for _, ref := range c.candidates(3) {
		path = c.ledger.path(ref)
		if s, err := w.file(ctx, ref); err == nil && (s == good || s == older || s == unsure && !u.Soft || s == wrong && c.meta[ref] && !u.Soft) {
			return path, true
		}
	}
	return path, false
}

// candidates returns files that are likely to be there: of what the host held
// when it was looked at last, for it may carry but a part of the tree, the first
// metadata file and others by chance, n in all. A crawl that looks at content
// takes as many of the whole tree besides.
func (c *crawler) candidates(n int) (refs []pos) {
	held := func(d int) bool { return c.job.Previous.Holds.Has(c.ledger.number[d]) }
	all := func(int) bool { return true }
	if least, ok := c.firstMetadata(held); ok {
		refs = append(refs, least)
	}
	refs = c.someFiles(refs, n, held)
	if len(refs) > 0 && c.job.Mode == Canary {
		return refs
	}
	before := len(refs)
	if least, ok := c.firstMetadata(all); ok && !slices.Contains(refs, least) {
		refs = append(refs, least)
	}
	return c.someFiles(refs, before+n, all)
}

// firstMetadata returns the first metadata file of some directories.
func (c *crawler) firstMetadata(of func(d int) bool) (least pos, ok bool) {
	for ref := range c.meta {
		readable := c.ledger.tree.Directories[ref.dir].Readable
		if readable && of(int(ref.dir)) && (!ok || comparePos(ref, least) < 0) {
			least, ok = ref, true
		}
	}
	return least, ok
}

// someFiles adds files of some directories by chance, each once, up to n.
func (c *crawler) someFiles(refs []pos, n int, of func(d int) bool) []pos {
	for len(refs) < n {
		ref, ok := c.otherFile(refs, of)
		if !ok {
			break
		}
		refs = append(refs, ref)
	}
	return refs
}

// otherFile draws a file of some directories that is not among refs.
func (c *crawler) otherFile(refs []pos, of func(d int) bool) (ref pos, ok bool) {
	dirs := c.ledger.tree.Directories
	if len(dirs) == 0 {
		return pos{}, false
	}
	start := c.rand.IntN(len(dirs))
	for i := range dirs {
		d := (start + i) % len(dirs)
		files := len(dirs[d].Files)
		if !dirs[d].Readable || files == 0 || !of(d) {
			continue
		}
		first := c.rand.IntN(files)
		for k := range files {
			ref = pos{dir: uint32(d), file: uint32((first + k) % files)}
			if !slices.Contains(refs, ref) {
				return ref, true
			}
		}
	}
	return pos{}, false
}
