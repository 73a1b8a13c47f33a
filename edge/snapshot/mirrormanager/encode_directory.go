package mirrormanager

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/waypost/waypost/edge/snapshot"
)

// directory writes an entry of MirrorListCache.
func (e *encoder) directory(dir uint32) {
	d := e.snap.Directories[dir]
	m := e.entry.reset()
	m.text(1, d.Path)
	e.grouped = map[string][]int64{}
	for _, i := range e.serves {
		if h := &e.snap.Hosts[i]; h.Has.Has(dir) && !h.Private {
			m.int(2, e.ids[i])
			if country := e.country[i]; country != "" {
				e.grouped[country] = append(e.grouped[country], e.ids[i])
			}
		}
	}
	if below := below(d.Path, e.snap.Categories[d.Category].Path); below != "" {
		m.text(3, below)
	}
	for _, country := range slices.Sorted(maps.Keys(e.grouped)) {
		part := e.part.reset()
		part.text(1, country)
		part.values(e.grouped[country])
		m.message(4, *part)
	}
	for _, i := range e.serves {
		if h := &e.snap.Hosts[i]; h.Has.Has(dir) {
			e.holder(m, i, d.Category)
		}
	}
	e.write(16, *m)
}

// holder adds an entry of ByHostId. A public host without URLs has none, as
// MirrorManager writes it; a private one has, as it is named nowhere else.
func (e *encoder) holder(m *message, host int, category uint32) {
	var ids []int64
	for _, l := range e.lists[host] {
		if l.category == category {
			ids = l.ids
		}
	}
	if len(ids) == 0 && !e.snap.Hosts[host].Private {
		return
	}
	part := e.part.reset()
	part.int(1, e.ids[host])
	part.values(ids)
	m.message(6, *part)
}

// below returns the part of path below top.
func below(path, top string) string {
	if top == "" {
		return path
	}
	return path[min(len(top)+1, len(path)):]
}

// details writes an entry of FileDetailsCache. In a complete directory files are
// listed because they exist; there only those with a hash have details.
func (e *encoder) details(dir uint32) {
	from, to := e.snap.Files.In(dir)
	d := e.snap.Directories[dir]
	m := e.entry.reset()
	m.text(1, d.Path)
	found := false
	for file := from; file < to; file++ {
		if d.Complete && !e.hashed(file) {
			continue
		}
		found = true
		e.report.Files++
		m.message(2, e.file(file))
	}
	if found {
		e.write(5, *m)
	}
}

// hashed reports whether any version of a file has a hash.
func (e *encoder) hashed(file uint32) bool {
	v, last := e.snap.Files.Versions(file)
	for ; v < last; v++ {
		if e.snap.Files.Kinds(v) != 0 {
			return true
		}
	}
	return false
}

func (e *encoder) file(file uint32) message {
	files := &e.snap.Files
	part := e.part.reset()
	part.text(1, string(files.Name(file)))
	v, last := files.Versions(file)
	for ; v < last; v++ {
		var version message
		version.int(1, max(files.MTime(v), 0))
		version.int(2, max(files.Size(v), 0))
		for field, k := range []snapshot.HashKind{snapshot.SHA1, snapshot.MD5, snapshot.SHA256, snapshot.SHA512} {
			if sum := files.Hash(v, k); sum != nil {
				version.text(protowire.Number(field+3), fmt.Sprintf("%x", sum))
			}
		}
		part.message(2, version)
	}
	return *part
}
