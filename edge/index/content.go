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
	older    map[uint32]uint32 // by file: the set of those of them that hold an older version
	complete []bool            // by directory: an unlisted file does not exist
}

// compileContent gives directories under embargo no hosts at all.
func compileContent(s *snapshot.Snapshot, p *paths) content {
	n := len(s.Hosts)
	in := interner{ids: map[string]uint32{}}
	c := content{
		words:    hostset.Words(n),
		byDir:    make([]uint32, len(s.Directories)),
		holes:    make(map[uint32]uint32, len(s.Files.Holes())),
		older:    make(map[uint32]uint32, len(s.Files.AllOlder())),
		complete: make([]bool, len(s.Directories)),
	}
	block := make([]uint64, 64*c.words)
	for base := 0; base < len(s.Directories); base += 64 {
		holders(s.Hosts, base/64, block, c.words)
		for i := range min(64, len(s.Directories)-base) {
			dir := base + i
			set := hostset.Set(block[i*c.words : (i+1)*c.words])
			if p.hidden(p.path(uint32(dir))) {
				set.Clear()
			}
			c.byDir[dir] = in.add(set)
			c.complete[dir] = s.Directories[dir].Complete
		}
	}
	set := hostset.Make(n)
	for file, hosts := range s.Files.Holes() {
		set.Clear()
		for _, h := range hosts {
			set.Add(h)
		}
		c.holes[file] = in.add(set)
	}
	for file, holders := range s.Files.AllOlder() {
		set.Clear()
		for _, h := range holders {
			set.Add(h.Host)
		}
		c.older[file] = in.add(set)
	}
	c.flat = in.flat
	return c
}

// holders sets block to the sets of hosts, each of so many words, that hold the
// 64 directories of one word of the hosts' bitmaps. It turns squares of 64 hosts
// and 64 directories around: a thousand hosts × a million directories are 10⁹
// bits, which one by one would take many seconds.
func holders(hosts []snapshot.Host, word int, block []uint64, words int) {
	for w := range words {
		var square [64]uint64
		for i := range min(64, len(hosts)-w*64) {
			if has := hosts[w*64+i].Has; word < len(has) {
				square[i] = has[word]
			}
		}
		transpose(&square)
		for i, set := range square {
			block[i*words+w] = set
		}
	}
}

// transpose makes bit i of word k out of bit k of word i: it exchanges the
// upper right quarter of the square with the lower left one, and then does the
// same inside each quarter.
func transpose(square *[64]uint64) {
	low := uint64(1<<32 - 1) // the columns that are the left half of their quarter
	for half := 32; half > 0; half /= 2 {
		for row := 0; row < 64; row = (row + half + 1) &^ half {
			swap := (square[row]>>half ^ square[row+half]) & low
			square[row] ^= swap << half
			square[row+half] ^= swap
		}
		low ^= low << (half / 2)
	}
}

func (c *content) set(id uint32) hostset.Set {
	return c.flat[int(id)*c.words : int(id+1)*c.words]
}

// of returns the set of a file, nil if it has none.
func (c *content) of(sets map[uint32]uint32, file uint32) hostset.Set {
	if len(sets) == 0 {
		return nil
	}
	id, ok := sets[file]
	if !ok {
		return nil
	}
	return c.set(id)
}

// Holders returns the hosts that hold a directory.
func (ix *Index) Holders(dir uint32) hostset.Set { return ix.content.set(ix.content.byDir[dir]) }

// Lacking returns the hosts that lack the current version of a file although
// they hold its directory; nil if there are none.
func (ix *Index) Lacking(file uint32) hostset.Set { return ix.content.of(ix.content.holes, file) }

// HoldingOlder returns those hosts of [Index.Lacking] that hold an older
// version of the file, which its metalinks name as an alternate; nil if there
// are none.
func (ix *Index) HoldingOlder(file uint32) hostset.Set { return ix.content.of(ix.content.older, file) }

// Directory returns directory dir.
func (ix *Index) Directory(dir uint32) *snapshot.Directory { return &ix.in.Snapshot.Directories[dir] }
