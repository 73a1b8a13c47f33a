package scan

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan/checksum"
	"github.com/waypost/waypost/control/scan/listing"
	"github.com/waypost/waypost/edge/snapshot"
)

// maxMetadata is the largest file read as metadata or for its checksums.
const maxMetadata = 64 << 20

// A hasher gives the files of a tree their hashes.
type hasher struct {
	*builder
	content  content
	last     *State
	tree     *registry.Tree
	index    map[string]int  // of directories, by path
	owned    map[int]bool    // directories whose Files are ours to change
	young    map[string]bool // files that changed a moment ago
	meta     map[string]bool // files of metadata
	withheld map[string]bool
	disputed map[string]bool
	metadata map[string]snapshot.Version

	mu      sync.Mutex // guards the rest, and withheld
	read    map[string]readFile
	waiting map[string]int64
}

func newHasher(b *builder, content content, last *State, tree *registry.Tree) *hasher {
	h := &hasher{
		builder: b, content: content, last: last, tree: tree,
		index: make(map[string]int, len(tree.Directories)), owned: map[int]bool{},
		young: map[string]bool{}, meta: metadataOf(tree), withheld: map[string]bool{},
		disputed: map[string]bool{}, metadata: map[string]snapshot.Version{}, read: map[string]readFile{},
		waiting: map[string]int64{},
	}
	for i := range tree.Directories {
		h.index[tree.Directories[i].Path] = i
	}
	for _, d := range b.dirs {
		for _, name := range d.young {
			h.young[listing.Join(d.path, name)] = true
		}
	}
	return h
}

// run reads what must be read, and gives hashes.
func (h *hasher) run(ctx context.Context) error {
	names := map[string]bool{"repomd.xml": true}
	for path := range h.meta {
		_, name := listing.Split(path)
		names[name] = true
	}
	jobs := h.jobs(func(dir string, f *registry.File) bool {
		if !names[f.Name] && checksum.FormatOf(f.Name) == checksum.None {
			return false // half a million paths need not be put together
		}
		path := listing.Join(dir, f.Name)
		return h.meta[path] || checksum.FormatOf(path) != checksum.None
	})
	if err := h.each(ctx, jobs, h.readMetadata); err != nil {
		return err
	}
	for _, j := range jobs {
		h.giveMetadata(j)
	}
	for _, j := range jobs {
		if list := h.read[j.path].list; list != nil {
			h.apply(list, checksum.Base(j.path), j.file.Changed)
		}
	}
	h.apply(&h.sums, "", h.sumsAge)
	if err := h.computeAll(ctx); err != nil {
		return err
	}
	for path := range h.disputed {
		h.own(path).Hashes = nil
	}
	for path, target := range h.aliases {
		if f := h.file(target); f.Hashes != nil && !h.meta[path] {
			h.own(path).Hashes = f.Hashes
		}
	}
	h.forgetTimes()
	for _, j := range jobs {
		if h.meta[j.path] {
			h.remember(j.path)
		}
	}
	slices.Sort(h.report.Examples)
	return nil
}

// A job is a file to read.
type job struct {
	path string
	file registry.File
}

// jobs returns the files to read, in the tree's order.
func (h *hasher) jobs(want func(dir string, f *registry.File) bool) (jobs []job) {
	for i := range h.tree.Directories {
		d := &h.tree.Directories[i]
		for k := range d.Files {
			if f := &d.Files[k]; want(d.Path, f) {
				jobs = append(jobs, job{listing.Join(d.Path, f.Name), *f})
			}
		}
	}
	return jobs
}

// each calls f for each job, several at a time.
func (h *hasher) each(ctx context.Context, jobs []job, f func(context.Context, job) error) error {
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(h.config.Parallel)
	for _, j := range jobs {
		if each.Err() != nil {
			break
		}
		group.Go(func() error { return f(each, j) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// cached returns what an earlier scan read of a file, if it is still that file.
func (h *hasher) cached(j job) (readFile, bool) {
	old, ok := h.last.read[j.path]
	if !ok || checksum.FormatOf(j.path) != checksum.None && old.list == nil {
		return old, false
	}
	id, err := h.content.stat(j.path, &j.file)
	return old, err == nil && id.is(old.id) && h.agrees(id, &j.file)
}

// readMetadata reads a file of metadata or of checksums.
func (h *hasher) readMetadata(ctx context.Context, j job) error {
	if old, ok := h.cached(j); ok {
		h.keep(j.path, old)
		return nil
	}
	if j.file.Size > maxMetadata {
		h.withhold(isLarge, j.path)
		return nil
	}
	s := newSums()
	var w io.Writer = s
	var text bytes.Buffer
	parse := checksum.FormatOf(j.path) != checksum.None
	if parse {
		w = io.MultiWriter(s, &text)
	}
	id, why, err := h.take(ctx, j.path, &j.file, w)
	if why != "" || err != nil {
		h.withhold(why, j.path)
		return err
	}
	r := readFile{id: id, hashes: s.sum()}
	if parse {
		list, err := checksum.Parse(j.path, &text)
		if err != nil {
			h.withhold(isBroken, j.path)
			return nil //nolint:nilerr // what is in the file is not our error
		}
		r.list = &list
	}
	h.keep(j.path, r)
	return nil
}

func (h *hasher) keep(path string, r readFile) {
	h.mu.Lock()
	h.read[path] = r
	h.mu.Unlock()
}

// withhold counts a file that gets no hash, once.
func (h *hasher) withhold(why, path string) {
	if why == "" || why == errNoContent.Error() {
		return
	}
	h.mu.Lock()
	known := h.withheld[path]
	h.withheld[path] = true
	if !known && mayPass(why) {
		now := h.request.Now.Unix()
		h.waiting[path] = min(now, cmp.Or(h.last.waiting[path], now)) // a clock may have been set back
	}
	h.mu.Unlock()
	if !known {
		h.count.withhold(why, path)
	}
}

// giveMetadata gives a file of metadata the hashes that were read.
func (h *hasher) giveMetadata(j job) {
	r, ok := h.read[j.path]
	if !ok || !h.meta[j.path] {
		return
	}
	if checksum.FormatOf(j.path) == checksum.Repomd && !h.whole(r.list, checksum.Base(j.path)) {
		h.withhold(isPartial, j.path)
		return
	}
	h.own(j.path).Hashes = r.hashes
}

// whole reports whether all files that a list names are there, as large as it says.
func (h *hasher) whole(list *checksum.List, base string) bool {
	for _, s := range list.Sums {
		f := h.file(listing.Join(base, s.Path))
		if f == nil || s.Size >= 0 && s.Size != f.Size {
			return false
		}
	}
	return true
}

// apply gives files the hashes that a list says, if they are to be believed.
func (h *hasher) apply(list *checksum.List, base string, written int64) {
	for _, s := range list.Sums {
		path := listing.Join(base, s.Path)
		if target, ok := h.aliases[path]; ok {
			path = target
		}
		f := h.file(path)
		if f == nil {
			h.report.Missing++
			continue
		}
		known := hashOf(f, s.Kind)
		switch {
		case bytes.Equal(known, s.Hash):
		case s.Size >= 0 && s.Size != f.Size:
			h.withhold(isOdd, path)
		case f.Changed > written:
			h.withhold(isNewer, path)
		case h.young[path] || h.config.Type != Directory && !h.settled(f.Changed):
			h.withhold(isYoung, path)
		case h.meta[path] && (h.withheld[path] || h.read[path].hashes != nil):
			// read, and either it has its hashes or it may not have any
			if len(known) > 0 {
				h.withhold(isDisputed, path)
			}
		case len(known) > 0:
			h.disputed[path] = true
			h.withhold(isDisputed, path)
		default:
			h.own(path).Hashes = with(f.Hashes, s)
		}
	}
}

// file returns a file of the tree, nil if it is not there. Do not change it.
func (h *hasher) file(path string) *registry.File {
	dir, name := listing.Split(path)
	i, ok := h.index[dir]
	if !ok {
		return nil
	}
	files := h.tree.Directories[i].Files
	if k := find(files, name); k >= 0 {
		return &files[k]
	}
	return nil
}

// own returns a file of the tree that may be changed: others share the
// directory's files until then.
func (h *hasher) own(path string) *registry.File {
	dir, _ := listing.Split(path)
	i := h.index[dir]
	if !h.owned[i] {
		h.owned[i] = true
		h.tree.Directories[i].Files = slices.Clone(h.tree.Directories[i].Files)
	}
	return h.file(path)
}

// hashOf returns one of a file's hashes, nil if it is not known.
func hashOf(f *registry.File, kind snapshot.HashKind) []byte {
	if f.Hashes == nil {
		return nil
	}
	return f.Hashes[kind]
}

// with returns hashes, which others may share, with one more.
func with(hashes *registry.Hashes, s checksum.Sum) *registry.Hashes {
	var out registry.Hashes
	if hashes != nil {
		out = *hashes
	}
	out[s.Kind] = s.Hash
	return &out
}
