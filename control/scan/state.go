package scan

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"maps"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan/checksum"
	"github.com/waypost/waypost/control/scan/history"
)

// A State is what one scan leaves for the next: the directories that it may
// take over, what was read of files, and the history of metadata. It is
// immutable. A scan without it gives the same tree, slower, and a history that
// begins anew.
type State struct {
	scans    int
	dirs     map[string]*dir
	read     map[string]readFile
	metadata map[string]history.History
}

// A readFile is what was read of a file.
type readFile struct {
	id     fileID
	hashes *registry.Hashes
	list   *checksum.List // of files of checksums
}

// A savedState is a State on disk. Directories are not in it: the first scan
// after a start reads them all, which takes as long as loading them would
// save little.
type savedState struct {
	Scans    int
	Read     map[string]savedRead
	Metadata map[string]history.History
}

type savedRead struct {
	Size, MTime, CTime int64
	Inode, Device      uint64
	Hashes             *registry.Hashes
}

// MarshalBinary returns the hashes and the history of s, to be kept where the
// tree is kept.
func (s *State) MarshalBinary() ([]byte, error) {
	saved := savedState{Scans: s.scans, Read: map[string]savedRead{}, Metadata: s.metadata}
	for path, r := range s.read {
		if r.list == nil { // files of checksums are small: they are read again
			saved.Read[path] = savedRead{r.id.size, r.id.mtime, r.id.ctime, r.id.inode, r.id.device, r.hashes}
		}
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(saved); err != nil {
		return nil, fmt.Errorf("encoding the state of scans: %w", err)
	}
	return b.Bytes(), nil
}

// UnmarshalBinary is the reverse of [State.MarshalBinary].
func (s *State) UnmarshalBinary(data []byte) error {
	var saved savedState
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&saved); err != nil {
		return fmt.Errorf("decoding the state of scans: %w", err)
	}
	*s = State{scans: saved.Scans, metadata: saved.Metadata, read: make(map[string]readFile, len(saved.Read))}
	for path, r := range saved.Read {
		id := fileID{size: r.Size, mtime: r.MTime, ctime: r.CTime, inode: r.Inode, device: r.Device}
		s.read[path] = readFile{id: id, hashes: r.Hashes}
	}
	return nil
}

// Expire returns s without the older versions of the metadata below a
// directory: the emergency expiry of what is stale. "" is all.
func (s *State) Expire(below string) *State {
	out := *s
	out.metadata = maps.Clone(s.metadata)
	for path, h := range out.metadata {
		if within(path, below) {
			out.metadata[path] = history.Newest(h)
		}
	}
	return &out
}

// within reports whether a path is a directory's or below it.
func within(path, dir string) bool {
	return dir == "" || path == dir || len(path) > len(dir) && path[:len(dir)] == dir && path[len(dir)] == '/'
}
