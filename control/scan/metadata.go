package scan

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan/listing"
	"github.com/waypost/waypost/control/scan/mapping"
	"github.com/waypost/waypost/edge/snapshot"
)

// metadataOf returns the paths that the files of metadata of the tree's
// repositories have; not each is there.
func metadataOf(tree *registry.Tree) map[string]bool {
	meta := map[string]bool{}
	for _, c := range mapping.Candidates(tree) {
		switch c.Kind {
		case mapping.Yum:
			meta[listing.Join(c.Path, "repodata/repomd.xml")] = true
		case mapping.OSTree:
			meta[listing.Join(c.Path, "summary")] = true
		case mapping.Debian:
			parent, _ := listing.Split(c.Path)
			suite := strings.TrimSuffix(parent, "/"+c.Component)
			meta[listing.Join(suite, "Release")] = true
			meta[listing.Join(suite, "InRelease")] = true
		case mapping.Arch:
			for name := range strings.SplitSeq(c.Path, "/") {
				meta[listing.Join(c.Path, name+".db")] = true
			}
		}
	}
	return meta
}

// remember keeps a file of metadata as it is, or where that has no hashes as it
// was when it was complete.
func (h *hasher) remember(path string) {
	if f := h.file(path); f.Hashes != nil {
		h.metadata[path] = f.Version()
	} else if last, ok := h.last.metadata[path]; ok {
		h.metadata[path] = last
	}
}

// forgetTimes drops the times of a full file list, which are not those of the
// files' change that mirrors have; what was read has its own.
func (h *hasher) forgetTimes() {
	if h.config.Type != FileList {
		return
	}
	for i := range h.tree.Directories {
		d := &h.tree.Directories[i]
		for k := range d.Files {
			mtime := h.read[listing.Join(d.Path, d.Files[k].Name)].id.mtime
			d.Files[k].Changed = mtime / int64(time.Second)
		}
	}
}

// computeAll reads the files that the configuration wants read.
func (h *hasher) computeAll(ctx context.Context) error {
	if len(h.compute) == 0 {
		return nil
	}
	jobs := h.jobs(func(dir string, f *registry.File) bool {
		path := listing.Join(dir, f.Name)
		if _, isAlias := h.aliases[path]; isAlias {
			return false
		}
		return len(hashOf(f, snapshot.SHA256)) == 0 && f.Size <= h.config.Compute.MaxSize && !h.meta[path] &&
			slices.ContainsFunc(h.compute, func(re *regexp.Regexp) bool { return re.MatchString(path) })
	})
	computed := make(map[string]readFile, len(jobs))
	err := h.each(ctx, jobs, func(ctx context.Context, j job) error {
		r, ok := h.cached(j)
		if !ok {
			s := newSums()
			id, why, err := h.take(ctx, j.path, &j.file, s)
			if why != "" || err != nil {
				h.withhold(why, j.path)
				return err
			}
			r = readFile{id: id, hashes: s.sum()}
		}
		h.mu.Lock()
		computed[j.path] = r
		h.mu.Unlock()
		return nil
	})
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if r, ok := computed[j.path]; ok {
			h.giveComputed(j, r)
		}
	}
	return nil
}

// giveComputed gives a file its computed hashes, unless what was said of it differs.
func (h *hasher) giveComputed(j job, r readFile) {
	if _, isList := h.read[j.path]; !isList {
		h.read[j.path] = r
	}
	for k := range snapshot.HashKinds {
		if said := hashOf(&j.file, k); len(said) > 0 && !bytes.Equal(said, r.hashes[k]) {
			h.disputed[j.path] = true
			h.withhold(isDisputed, j.path)
			return
		}
	}
	h.own(j.path).Hashes = r.hashes
}
