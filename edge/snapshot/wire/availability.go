package wire

import (
	"encoding/binary"

	"github.com/waypost/waypost/edge/snapshot"
)

// packAvailability packs what a host holds: a bitmap of numbers, and the files
// it lacks, by number of the directory and name. The host's own name is not in
// it, so that hosts that hold the same share a section.
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
	holes := e.holes[host]
	p.uint(uint64(len(holes)))
	last := uint32(0)
	for _, h := range holes {
		number := s.Directories[h.dir].Number
		p.uint(uint64(number - last))
		p.blob(s.Files.Name(h.file))
		last = number
	}
}

// An available is what a host holds, in positions of directories and files.
type available struct {
	has   snapshot.Bitmap
	lacks []uint32 // files
}

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
	number := uint64(0)
	for range u.count(2, "missing files") {
		number += u.upTo(MaxNumber, "number of the directory")
		name := u.blob("the name")
		if u.err != nil {
			break
		}
		if number >= uint64(len(positions)) || positions[number] == 0 {
			continue // a directory that is gone
		}
		if file, ok := s.Files.Find(positions[number]-1, name); ok {
			a.lacks = append(a.lacks, file)
		}
	}
	return a, u.done()
}
