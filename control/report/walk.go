package report

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// A walker finds the directories of a category. Symbolic links are not
// followed, but root may be one.
type walker struct {
	root    string
	exclude []string // parts of paths that are left out
	files   bool     // list files, too
	jobs    int      // directories read at a time

	count    atomic.Int64
	mu       sync.Mutex  // guards what follows until walk returns
	found    []directory // sorted
	warnings []error     // directories that were left out since they cannot be read
	empty    bool        // there is nothing in root
}

// A directory is one that was found.
type directory struct {
	path string // below root, "" for root
	rows []byte // of a full file list: of the directory and its files; only with files
}

// walk walks. An error of the root ends it; one of a directory below is a warning.
func (w *walker) walk(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(w.jobs)
	// a slash makes it a directory even if it is a link
	root := strings.TrimRight(w.root, "/") + "/"
	err := w.directory(ctx, group, root, "", w.rootMark(root))
	err = errors.Join(err, group.Wait())
	slices.SortFunc(w.found, func(a, b directory) int { return strings.Compare(a.path, b.path) })
	return err
}

// rootMark is the mark of what lies in the root.
func (w *walker) rootMark(root string) string {
	if info, err := os.Stat(root); err == nil && info.Mode().Perm()&0o005 != 0o005 {
		return "*"
	}
	return ""
}

// directory reads the directory full, which is path below the root, and those
// below it, as many at a time as the group takes. mark is that of its files.
func (w *walker) directory(ctx context.Context, group *errgroup.Group, full, path, mark string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := os.ReadDir(full)
	if err != nil {
		return w.unreadable(path, err)
	}
	d := directory{path: path}
	for _, e := range entries {
		below := e.Name()
		if path != "" {
			below = path + "/" + below
		}
		if w.files {
			d.rows = w.row(d.rows, e, below, mark)
		}
		if !e.IsDir() || w.excluded(filepath.Join(full, e.Name())) {
			continue
		}
		next := func() error {
			return w.directory(ctx, group, filepath.Join(full, e.Name()), below, w.markBelow(e, mark))
		}
		// when all others are busy, this goroutine goes on itself
		if !group.TryGo(next) {
			if err := next(); err != nil {
				return err
			}
		}
	}
	w.count.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found = append(w.found, d)
	w.empty = w.empty || path == "" && len(entries) == 0
	return nil
}

// unreadable is a directory that cannot be read. One that is gone in the
// meantime is none.
func (w *walker) unreadable(path string, err error) error {
	if path == "" {
		return err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.warnings = append(w.warnings, err)
	}
	return nil
}

// excluded reports whether a directory is left out, as report_mirror does it.
func (w *walker) excluded(full string) bool {
	return slices.ContainsFunc(w.exclude, func(part string) bool { return strings.Contains(full+"/", part) })
}

// markBelow is the mark of what lies in e: * where not all the world may enter.
func (w *walker) markBelow(e fs.DirEntry, mark string) string {
	if !w.files || mark != "" {
		return mark
	}
	if info, err := e.Info(); err == nil && info.Mode().Perm()&0o005 != 0o005 {
		return "*"
	}
	return ""
}

// row appends the row of a full file list: time, type, size and path. What is
// neither file, directory nor link has none, nor has a name that would be two lines.
func (w *walker) row(rows []byte, e fs.DirEntry, path, mark string) []byte {
	info, err := e.Info()
	if err != nil || strings.Contains(e.Name(), "\n") {
		return rows
	}
	kind, want := "f", fs.FileMode(0o004)
	switch {
	case e.IsDir():
		if w.excluded(filepath.Join(w.root, path)) {
			return rows
		}
		kind, want = "d", 0o005
	case e.Type()&fs.ModeSymlink != 0:
		kind, want = "l", 0
	case !e.Type().IsRegular():
		return rows
	}
	if mark == "" && info.Mode().Perm()&want != want {
		mark = "-"
	}
	changed := max(info.ModTime().Unix(), attributesChanged(info))
	return fmt.Appendf(rows, "%d\t%s%s\t%d\t%s\n", changed, kind, mark, info.Size(), path)
}
