package checkin

import (
	"fmt"
	"io"

	"github.com/waypost/waypost/control/scan/listing"
)

// readFileList reads a full file list, see [listing.Full], into c. Symbolic
// links are skipped: a mirror is not listed for what it links to. The top
// directory is always there.
func readFileList(in io.Reader, c *Claim, b *budget) error {
	c.Listed = true
	l := fileList{claim: c, budget: b, numbers: map[string]uint32{}}
	if _, err := l.directory(""); err != nil {
		return err
	}
	if err := (listing.Full{Entry: l.entry}).Parse(in); err != nil {
		return fmt.Errorf("file list: %w", err)
	}
	return nil
}

// A fileList is a file list that is being read.
type fileList struct {
	claim   *Claim
	budget  *budget
	numbers map[string]uint32 // of directories
}

func (l *fileList) entry(e listing.Entry) error {
	path := clean(e.Path)
	switch e.Kind {
	case listing.Dir:
		_, err := l.directory(path)
		return err
	case listing.File:
	default:
		return nil
	}
	parent, name := listing.Split(path)
	in, err := l.directory(parent)
	if err != nil {
		return err
	}
	if name, err = l.budget.file(name); err != nil {
		return err
	}
	l.claim.Files = append(l.claim.Files, File{Directory: in, Hidden: !e.Readable, Name: name, Size: e.Size, Changed: e.MTime})
	return nil
}

// directory returns the number of a directory, which becomes known by it.
func (l *fileList) directory(path string) (uint32, error) {
	if n, ok := l.numbers[path]; ok {
		return n, nil
	}
	kept, err := l.budget.directory(path)
	if err != nil {
		return 0, err
	}
	n := uint32(len(l.claim.Directories))
	l.claim.Directories = append(l.claim.Directories, kept)
	l.numbers[kept] = n
	return n, nil
}
