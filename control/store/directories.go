package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"unicode/utf8"
)

// directories are the numbers of directories as far as they were read. Rows are
// only ever added, in the order of their numbers.
type directories struct {
	numbers map[string]uint32
	last    int64
}

// maxPath is how long a directory's path may be: PostgreSQL's index takes no
// keys above 2,704 bytes.
const maxPath = 2048

// Numbers returns the numbers of directories by their whole paths, such as
// pub/os/43. A path gets its number when it is asked for first, from 1, and
// keeps it for ever. Numbers are without gaps, so that bitmaps over them are
// short. The database is asked only for what is new: 200,000 known paths take
// about 20 ms. A path of more than 2,048 bytes, or one that is not UTF-8, is an
// error; see [ValidPath].
func (s *Store) Numbers(ctx context.Context, paths []string) ([]uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out, missing := s.directories.look(paths)
	if missing == nil {
		return out, nil
	}
	for _, path := range missing {
		if !ValidPath(path) {
			return nil, fmt.Errorf("numbering directories: want UTF-8 of up to %d bytes without NUL, got %q", maxPath, path)
		}
	}
	if err := s.directories.readNew(ctx, s.read); err != nil {
		return nil, err
	}
	if out, missing = s.directories.look(paths); missing == nil {
		return out, nil
	}
	if err := s.number(ctx, missing); err != nil {
		return nil, wrap("numbering directories", err)
	}
	if err := s.directories.readNew(ctx, s.read); err != nil {
		return nil, err
	}
	out, _ = s.directories.look(paths)
	return out, nil
}

// ValidPath reports whether a directory's path can be given a number.
func ValidPath(path string) bool {
	return len(path) <= maxPath && utf8.ValidString(path) && !strings.Contains(path, "\x00")
}

// look returns the numbers of paths, and which of them have none, each once.
func (d *directories) look(paths []string) (numbers []uint32, missing []string) {
	numbers = make([]uint32, len(paths))
	var new map[string]bool
	for i, path := range paths {
		n, ok := d.numbers[path]
		if !ok && !new[path] {
			if new == nil {
				new = map[string]bool{}
			}
			new[path] = true
			missing = append(missing, path)
		}
		numbers[i] = n
	}
	return numbers, missing
}

// readNew reads the numbers that were given since it last did.
func (d *directories) readNew(ctx context.Context, q querier) error {
	if d.numbers == nil {
		d.numbers = map[string]uint32{}
	}
	var number int64
	var path string
	err := each(ctx, q, func(scan func(...any) error) error {
		if err := scan(&number, &path); err != nil {
			return err
		}
		d.numbers[path], d.last = uint32(number), number
		return nil
	}, `SELECT number, path FROM directories WHERE number > $1 ORDER BY number`, d.last)
	return wrap("reading the numbers of directories", err)
}

// number gives numbers to paths. The transaction holds the counter, so that
// numbers become visible in their order.
func (s *Store) number(ctx context.Context, wanted []string) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		if _, err := raise(ctx, tx, "directory", 0); err != nil {
			return err
		}
		others := directories{last: s.directories.last}
		if err := others.readNew(ctx, tx); err != nil {
			return err
		}
		_, paths := others.look(wanted)
		end, err := raise(ctx, tx, "directory", int64(len(paths)))
		if err != nil {
			return err
		}
		for next := end - int64(len(paths)) + 1; len(paths) > 0; {
			n := min(len(paths), 200)
			if err := insertDirectories(ctx, tx, next, paths[:n]); err != nil {
				return err
			}
			next, paths = next+int64(n), paths[n:]
		}
		return nil
	})
}

func insertDirectories(ctx context.Context, tx *sql.Tx, first int64, paths []string) error {
	var query strings.Builder
	query.WriteString(`INSERT INTO directories (number, path) VALUES `)
	args := make([]any, 0, 2*len(paths))
	for i, path := range paths {
		if i > 0 {
			query.WriteString(", ")
		}
		fmt.Fprintf(&query, "($%d, $%d)", 2*i+1, 2*i+2)
		args = append(args, first+int64(i), path)
	}
	_, err := exec(ctx, tx, query.String(), args...)
	return err
}
