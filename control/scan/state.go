package scan

import (
	"fmt"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan/checksum"
	"github.com/waypost/waypost/edge/snapshot"
)

// A State is what one scan leaves for the next: the directories that it may
// take over, what was read of files, which files are waited for, and metadata as
// it was when it was complete. It is immutable. A scan without it gives the same
// tree, slower, and no metadata that is not complete now. It outlives the process
// by [State.MarshalBinary].
type State struct {
	master   string // what of the configuration dirs and read are true for
	scans    int
	dirs     map[string]*dir
	read     map[string]readFile
	metadata map[string]snapshot.Version
	waiting  map[string]int64 // since when files may soon have a hash, Unix seconds
}

// master says what a configuration reads, and how: a state of another one is
// worth nothing.
func (c *Config) master() string {
	return fmt.Sprintf("%q", [][]string{{c.Type, c.Path, c.URL, c.Content, c.Strip}, c.Excludes})
}

// otherMaster returns what is left of a state where the configuration has
// changed: the metadata. Nil has none.
func (s *State) otherMaster() *State {
	if s == nil {
		return &State{}
	}
	return &State{metadata: s.metadata}
}

// A readFile is what was read of a file.
type readFile struct {
	id     fileID
	hashes *registry.Hashes
	list   *checksum.List // of files of checksums
}
