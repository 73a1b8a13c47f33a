package blob

import (
	"errors"
	"fmt"

	"github.com/waypost/waypost/control/registry"
)

// A TreeReader reads the files of a tree, directory by directory, so that not
// all of them are in memory as values: two million with a hash each take 100
// MiB in place of 400. It is for one goroutine.
type TreeReader struct {
	// Tree is the tree; its directories have no files.
	Tree *registry.Tree

	columns []*column
	counts  []int // files by directory
	next    int   // the directory whose files come next
	left    int   // files
	files   []registry.File
	hashes  []registry.Hashes
	err     error
}

// OpenTree begins to read a tree.
func (c *Codec) OpenTree(data []byte) (*TreeReader, error) {
	columns, err := c.unpack(treeMagic, data, treeColumns)
	if err != nil {
		return nil, fmt.Errorf("decoding a tree: %w", err)
	}
	r := &TreeReader{columns: columns}
	r.Tree, r.counts, r.left = readDirectories(columns)
	if err = ends(columns[:dirFiles+1]); err != nil {
		return nil, fmt.Errorf("decoding a tree: %w", err)
	}
	return r, nil
}

// Files returns the files of a directory. Ask for directories in their order;
// some may be left out. What is returned is good until the next call, but for the
// names. After an error there are no files; see [TreeReader.End].
func (r *TreeReader) Files(dir int) []registry.File {
	if dir < r.next && r.err == nil {
		r.err = errors.New("reading a tree: directories want to be read in their order")
	}
	for r.err == nil && r.next <= dir {
		r.read(r.next)
		r.next++
	}
	if r.err != nil {
		return nil
	}
	return r.files
}

// read reads the files of the next directory.
func (r *TreeReader) read(dir int) {
	n := r.counts[dir]
	if n > r.left {
		r.err = fmt.Errorf("decoding a tree: %w", errLong)
		return
	}
	r.left -= n
	r.files, r.hashes = r.files[:0], r.hashes[:0]
	if cap(r.hashes) < n {
		r.hashes = make([]registry.Hashes, 0, n) // does not grow below: files point into it
	}
	for range n {
		f := registry.File{
			Name: r.columns[fileNames].string(), Size: r.columns[fileSizes].varint(),
			Changed: r.columns[fileTimes].varint() + r.Tree.Directories[dir].Changed,
		}
		if k := r.columns[fileKinds].byte(); k != 0 {
			r.hashes = append(r.hashes, readSums(r.columns[fileSums], k))
			f.Hashes = &r.hashes[len(r.hashes)-1]
		}
		r.files = append(r.files, f)
	}
	for _, c := range r.columns[fileNames:] {
		if c.err != nil {
			r.err = fmt.Errorf("decoding a tree: %w", c.err)
		}
	}
}

// End reads what is left and returns what was wrong with the tree: what was read
// of one that is not in order must not be used.
func (r *TreeReader) End() error {
	if n := len(r.counts); n > r.next {
		r.Files(n - 1)
	}
	if r.err != nil {
		return r.err
	}
	if r.left > 0 {
		return fmt.Errorf("decoding a tree: %w", errShort)
	}
	if err := ends(r.columns); err != nil {
		return fmt.Errorf("decoding a tree: %w", err)
	}
	return nil
}
