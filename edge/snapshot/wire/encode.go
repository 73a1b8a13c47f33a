package wire

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"

	"github.com/waypost/waypost/edge/snapshot"
)

// An encoder knows what the sections of a snapshot need beside it.
type encoder struct {
	snap     *snapshot.Snapshot
	byNumber []uint32          // positions of directories, by their number
	holes    map[uint32][]hole // by host
}

// A hole is a file that a host lacks although it holds the directory.
type hole struct {
	dir, file uint32
	older     []byte // the SHA-256 of the version that it holds instead, nil for none
}

func newEncoder(s *snapshot.Snapshot) (*encoder, error) {
	e := &encoder{snap: s, byNumber: make([]uint32, len(s.Directories)), holes: map[uint32][]hole{}}
	for i := range e.byNumber {
		e.byNumber[i] = uint32(i)
	}
	number := func(pos uint32) uint32 { return s.Directories[pos].Number }
	slices.SortFunc(e.byNumber, func(a, b uint32) int { return int(number(a)) - int(number(b)) })
	for i, pos := range e.byNumber {
		d := &s.Directories[pos]
		if d.Number > MaxNumber {
			return nil, fmt.Errorf("directory %s has the number %d, want at most %d", d.Path, d.Number, MaxNumber)
		}
		if i > 0 && number(e.byNumber[i-1]) == d.Number {
			return nil, fmt.Errorf("directories %s and %s have the same number, %d", s.Directories[e.byNumber[i-1]].Path, d.Path, d.Number)
		}
	}
	if err := e.checkHosts(); err != nil {
		return nil, err
	}
	e.findHoles()
	return e, nil
}

func (e *encoder) checkHosts() error {
	names := map[string]bool{}
	for i := range e.snap.Hosts {
		name := e.snap.Hosts[i].Name
		if name == "" || names[name] {
			return fmt.Errorf("host %d: want a name of its own, got %q", i, name)
		}
		names[name] = true
	}
	if len(names) > maxHosts {
		return fmt.Errorf("%d hosts, want at most %d", len(names), maxHosts)
	}
	return nil
}

// findHoles sorts holes by host, then by number of directory, then by name.
func (e *encoder) findHoles() {
	files := &e.snap.Files
	if len(files.Holes()) == 0 {
		return
	}
	for _, pos := range e.byNumber {
		for file, end := files.In(pos); file < end; file++ {
			for _, h := range files.Lacks(file) {
				mine := e.holes[h]
				if n := len(mine); n > 0 && mine[n-1].file == file {
					continue // named twice
				}
				e.holes[h] = append(mine, hole{pos, file, olderSum(files, file, h)})
			}
		}
	}
}

// olderSum returns the SHA-256 of the older version of a file that a host holds.
func olderSum(files *snapshot.Files, file, host uint32) []byte {
	for _, o := range files.Older(file) {
		if o.Host == host {
			return files.Hash(o.Version, snapshot.SHA256)
		}
	}
	return nil
}

// parts returns the sections to be, in their order.
func (e *encoder) parts() []part {
	s := e.snap
	pack := func(f func(*packer)) func(*packer) error { return func(p *packer) error { f(p); return nil } }
	parts := []part{
		{Categories, "", len(s.Categories), pack(func(p *packer) { packCategories(p, s.Categories) })},
		{Hosts, "", len(s.Hosts), pack(func(p *packer) {
			p.uint(uint64(len(s.Hosts)))
			for i := range s.Hosts {
				packHost(p, &s.Hosts[i])
			}
		})},
		{Directories, "", len(s.Directories), pack(func(p *packer) { packDirectories(p, s.Directories) })},
		{Repositories, "", len(s.Repositories), pack(func(p *packer) { packRepositories(p, s) })},
		{Overrides, "", len(s.CountryOverrides) + len(s.ContinentOverrides), pack(func(p *packer) { packOverrides(p, s) })},
		{Embargoes, "", len(s.Embargoes), pack(func(p *packer) { packEmbargoes(p, s.Embargoes) })},
	}
	return append(append(parts, e.fileParts()...), e.hostParts()...)
}

// fileParts returns a section for each block of numbers with files.
func (e *encoder) fileParts() (parts []part) {
	s := e.snap
	for from := 0; from < len(e.byNumber); {
		block := s.Directories[e.byNumber[from]].Number / BlockSize
		to, files := from, 0
		for to < len(e.byNumber) && s.Directories[e.byNumber[to]].Number/BlockSize == block {
			first, end := s.Files.In(e.byNumber[to])
			files += int(end - first)
			to++
		}
		dirs := e.byNumber[from:to]
		if files > 0 {
			parts = append(parts, part{Files, strconv.Itoa(int(block)), files, func(p *packer) error { return e.packFiles(p, dirs) }})
		}
		from = to
	}
	return parts
}

func (e *encoder) hostParts() (parts []part) {
	for i := range e.snap.Hosts {
		h := &e.snap.Hosts[i]
		held := 0
		for _, word := range h.Has {
			held += bits.OnesCount64(word)
		}
		parts = append(parts, part{Availability, h.Name, held, func(p *packer) error { e.packAvailability(p, uint32(i)); return nil }})
	}
	return parts
}
