package scan

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan/checksum"
	"github.com/waypost/waypost/control/scan/listing"
	"github.com/waypost/waypost/edge/snapshot"
)

// A dir is a directory as it was listed. Once a scan is finished it is
// immutable: the next one may take it over.
type dir struct {
	path     string
	changed  int64 // Unix seconds
	readable bool  // by its own permissions
	files    []registry.File
	links    []link

	// Of directories on disk:
	id      fileID
	trusted bool // had not changed just before it was read
	subdirs []string
	young   []string // names of files that were younger than the settle time
}

type link struct{ name, target string }

// A builder collects what a master lists.
type builder struct {
	*Scanner
	request Request
	last    *State
	report  *Report
	count   *counter
	dirs    map[string]*dir
	entries int
	sums    checksum.List     // of a full file list
	sumsAge int64             // when that was written, Unix seconds
	dropped map[string]bool   // whether a directory is excluded
	aliases map[string]string // links to files, and where those are
}

func (s *Scanner) builder(q Request, last *State) *builder {
	c := newCounter()
	return &builder{
		Scanner: s, request: q, last: last, report: c.Report, count: c,
		dirs: map[string]*dir{}, dropped: map[string]bool{}, aliases: map[string]string{},
	}
}

// list reads the master's list into b.
func (b *builder) list(ctx context.Context, content content) error {
	switch b.config.Type {
	case Directory:
		return b.walk(ctx, content)
	case Rsync:
		r := listing.Rsync{
			URL: b.config.URL, Program: b.config.RsyncProgram, Options: b.config.RsyncOptions,
			Excludes: []string{".snapshot", ".~tmp~"}, Password: b.config.RsyncPassword,
			Timeout: b.config.Timeout, Idle: b.config.Idle, MaxEntries: b.config.MaxEntries,
		}
		warnings, err := r.List(ctx, b.add)
		b.report.Warnings = warnings
		return err
	}
	return b.readFile(ctx)
}

// readFile reads a list that is in a file.
func (b *builder) readFile(ctx context.Context) error {
	f, err := os.Open(b.config.Path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // was only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	b.sumsAge = info.ModTime().Unix()
	add := func(e listing.Entry) error {
		if ended := ctx.Err(); ended != nil {
			return ended
		}
		return b.add(e)
	}
	if b.config.Type == Listing {
		err = listing.ParseRsync(f, add)
	} else {
		err = listing.Full{Entry: add, Sum: b.addSum}.Parse(f)
	}
	if err == nil && len(b.dirs) == 0 {
		err = errors.New("lists nothing")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", b.config.Path, err)
	}
	return nil
}

// strip returns a path of a file list below the category's top.
func (b *builder) strip(path string) (string, bool) {
	top := strings.Trim(b.config.Strip, "/")
	if top == "" || path == top {
		return path[len(top):], true
	}
	return strings.CutPrefix(path, top+"/")
}

func (b *builder) addSum(path string, kind snapshot.HashKind, hash []byte) error {
	path, ours := b.strip(path)
	if ours && path != "" && listing.Flaw(path) == "" {
		b.sums.Sums = append(b.sums.Sums, checksum.Sum{Path: path, Kind: kind, Hash: hash, Size: -1})
	}
	return nil
}

// add takes an entry of a list.
func (b *builder) add(e listing.Entry) error {
	if b.entries++; b.entries > b.config.MaxEntries {
		return fmt.Errorf("more than %d entries", b.config.MaxEntries)
	}
	path, ours := b.strip(e.Path)
	if !ours {
		return nil
	}
	if flaw := listing.Flaw(path); flaw != "" {
		b.count.skip(flaw, path)
		return nil
	}
	if b.excluded(path, e.Kind == listing.Dir) {
		return nil
	}
	if e.Kind == listing.Dir {
		d := b.dir(path)
		d.readable, d.changed = e.Readable, e.MTime
		return nil
	}
	if path == "" {
		return errors.New("the top is not a directory")
	}
	parent, name := listing.Split(path)
	d := b.dir(parent)
	name = strings.Clone(name) // the path is not kept for it
	switch {
	case e.Kind == listing.Link:
		d.links = append(d.links, link{name, e.Target})
	case e.Kind == listing.Other:
		b.count.skip("device, pipe or socket", path)
	case !e.Readable:
		b.count.skip("file not readable by all", path)
	default:
		d.files = append(d.files, registry.File{Name: name, Size: e.Size, Changed: e.MTime})
	}
	return nil
}

// dir returns the directory of a path. One that is not listed itself counts
// as readable, as its parents do.
func (b *builder) dir(path string) *dir {
	for at := path; b.dirs[at] == nil; at, _ = listing.Split(at) {
		b.dirs[at] = &dir{path: at, readable: true}
		b.entries++
	}
	return b.dirs[path]
}

// excluded reports whether a path, or a directory that it is in, is excluded.
func (b *builder) excluded(path string, isDir bool) bool {
	parent, name := listing.Split(path)
	if path == "" {
		return false
	}
	if isDir {
		if out, known := b.dropped[path]; known {
			return out
		}
	}
	out := b.excluded(parent, true) || excludedHere(path, name, b.excludes)
	if isDir {
		b.dropped[path] = out
	}
	return out
}

func excludedHere(path, name string, excludes []*regexp.Regexp) bool {
	return name == ".snapshot" || name == ".~tmp~" ||
		slices.ContainsFunc(excludes, func(re *regexp.Regexp) bool { return re.MatchString(path) })
}

// finish makes the tree of what was listed.
func (b *builder) finish() *registry.Tree {
	dirs := make([]*dir, 0, len(b.dirs))
	for _, d := range b.dirs {
		dirs = append(dirs, d)
	}
	slices.SortFunc(dirs, func(x, y *dir) int { return strings.Compare(x.path, y.path) })
	if b.config.Type != Directory { // the walk did it where it read a directory
		for _, d := range dirs {
			b.sortFiles(d)
			b.dropShadow(d)
		}
	}
	t := &registry.Tree{Category: b.config.Category, Scanned: b.request.Now, Directories: make([]registry.Directory, len(dirs))}
	readable := make(map[string]bool, len(dirs))
	for i, d := range dirs {
		parent, _ := listing.Split(d.path)
		readable[d.path] = d.readable && (d.path == "" || readable[parent])
		t.Directories[i] = registry.Directory{Path: d.path, Changed: d.changed, Readable: readable[d.path], Files: d.files}
	}
	l := linker{b.dirs, readable, b.count, b.aliases}
	for i, d := range dirs {
		if len(d.links) > 0 {
			t.Directories[i].Files = l.resolve(d)
		}
		b.report.Files += len(t.Directories[i].Files)
		for _, f := range t.Directories[i].Files {
			b.report.Bytes += f.Size
		}
	}
	b.report.Directories = len(dirs)
	return t
}

// sortFiles sorts a directory's files, and drops those that came twice.
func (b *builder) sortFiles(d *dir) {
	byName := func(x, y registry.File) int { return strings.Compare(x.Name, y.Name) }
	if !slices.IsSortedFunc(d.files, byName) {
		slices.SortStableFunc(d.files, byName)
	}
	d.files = slices.CompactFunc(d.files, func(x, y registry.File) bool {
		if x.Name == y.Name {
			b.count.skip("listed twice", listing.Join(d.path, x.Name))
		}
		return x.Name == y.Name
	})
}

// dropShadow drops the file that a list has in the place of a directory. The
// parent's files are sorted already.
func (b *builder) dropShadow(d *dir) {
	path, name := listing.Split(d.path)
	if d.path == "" {
		return
	}
	parent := b.dirs[path]
	if i := find(parent.files, name); i >= 0 {
		b.count.skip("listed twice", d.path)
		parent.files = slices.Delete(parent.files, i, i+1)
	}
}

// kept returns what the next scan may take over.
func (b *builder) kept() map[string]*dir {
	if b.config.Type != Directory {
		return nil
	}
	return b.dirs
}

// settled reports whether a time is longer ago than the settle time.
func (b *builder) settled(unix int64) bool {
	return b.config.Settle <= 0 || b.request.Now.Sub(time.Unix(unix, 0)) > b.config.Settle
}

// quote makes a path safe to print.
func quote(path string) string { return strconv.QuoteToGraphic(path) }
