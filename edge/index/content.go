package index

import (
	"github.com/waypost/waypost/edge/hostset"
	"github.com/waypost/waypost/edge/snapshot"
)

// content says which hosts hold what. Ten million files have only thousands
// of distinct host sets, so each set is stored once.
type content struct {
	words    int
	flat     []uint64          // the distinct sets
	byDir    []uint32          // by directory: its set
	holes    map[uint32]uint32 // by file: the set of hosts that lack it
	complete []bool            // by directory: an unlisted file does not exist
}

// compileContent gives directories under embargo no hosts at all.
func compileContent(s *snapshot.Snapshot, p *paths) content {
	n := len(s.Hosts)
	in := interner{words: hostset.Words(n), ids: map[string]uint32{}}
	c := content{
		words:    in.words,
		byDir:    make([]uint32, len(s.Directories)),
		holes:    make(map[uint32]uint32, len(s.Files.Holes())),
		complete: make([]bool, len(s.Directories)),
	}
	set := hostset.Make(n)
	for dir := range s.Directories {
		set.Clear()
		hidden := p.hidden(p.path(uint32(dir)))
		for h := range s.Hosts {
			if !hidden && s.Hosts[h].Has.Has(uint32(dir)) {
				set.Add(uint32(h))
			}
		}
		c.byDir[dir] = in.add(set)
		c.complete[dir] = s.Directories[dir].Complete
	}
	for file, hosts := range s.Files.Holes() {
		set.Clear()
		for _, h := range hosts {
			set.Add(h)
		}
		c.holes[file] = in.add(set)
	}
	c.flat = in.flat
	return c
}

func (c *content) set(id uint32) hostset.Set {
	return c.flat[int(id)*c.words : int(id+1)*c.words]
}

// Holders returns the hosts that hold a directory.
func (ix *Index) Holders(dir uint32) hostset.Set { return ix.content.set(ix.content.byDir[dir]) }

// Lacking returns the hosts that lack a file although they hold its
// directory; nil if there are none.
func (ix *Index) Lacking(file uint32) hostset.Set {
	if len(ix.content.holes) == 0 {
		return nil
	}
	id, ok := ix.content.holes[file]
	if !ok {
		return nil
	}
	return ix.content.set(id)
}

// Directory returns directory dir.
func (ix *Index) Directory(dir uint32) *snapshot.Directory { return &ix.in.Snapshot.Directories[dir] }
