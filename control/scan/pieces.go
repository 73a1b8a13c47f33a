package scan

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/waypost/waypost/control/registry"
)

// Pieces reads pieces of a master's files, to compare those of mirrors with. No
// path leads out of the master's top directory. It is for any number of
// goroutines.
type Pieces struct{ root *os.Root }

// errChanged says that a file is not what the tree says any more.
var errChanged = errors.New(hasChanged)

// OpenPieces opens the directory that a configuration names for a master's
// content, nil if there is none: it may be elsewhere. Close it.
func OpenPieces(c Config) (*Pieces, error) {
	top := c.Content
	if c.Type == Directory {
		top = c.Path
	}
	if top == "" || strings.HasPrefix(top, "http://") || strings.HasPrefix(top, "https://") {
		return nil, nil //nolint:nilnil // nothing is wrong
	}
	root, err := os.OpenRoot(top)
	if err != nil {
		return nil, fmt.Errorf("opening the content of the master of %s: %w", c.Category, err)
	}
	return &Pieces{root}, nil
}

// Close closes the directory.
func (p *Pieces) Close() { _ = p.root.Close() } // it was only read

// ReadFileAt reads like [io.ReaderAt] from a file, by its path below the top. It
// is an error if the file is not what the tree says of it, before or after: a
// master is written to at any time.
func (p *Pieces) ReadFileAt(path string, is *registry.File, piece []byte, offset int64) (n int, err error) {
	f, err := p.root.OpenFile(path, os.O_RDONLY|nonBlock, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // it was only read
	if err = asListed(f, is); err != nil {
		return 0, err
	}
	n, err = f.ReadAt(piece, offset)
	if changed := asListed(f, is); changed != nil {
		return 0, changed
	}
	return n, err
}

// asListed returns an error if a file is not what the tree says of it.
func asListed(f *os.File, is *registry.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	other := is.Changed != 0 && info.ModTime().Unix() != is.Changed // a full file list's times are not in its tree
	if !info.Mode().IsRegular() || info.Size() != is.Size || other {
		return fmt.Errorf("%s: %w", f.Name(), errChanged)
	}
	return nil
}
