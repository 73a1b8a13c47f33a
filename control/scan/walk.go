package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan/checksum"
	"github.com/waypost/waypost/control/scan/listing"
)

// A fileID tells one state of a file or directory from another. Times are in
// nanoseconds since 1970.
type fileID struct {
	size, mtime, ctime int64
	inode, device      uint64
	mode               fs.FileMode
}

// noDevice is the device of what was saved: any.
const noDevice = ^uint64(0)

// is reports whether nothing has changed since id was old.
func (id fileID) is(old fileID) bool {
	if old.device == noDevice {
		old.device = id.device
	}
	return id == old
}

// changed returns when the content or the inode changed last, in Unix seconds.
func (id fileID) changed() int64 { return max(id.mtime, id.ctime) / int64(time.Second) }

// touched returns when the file was last written to, in Unix seconds. A time of
// change of content may be set to any time, even in the future; that of the
// inode tells when.
func (id fileID) touched() int64 {
	if id.ctime != 0 {
		return id.ctime / int64(time.Second)
	}
	return id.mtime / int64(time.Second)
}

// coarse is how long a file system's clock may stand still: two changes within
// it may leave the same time.
const coarse = 2 * time.Second

// A walker lists a tree on disk.
type walker struct {
	*builder
	root  *os.Root
	group *errgroup.Group
	mu    sync.Mutex // guards dirs and entries of the builder
}

// walk lists the tree on disk. It is an error if the top is not the same
// directory at the end: the file system was unmounted, or the tree replaced.
func (b *builder) walk(ctx context.Context, content content) error {
	disk, ok := content.(*diskContent)
	if !ok {
		return errors.New("no directory to walk")
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(b.config.Parallel)
	w := &walker{builder: b, root: disk.root, group: group}
	group.Go(func() error { return w.visit(ctx, "") })
	if err := group.Wait(); err != nil {
		return err
	}
	if b.dirs[""] == nil {
		return fmt.Errorf("%s: %w", b.config.Path, fs.ErrNotExist)
	}
	return disk.stillThere()
}

// visit lists a directory and what is below it.
func (w *walker) visit(ctx context.Context, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d, err := w.look(path)
	if err != nil {
		return w.forgive(err, path)
	}
	w.mu.Lock()
	w.dirs[path] = d
	w.entries += 1 + len(d.files)
	tooMany := w.entries > w.config.MaxEntries
	w.mu.Unlock()
	if tooMany {
		return fmt.Errorf("more than %d entries", w.config.MaxEntries)
	}
	for _, name := range d.subdirs {
		sub := listing.Join(path, name)
		if !w.group.TryGo(func() error { return w.visit(ctx, sub) }) {
			if err := w.visit(ctx, sub); err != nil {
				return err
			}
		}
	}
	return nil
}

// forgive returns err unless it says that one file or directory is not there
// any more, or is closed to us. Any other error may mean that the master is
// going away.
func (w *walker) forgive(err error, path string) error {
	switch {
	case path == "":
		return err
	case errors.Is(err, fs.ErrNotExist):
		w.count.skip("vanished", path)
		return nil
	case errors.Is(err, fs.ErrPermission):
		w.count.skip("closed to the scan", path)
		return nil
	}
	return err
}

// look lists one directory, or takes it over from the last scan.
func (w *walker) look(path string) (*dir, error) {
	info, err := w.root.Lstat(rootName(path))
	if err != nil {
		return nil, err
	}
	if !info.IsDir() { // it was one when its parent was read
		return nil, fmt.Errorf("%s is no directory any more: %w", path, fs.ErrNotExist)
	}
	id := identify(info)
	if old := w.last.dirs[path]; old != nil && w.same(old, id) {
		w.count.reuse()
		return old, nil
	}
	d, err := w.read(path, id)
	if errors.Is(err, fs.ErrPermission) {
		// its name is known, its files are not
		w.count.skip("closed to the scan", path)
		d, err = w.newDir(path, id), nil
	}
	return d, err
}

// same reports whether a directory need not be read again.
func (w *walker) same(old *dir, id fileID) bool {
	if w.request.Full || !old.trusted || !id.is(old.id) || len(old.young) > 0 {
		return false
	}
	// a fixed share of the directories in each scan
	turn := 0
	for i := range len(old.path) {
		turn = (turn*31 + int(old.path[i])) & 0xffffff
	}
	if (turn+w.last.scans)%w.config.StatEvery == 0 {
		return false
	}
	for _, f := range old.files {
		if !watched(old.path, f.Name) {
			continue
		}
		info, err := w.root.Lstat(listing.Join(old.path, f.Name))
		if err != nil || info.Size() != f.Size || info.ModTime().Unix() != f.Changed {
			return false
		}
	}
	return true
}

// watched reports whether a file is looked at though its directory did not change.
func watched(dir, name string) bool {
	return name == "summary" || strings.HasSuffix(name, ".db") || strings.HasSuffix("/"+dir, "/repodata") || checksum.FormatOf(listing.Join(dir, name)) != checksum.None
}

func (w *walker) newDir(path string, id fileID) *dir {
	return &dir{path: path, id: id, changed: id.changed(), readable: id.mode.Perm()&0o005 == 0o005}
}

// read lists a directory on disk.
func (w *walker) read(path string, id fileID) (*dir, error) {
	f, err := w.root.Open(rootName(path))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // was only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if opened := identify(info); opened.inode != id.inode || opened.device != id.device || !info.IsDir() {
		return nil, fmt.Errorf("%s was replaced: %w", path, fs.ErrNotExist)
	}
	d := w.newDir(path, id)
	d.trusted = w.request.Now.Sub(time.Unix(id.touched(), 0)) > coarse
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err = w.take(d, e); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(d.files, func(x, y registry.File) int { return strings.Compare(x.Name, y.Name) })
	d.files = slices.Clip(d.files)
	info, err = f.Stat()
	if err != nil {
		return nil, err
	}
	d.trusted = d.trusted && identify(info) == id // it did not change meanwhile
	return d, nil
}

// take adds an entry of a directory to d.
func (w *walker) take(d *dir, e fs.DirEntry) error {
	name := e.Name()
	path := listing.Join(d.path, name)
	if flaw := listing.Flaw(path); flaw != "" {
		w.count.skip(flaw, path)
		return nil
	}
	if excludedHere(path, name, w.excludes) {
		return nil
	}
	if e.IsDir() {
		d.subdirs = append(d.subdirs, name)
		return nil
	}
	info, err := e.Info()
	if err != nil {
		return w.forgive(err, path)
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		d.subdirs = append(d.subdirs, name)
	case mode&fs.ModeSymlink != 0:
		target, err := w.root.Readlink(path)
		if err != nil {
			return w.forgive(err, path)
		}
		d.links = append(d.links, link{name, target})
	case !mode.IsRegular():
		w.count.skip("device, pipe or socket", path)
	case mode.Perm()&0o004 == 0:
		w.count.skip("file not readable by all", path)
	default:
		d.files = append(d.files, registry.File{Name: name, Size: info.Size(), Changed: info.ModTime().Unix()})
		if !w.settled(identify(info).touched()) {
			d.young = append(d.young, name)
		}
	}
	return nil
}

// rootName returns a path as os.Root wants it.
func rootName(path string) string {
	if path == "" {
		return "."
	}
	return path
}
