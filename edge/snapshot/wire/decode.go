package wire

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/edge/snapshot"
)

// A decoder makes one snapshot, step by step.
type decoder struct {
	manifest *Manifest
	get      func(Hash) ([]byte, error)
	zstd     *zstd.Decoder
	snap     *snapshot.Snapshot

	one       map[Kind]*Section
	blocks    map[uint32]*Section // of files, by number of the block
	hosts     map[string]*Section // availability, by name of the host
	positions []uint32            // by number of directory: 1 above its position; 0: not there
}

// index sorts the sections by what they are.
func (d *decoder) index() error {
	d.one, d.blocks, d.hosts = map[Kind]*Section{}, map[uint32]*Section{}, map[string]*Section{}
	for i := range d.manifest.Sections {
		s := &d.manifest.Sections[i]
		if err := d.add(s); err != nil {
			return fmt.Errorf("section %s: %w", s, err)
		}
	}
	for _, kind := range single() {
		if d.one[kind] == nil {
			return fmt.Errorf("the manifest has no section %s", kind)
		}
	}
	return nil
}

var errTwice = errors.New("the manifest has it twice")

func (d *decoder) add(s *Section) error {
	switch s.Kind {
	case Files:
		n, err := strconv.ParseUint(s.Name, 10, 32)
		if err != nil || n > MaxNumber/BlockSize {
			return fmt.Errorf("want the number of a block, up to %d", MaxNumber/BlockSize)
		}
		if d.blocks[uint32(n)] != nil {
			return errTwice
		}
		d.blocks[uint32(n)] = s
		return nil
	case Availability:
		if d.hosts[s.Name] != nil {
			return errTwice
		}
		d.hosts[s.Name] = s
		return nil
	}
	for _, kind := range single() {
		if kind == s.Kind {
			if d.one[kind] != nil {
				return errTwice
			}
			d.one[kind] = s
			return nil
		}
	}
	return errors.New("its kind is not known: is this program older than the publisher's?")
}

// open returns the verified, unpacked bytes of a section, behind its kind.
func (d *decoder) open(s *Section) (*unpacker, error) {
	b, err := d.get(s.Hash)
	if err != nil {
		return nil, fmt.Errorf("section %s: %w", s, err)
	}
	if err = s.Verify(b); err != nil {
		return nil, err
	}
	raw, err := expand(d.zstd, b, s.Raw)
	if err != nil {
		return nil, fmt.Errorf("section %s: %w", s, err)
	}
	u := newUnpackerOf(raw)
	if head := u.take(min(len(s.Kind)+1, len(raw))); string(head) != string(s.Kind)+"\n" {
		return nil, fmt.Errorf("section %s: inside is a section of another kind, %.20q", s, head)
	}
	return u, nil
}

// tables reads the sections of which there is one each.
func (d *decoder) tables() error {
	s := d.snap
	steps := []struct {
		kind Kind
		read func(*unpacker)
	}{
		{Categories, func(u *unpacker) { s.Categories = unpackCategories(u) }},
		{Hosts, func(u *unpacker) { s.Hosts = unpackHosts(u, len(s.Categories)) }},
		{Directories, func(u *unpacker) { s.Directories = unpackDirectories(u, len(s.Categories)) }},
		{Repositories, func(u *unpacker) { unpackRepositories(u, s) }},
		{Overrides, func(u *unpacker) { unpackOverrides(u, s) }},
		{Embargoes, func(u *unpacker) { s.Embargoes = unpackEmbargoes(u) }},
		{Zones, func(u *unpacker) { s.Zones = u.blob("zones") }},
	}
	for _, step := range steps {
		section := d.one[step.kind]
		u, err := d.open(section)
		if err != nil {
			return err
		}
		step.read(u)
		if err = u.done(); err != nil {
			return fmt.Errorf("section %s: %w", section, err)
		}
	}
	return d.place()
}

// place notes the positions of directories by their numbers.
func (d *decoder) place() error {
	last := uint32(0)
	for i := range d.snap.Directories {
		last = max(last, d.snap.Directories[i].Number)
	}
	d.positions = make([]uint32, last+1)
	for i := range d.snap.Directories {
		dir := &d.snap.Directories[i]
		if other := d.positions[dir.Number]; other != 0 {
			return fmt.Errorf("section %s: %s and %s have the same number, %d", d.one[Directories], d.snap.Directories[other-1].Path, dir.Path, dir.Number)
		}
		d.positions[dir.Number] = uint32(i) + 1
	}
	return nil
}

// files reads the sections of files. Directories come in the order of their
// paths, and a block is kept from its first directory to its last: mostly
// numbers ascend with paths, and few are kept at a time.
func (d *decoder) files() error {
	left := map[uint32]int{}
	for i := range d.snap.Directories {
		left[d.snap.Directories[i].Number/BlockSize]++
	}
	open := map[uint32]*snapshot.Files{}
	var all snapshot.FileAppender
	for i := range d.snap.Directories {
		number := d.snap.Directories[i].Number
		block := number / BlockSize
		section := d.blocks[block]
		if section == nil {
			continue
		}
		if open[block] == nil {
			files, err := d.block(section)
			if err != nil {
				return err
			}
			open[block] = &files
			all.Grow(files.Len())
		}
		if err := all.Copy(uint32(i), open[block], number%BlockSize); err != nil {
			return fmt.Errorf("section %s: %w", section, err)
		}
		if left[block]--; left[block] == 0 {
			delete(open, block)
		}
	}
	d.snap.Files = all.Files(len(d.snap.Directories))
	return nil
}

func (d *decoder) block(s *Section) (snapshot.Files, error) {
	u, err := d.open(s)
	if err != nil {
		return snapshot.Files{}, err
	}
	files, err := unpackFiles(u)
	if err != nil {
		return snapshot.Files{}, fmt.Errorf("section %s: %w", s, err)
	}
	return files, nil
}

// availability reads what each host holds. A section for a host that is not
// there is refused; a host without a section holds nothing.
func (d *decoder) availability() error {
	s := d.snap
	if n := len(s.Hosts) * len(s.Directories); n > maxHeld {
		return fmt.Errorf("%d hosts × %d directories: want at most %d", len(s.Hosts), len(s.Directories), maxHeld)
	}
	lacks := make([][]uint32, len(s.Hosts))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	known := 0
	for i := range s.Hosts {
		section := d.hosts[s.Hosts[i].Name]
		if section == nil {
			continue
		}
		known++
		group.Go(func() error {
			u, err := d.open(section)
			if err != nil {
				return err
			}
			a, err := unpackAvailability(u, s, d.positions)
			if err != nil {
				return fmt.Errorf("section %s: %w", section, err)
			}
			s.Hosts[i].Has, lacks[i] = a.has, a.lacks
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if known != len(d.hosts) {
		return fmt.Errorf("the manifest has %d sections of availability for hosts that are not in section %s", len(d.hosts)-known, d.one[Hosts])
	}
	holes := map[uint32][]uint32{}
	for host, files := range lacks {
		for _, file := range files {
			holes[file] = append(holes[file], uint32(host))
		}
	}
	s.Files = s.Files.WithHoles(holes)
	return nil
}
