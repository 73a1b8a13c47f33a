package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"github.com/waypost/waypost/edge/snapshot"
)

// packAvailability packs what a host holds: a bitmap of numbers, and the files
// it lacks, by number of the directory and name. The host's own name is not in
// it, so that hosts that hold the same share a section.
//
// Where it holds an older version of some of these files, a list of that
// follows; its absence, rather than a list of nothing, leaves the sections of
// all other hosts as format 1 had them.
func (e *encoder) packAvailability(p *packer, host uint32) {
	s := e.snap
	var has snapshot.Bitmap
	for dir := range s.Directories {
		if s.Hosts[host].Has.Has(uint32(dir)) {
			has.Add(s.Directories[dir].Number)
		}
	}
	var bitmap packer
	for _, word := range has {
		bitmap.bytes = binary.LittleEndian.AppendUint64(bitmap.bytes, word)
	}
	p.column(&bitmap)
	holes, older := e.holes[host], 0
	p.uint(uint64(len(holes)))
	last := uint32(0)
	for _, h := range holes {
		number := s.Directories[h.dir].Number
		p.uint(uint64(number - last))
		p.blob(s.Files.Name(h.file))
		last = number
		if h.older != nil {
			older++
		}
	}
	if older > 0 {
		p.uint(uint64(older))
		packOlder(p, holes)
	}
}

// packOlder packs the older versions that fill holes: how many holes were
// passed over since the last one, and the version's SHA-256.
func packOlder(p *packer, holes []hole) {
	skipped := uint64(0)
	for _, h := range holes {
		if h.older == nil {
			skipped++
			continue
		}
		p.uint(skipped)
		p.fixed(h.older...)
		skipped = 0
	}
}

// An available is what a host holds, in positions of directories and files.
type available struct {
	has   snapshot.Bitmap
	lacks []uint32     // files
	older []heldBefore // those of them that it holds in an older version
}

// A heldBefore is a file that a host holds in an older version.
type heldBefore struct{ file, version uint32 }

// unpackAvailability reads what a host holds. Positions is by number of
// directory, and 1 above the position; 0 is a directory that is not there.
func unpackAvailability(u *unpacker, s *snapshot.Snapshot, positions []uint32) (available, error) {
	bitmap := u.blob("the bitmap")
	if len(bitmap)%8 != 0 || len(bitmap) > (MaxNumber+1)/8 {
		u.fail("want a bitmap of whole words for numbers up to %d, got %d bytes", MaxNumber, len(bitmap))
	}
	a := available{has: make(snapshot.Bitmap, (len(s.Directories)+63)/64)}
	for i := 0; i+8 <= len(bitmap) && i*8 < len(positions); i += 8 {
		word := binary.LittleEndian.Uint64(bitmap[i:])
		for bit, pos := range positions[i*8 : min(i*8+64, len(positions))] {
			if pos != 0 {
				a.has[(pos-1)/64] |= word >> bit & 1 << ((pos - 1) % 64)
			}
		}
	}
	a.unpackHoles(u, s, positions)
	return a, u.done()
}

// gone is the file of a hole whose file is not there any more.
const gone = ^uint32(0)

// unpackHoles reads the missing files, which must ascend, and the older
// versions that the host holds instead.
func (a *available) unpackHoles(u *unpacker, s *snapshot.Snapshot, positions []uint32) {
	holes := make([]uint32, 0, 16)
	number, last := uint64(0), []byte(nil)
	for range u.count(2, "missing files") {
		step := u.upTo(MaxNumber, "number of the directory")
		name := u.blob("the name")
		if step == 0 && last != nil && bytes.Compare(name, last) <= 0 {
			u.fail("missing file %q comes after %q", name, last)
		}
		if number += step; number > MaxNumber {
			u.fail("want numbers of directories up to %d, got %d", MaxNumber, number)
		}
		if u.err != nil {
			return
		}
		last = name
		file := gone
		if number < uint64(len(positions)) && positions[number] != 0 {
			if at, ok := s.Files.Find(positions[number]-1, name); ok {
				file = at
				a.lacks = append(a.lacks, file)
			}
		}
		holes = append(holes, file)
	}
	if len(u.rest) > 0 {
		a.unpackOlder(u, s, holes)
	}
}

func (a *available) unpackOlder(u *unpacker, s *snapshot.Snapshot, holes []uint32) {
	n := u.count(1+sha256.Size, "older versions")
	if n == 0 {
		u.fail("an empty list of older versions is left over")
	}
	for range n {
		skipped := u.upTo(uint64(len(holes)), "number of missing files")
		sum := u.take(sha256.Size)
		if u.err == nil && skipped >= uint64(len(holes)) {
			u.fail("want an older version of a missing file, there are no more")
		}
		if u.err != nil {
			return
		}
		file := holes[skipped]
		holes = holes[skipped+1:]
		if file == gone {
			continue
		}
		if version, ok := s.Files.OlderVersion(file, sum); ok {
			a.older = append(a.older, heldBefore{file, version})
		}
	}
}
