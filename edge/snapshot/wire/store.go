package wire

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/waypost/waypost/edge/snapshot/wire/durable"
)

// A Store keeps one published snapshot in a folder:
//
//	manifest          its bytes with their signatures
//	sections/SHA256   the bytes of each section
//
// Sections are written first and the manifest last, each so that a crash leaves
// it whole or not at all; so whatever manifest is there has its sections. A
// section that was damaged on disk is noticed by its hash when it is read, and
// removed. One process writes; its methods may be called by any number of
// goroutines.
type Store struct{ dir string }

// ErrDamaged is wrapped by errors of [Store.Section] about bytes that are not
// those that were written.
var ErrDamaged = errors.New("damaged on disk")

// OpenStore returns the store in dir, which it makes if there is none.
func OpenStore(dir string) (*Store, error) {
	s := &Store{dir: dir}
	if err := os.MkdirAll(s.sections(), 0o750); err != nil {
		return nil, fmt.Errorf("opening the store of snapshots: %w", err)
	}
	return s, nil
}

func (s *Store) sections() string     { return filepath.Join(s.dir, "sections") }
func (s *Store) path(h Hash) string   { return filepath.Join(s.sections(), h.String()) }
func (s *Store) manifestPath() string { return filepath.Join(s.dir, "manifest") }

// Manifest returns the bytes of the manifest. The error is [fs.ErrNotExist] if
// nothing was committed yet.
func (s *Store) Manifest() ([]byte, error) { return readAtMost(s.manifestPath(), MaxManifest) }

// readAtMost reads a file of at most most bytes.
func readAtMost(path string, most int64) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the folder
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("reading %s: it has more than %d bytes", path, most)
	}
	return b, err
}

// Has reports whether the section is there with its size. It does not read it.
func (s *Store) Has(section *Section) bool {
	info, err := os.Stat(s.path(section.Hash))
	return err == nil && info.Mode().IsRegular() && info.Size() == int64(section.Size)
}

// Section returns the verified bytes of a section, for [Decode].
func (s *Store) Section(h Hash) ([]byte, error) {
	b, err := readAtMost(s.path(h), maxRaw+maxRaw/64)
	if err != nil {
		return nil, err
	}
	if HashOf(b) != h {
		return nil, errors.Join(fmt.Errorf("%s is %w", s.path(h), ErrDamaged), os.Remove(s.path(h)))
	}
	return b, nil
}

// Put writes a section, for [Encode]. It is there for good after Commit.
func (s *Store) Put(h Hash, b []byte) error { return durable.Write(s.path(h), b, 0o640) }

// Commit puts the sections on disk, and then the manifest, which must be a good
// one and have all its sections here.
func (s *Store) Commit(manifest []byte) error {
	if err := durable.Sync(s.sections()); err != nil {
		return err
	}
	return durable.WriteFile(s.manifestPath(), manifest, 0o640)
}

// Collect removes the sections that none of keep names, and what crashes left
// behind. It returns how many files it removed.
func (s *Store) Collect(keep ...*Manifest) (removed int, err error) {
	names := map[string]bool{}
	for _, m := range keep {
		for h := range m.Hashes() {
			names[h.String()] = true
		}
	}
	for _, dir := range []string{s.sections(), s.dir} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return removed, err
		}
		for _, e := range entries {
			name := e.Name()
			_, notOurs := ParseHash(name)
			if durable.IsTemporary(name) || dir == s.sections() && notOurs == nil && !names[name] {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					return removed, err
				}
				removed++
			}
		}
	}
	return removed, nil
}
