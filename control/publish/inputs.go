package publish

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"maps"
	"net"
	"net/netip"
	"path"
	"slices"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/store/blob"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// Inputs reads all that a snapshot is built from, with whole trees: two million
// files with their hashes take half a gigabyte. Publish itself does with less.
func (p *Publisher) Inputs(ctx context.Context) (in Inputs, err error) {
	if in, _, err = p.tables(ctx); err != nil {
		return in, err
	}
	scans, err := p.Store.Scans(ctx)
	if err != nil {
		return in, err
	}
	for _, c := range scanned(in.World, scans) {
		t, bad := p.Store.Tree(ctx, c.Name)
		if bad != nil {
			return in, bad
		}
		in.Trees = append(in.Trees, t)
	}
	if in.Number, err = p.numbers(ctx, &in); err != nil {
		return in, err
	}
	return in, p.listings(ctx, &in)
}

// A kept content is used again while what it is made of is the same.
type kept struct {
	key     [sha256.Size]byte
	content *Content
}

// lean reads what a snapshot is built from, and makes its content or has it from
// last time. Trees are read directory by directory: of what is large, only the
// content is in memory as a whole.
func (p *Publisher) lean(ctx context.Context) (Inputs, error) {
	in, history, err := p.tables(ctx)
	if err != nil {
		return in, err
	}
	scans, err := p.Store.Scans(ctx)
	if err != nil {
		return in, err
	}
	key := contentKey(in.World, scans, history)
	if p.kept.content == nil || p.kept.key != key {
		p.kept, p.encoder = kept{}, wire.Encoder{} // not two contents at a time
		content, bad := p.readContent(ctx, in, scans)
		if bad != nil {
			return in, bad
		}
		p.kept = kept{key, content}
	}
	in.Content = p.kept.content
	return in, p.listings(ctx, &in)
}

// readContent makes the content out of trees that it reads.
func (p *Publisher) readContent(ctx context.Context, in Inputs, scans map[string]time.Time) (*Content, error) {
	var readers []*blob.TreeReader
	for _, c := range scanned(in.World, scans) {
		r, err := p.Store.OpenTree(ctx, c.Name)
		if err != nil {
			return nil, err
		}
		readers, in.Trees = append(readers, r), append(in.Trees, r.Tree)
	}
	in.Files = func(tree, dir int) []registry.File { return readers[tree].Files(dir) }
	var err error
	if in.Number, err = p.numbers(ctx, &in); err != nil {
		return nil, err
	}
	content := NewContent(in)
	for i, r := range readers {
		if err = r.End(); err != nil {
			return nil, fmt.Errorf("tree of %s: %w", in.Trees[i].Category, err)
		}
	}
	return content, nil
}

// tables reads all but trees and listings.
func (p *Publisher) tables(ctx context.Context) (in Inputs, history map[string][]store.FileVersion, err error) {
	in.Now = p.Now()
	if in.World, _, err = p.Store.World(ctx); err != nil {
		return in, nil, err
	}
	if history, err = p.Store.History(ctx); err != nil {
		return in, nil, err
	}
	in.Older = func(file string) (versions []snapshot.Version) {
		for _, v := range history[file] {
			versions = append(versions, v.Version())
		}
		return versions
	}
	in.Resolve = func(name string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	}
	return in, history, nil
}

func (p *Publisher) listings(ctx context.Context, in *Inputs) error {
	return p.Store.Listings(ctx, time.Time{}, func(l *registry.Listing) error {
		in.Listings = append(in.Listings, l)
		return nil
	})
}

// scanned returns the categories that have a tree.
func scanned(w *registry.World, scans map[string]time.Time) (out []*registry.Category) {
	for _, c := range registry.All[*registry.Category](w) {
		if _, ok := scans[c.Name]; ok {
			out = append(out, c)
		}
	}
	return out
}

// numbers returns the numbers of all directories; the store gives those to new
// ones. A path that can have none has none: it does not keep the others from being
// published.
func (p *Publisher) numbers(ctx context.Context, in *Inputs) (func(string) (uint32, bool), error) {
	var paths []string
	for _, c := range registry.All[*registry.Category](in.World) {
		paths = append(paths, c.Path)
		if tree := in.tree(c.Name); tree >= 0 {
			for _, d := range in.Trees[tree].Directories {
				paths = append(paths, path.Join(c.Path, d.Path))
			}
		}
	}
	paths = slices.DeleteFunc(paths, func(whole string) bool { return !store.ValidPath(whole) })
	slices.Sort(paths)
	paths = slices.Compact(paths)
	numbers, err := p.Store.Numbers(ctx, paths)
	if err != nil {
		return nil, err
	}
	return func(whole string) (uint32, bool) {
		if i, ok := slices.BinarySearch(paths, whole); ok {
			return numbers[i], true
		}
		return 0, false
	}, nil
}

// contentKey tells contents apart by all that they are made of.
func contentKey(w *registry.World, scans map[string]time.Time, history map[string][]store.FileVersion) (key [sha256.Size]byte) {
	h := digest{sha256.New()}
	for _, c := range registry.All[*registry.Category](w) {
		h.text("category", c.Name, c.Path)
		if at, ok := scans[c.Name]; ok {
			h.number(at.UnixMilli())
		}
	}
	for _, r := range registry.All[*registry.Release](w) {
		h.text("release")
		h.text(r.Paths...)
	}
	for _, file := range slices.Sorted(maps.Keys(history)) {
		h.text("file", file)
		for _, v := range history[file] {
			h.number(v.Size)
			h.number(v.Changed)
			for _, sum := range v.Hashes {
				h.text(string(sum))
			}
		}
	}
	h.Sum(key[:0])
	return key
}

// A digest hashes values, each so that it cannot run into the next.
type digest struct{ hash.Hash }

func (d digest) number(n int64) { _, _ = d.Write(binary.LittleEndian.AppendUint64(nil, uint64(n))) }

func (d digest) text(list ...string) {
	for _, s := range list {
		d.number(int64(len(s)))
		_, _ = d.Write([]byte(s))
	}
}
