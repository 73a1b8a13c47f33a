package blob

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

const treeMagic = "WPT1"

// The columns of a tree.
const (
	treeHead = iota
	dirPaths
	dirTimes
	dirReadable
	dirFiles
	fileNames
	fileSizes
	fileTimes
	fileKinds
	fileSums
	treeColumns
)

// EncodeTree writes a tree: 2,000,000 files take about 0.3 s.
func (c *Codec) EncodeTree(t *registry.Tree) []byte {
	var columns [treeColumns][]byte
	head, paths, names := &texter{}, &texter{}, &texter{}
	files := 0
	for i := range t.Directories {
		d := &t.Directories[i]
		paths.add(d.Path)
		columns[dirTimes] = binary.AppendVarint(columns[dirTimes], d.Changed)
		columns[dirReadable] = append(columns[dirReadable], bit(d.Readable)|bit(d.Partial)<<1)
		columns[dirFiles] = binary.AppendUvarint(columns[dirFiles], uint64(len(d.Files)))
		files += len(d.Files)
		for j := range d.Files {
			f := &d.Files[j]
			names.add(f.Name)
			columns[fileSizes] = binary.AppendVarint(columns[fileSizes], f.Size)
			columns[fileTimes] = binary.AppendVarint(columns[fileTimes], f.Changed-d.Changed)
			columns[fileKinds] = append(columns[fileKinds], kinds(f.Hashes))
			columns[fileSums] = appendSums(columns[fileSums], f.Hashes)
		}
	}
	head.add(t.Category)
	head.out = binary.AppendVarint(head.out, stamp(t.Scanned))
	head.out = binary.AppendUvarint(head.out, uint64(len(t.Directories)))
	head.out = binary.AppendUvarint(head.out, uint64(files))
	head.out = append(head.out, bit(t.Partial))
	columns[treeHead], columns[dirPaths], columns[fileNames] = head.out, paths.out, names.out
	return c.pack(treeMagic, columns[:]...)
}

// DecodeTree reads a tree: 2,000,000 files take about 0.3 s and 160 MiB. Names
// and hashes share their memory; the tree lives as long as any of them.
func (c *Codec) DecodeTree(data []byte) (*registry.Tree, error) {
	columns, err := c.unpack(treeMagic, data, treeColumns)
	if err != nil {
		return nil, fmt.Errorf("decoding a tree: %w", err)
	}
	t, counts, n := readDirectories(columns)
	files := readFiles(columns, n)
	for i := range t.Directories {
		d := &t.Directories[i]
		if counts[i] > len(files) {
			columns[dirFiles].fail(errLong)
			break
		}
		if counts[i] > 0 {
			d.Files, files = files[:counts[i]:counts[i]], files[counts[i]:]
		}
		for j := range d.Files {
			d.Files[j].Changed += d.Changed
		}
	}
	if len(files) > 0 {
		columns[dirFiles].fail(errShort)
	}
	if err := ends(columns); err != nil {
		return nil, fmt.Errorf("decoding a tree: %w", err)
	}
	return t, nil
}

// readDirectories reads a tree without its files, how many files each directory
// has, and how many there are.
func readDirectories(columns []*column) (t *registry.Tree, counts []int, files int) {
	head := columns[treeHead]
	t = &registry.Tree{Category: head.string(), Scanned: unstamp(head.varint())}
	t.Directories = make([]registry.Directory, head.count(columns[dirReadable]))
	files = head.count(columns[fileKinds])
	t.Partial = head.byte() != 0
	counts = make([]int, len(t.Directories))
	for i, path := range columns[dirPaths].texts(len(t.Directories)) {
		d := &t.Directories[i]
		flags := columns[dirReadable].byte()
		d.Path, d.Changed, d.Readable, d.Partial = path, columns[dirTimes].varint(), flags&1 != 0, flags&2 != 0
		counts[i] = int(min(columns[dirFiles].uvarint(), math.MaxInt32))
	}
	return t, counts, files
}

// readFiles reads all files, their times yet without that of their directory.
func readFiles(columns []*column, n int) []registry.File {
	known := 0
	for _, k := range columns[fileKinds].rest {
		if k != 0 {
			known++
		}
	}
	hashes := make([]registry.Hashes, 0, known)
	files := make([]registry.File, n)
	for i, name := range columns[fileNames].texts(n) {
		f := &files[i]
		f.Name, f.Size, f.Changed = name, columns[fileSizes].varint(), columns[fileTimes].varint()
		if k := columns[fileKinds].byte(); k != 0 {
			hashes = append(hashes, readSums(columns[fileSums], k))
			f.Hashes = &hashes[len(hashes)-1]
		}
	}
	return files
}

// kinds returns a bit for each kind of hash that is known.
func kinds(h *registry.Hashes) (bits byte) {
	if h == nil {
		return 0
	}
	for k, sum := range h {
		if len(sum) > 0 {
			bits |= 1 << k
		}
	}
	return bits
}

func appendSums(out []byte, h *registry.Hashes) []byte {
	if h == nil {
		return out
	}
	for _, sum := range h {
		out = append(out, sum...)
	}
	return out
}

func readSums(c *column, kinds byte) (h registry.Hashes) {
	for k := range snapshot.HashKinds {
		if kinds>>k&1 != 0 {
			h[k] = c.bytes(uint64(k.Size()))
		}
	}
	if kinds >= 1<<snapshot.HashKinds {
		c.fail(errLong)
	}
	return h
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// stamp writes a time to the millisecond, as the whole database does; 0 is no time.
func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func unstamp(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
