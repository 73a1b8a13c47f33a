package wire

import (
	"fmt"

	"github.com/waypost/waypost/edge/snapshot"
)

// packFiles packs the files of directories of one block, which are sorted by
// number, in columns.
func (e *encoder) packFiles(p *packer, dirs []uint32) error {
	files := &e.snap.Files
	var index, lengths, names, versions, sizes, times, kinds, sums packer
	n, last, mtime := 0, int64(-1), int64(0)
	for _, pos := range dirs {
		from, to := files.In(pos)
		if from == to {
			continue
		}
		local := int64(e.snap.Directories[pos].Number % BlockSize)
		index.uint(uint64(local - last - 1))
		index.uint(uint64(to - from))
		last = local
		n++
		for file := from; file < to; file++ {
			name := files.Name(file)
			if err := checkName(name); err != nil {
				return fmt.Errorf("directory %s: %w", e.snap.Directories[pos].Path, err)
			}
			lengths.uint(uint64(len(name)))
			names.fixed(name...)
			v, end := files.Versions(file)
			versions.uint(uint64(end - v))
			for ; v < end; v++ {
				sizes.int(files.Size(v))
				times.int(files.MTime(v) - mtime)
				mtime = files.MTime(v)
				kinds.byte(files.Kinds(v))
				sums.fixed(files.Sums(v)...)
			}
		}
	}
	p.uint(uint64(n))
	for _, c := range []*packer{&index, &lengths, &names, &versions, &sizes, &times, &kinds, &sums} {
		p.column(c)
	}
	return nil
}

// unpackFiles reads the files of one block; its directories have the numbers
// from 0 to BlockSize-1 there.
func unpackFiles(u *unpacker) (snapshot.Files, error) {
	n := u.count(2, "directories")
	c := fileColumns{
		index: u.column("directories"), lengths: u.column("lengths of names"), names: u.column("names"), versions: u.column("versions"),
		sizes: u.column("sizes"), times: u.column("times"), kinds: u.column("kinds of hashes"), sums: u.column("hashes"),
	}
	if err := u.done(); err != nil {
		return snapshot.Files{}, err
	}
	var to snapshot.FileAppender
	to.Grow(min(len(c.lengths.rest), 1<<16)) // at least a byte each
	next := uint64(0)
	for range n {
		next += c.index.upTo(BlockSize-1, "number of the directory")
		files := c.index.upTo(uint64(len(c.lengths.rest)), "number of files")
		if c.index.err == nil && next >= BlockSize {
			c.index.fail("directory %d of a block of %d", next, BlockSize)
		}
		if err := c.err(false); err != nil {
			return snapshot.Files{}, err
		}
		if err := to.Directory(uint32(next)); err != nil {
			return snapshot.Files{}, err
		}
		for range files {
			if err := c.file(&to); err != nil {
				return snapshot.Files{}, err
			}
		}
		next++
	}
	return to.Files(BlockSize), c.err(true)
}

// fileColumns are the columns of a section of files.
type fileColumns struct {
	index, lengths, names, versions, sizes, times, kinds, sums *unpacker
	mtime                                                      int64
}

// file reads the next file.
func (c *fileColumns) file(to *snapshot.FileAppender) error {
	name := c.names.take(int(c.lengths.upTo(maxText, "length of a name")))
	versions := c.versions.upTo(uint64(len(c.kinds.rest)), "number of versions")
	if c.lengths.err != nil || c.names.err != nil || c.versions.err != nil {
		return c.err(false)
	}
	if err := checkName(name); err != nil {
		return err
	}
	if err := to.File(name); err != nil {
		return err
	}
	for range versions {
		size, mtime, kinds := c.sizes.int(), c.mtime+c.times.int(), c.kinds.byte()
		if kinds >= 1<<snapshot.HashKinds || size < -1 {
			return fmt.Errorf("file %q: want a size from -1 and hashes of known kinds, got %d and %#x", name, size, kinds)
		}
		c.mtime = mtime
		sums := c.sums.take(snapshot.SumSize(kinds))
		if c.sizes.err != nil || c.times.err != nil || c.kinds.err != nil || c.sums.err != nil {
			return c.err(false)
		}
		if err := to.Version(size, mtime, kinds, sums); err != nil {
			return err
		}
	}
	return nil
}

// err returns the first error of a column, and at the end also what is left over.
func (c *fileColumns) err(end bool) error {
	columns := []struct {
		name string
		*unpacker
	}{
		{"directories", c.index},
		{"lengths of names", c.lengths},
		{"names", c.names},
		{"versions", c.versions},
		{"sizes", c.sizes},
		{"times", c.times},
		{"kinds of hashes", c.kinds},
		{"hashes", c.sums},
	}
	for _, column := range columns {
		err := column.err
		if end {
			err = column.done()
		}
		if err != nil {
			return fmt.Errorf("column of %s: %w", column.name, err)
		}
	}
	return nil
}
