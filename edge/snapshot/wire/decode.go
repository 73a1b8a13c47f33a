package wire

import (
	"errors"
	"fmt"
	"maps"
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
	held      map[Hash]available  // by section

	former    *decoder // of the snapshot before, nil for none
	sameDirs  bool     // as there
	sameFiles bool
}

func (d *decoder) decode() (err error) {
	if d.zstd, err = newUnpacker(); err != nil {
		return err
	}
	defer d.zstd.Close()
	for _, step := range []func() error{d.index, d.tables, d.directories, d.files, d.availability} {
		if err = step(); err != nil {
			return err
		}
	}
	return nil
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
	case zones:
		return nil
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
		{Repositories, func(u *unpacker) { unpackRepositories(u, s) }},
		{Overrides, func(u *unpacker) { unpackOverrides(u, s) }},
		{Embargoes, func(u *unpacker) { s.Embargoes = unpackEmbargoes(u) }},
	}
	for _, step := range steps {
		if err := d.read(step.kind, step.read); err != nil {
			return err
		}
	}
	return nil
}

// read reads the one section of a kind.
func (d *decoder) read(kind Kind, read func(*unpacker)) error {
	section := d.one[kind]
	u, err := d.open(section)
	if err != nil {
		return err
	}
	read(u)
	if err = u.done(); err != nil {
		return fmt.Errorf("section %s: %w", section, err)
	}
	return nil
}

// directories reads the directories, or takes the former ones, whose categories
// must be the same, too.
func (d *decoder) directories() error {
	same := func(kind Kind) bool { return d.one[kind].Hash == d.former.one[kind].Hash }
	if d.former != nil && same(Categories) && same(Directories) {
		d.sameDirs = true
		d.snap.Directories, d.positions = d.former.snap.Directories, d.former.positions
		return nil
	}
	err := d.read(Directories, func(u *unpacker) { d.snap.Directories = unpackDirectories(u, len(d.snap.Categories)) })
	if err != nil {
		return err
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

// files reads the sections of files, or takes the former ones.
func (d *decoder) files() error {
	if d.sameDirs && maps.EqualFunc(d.blocks, d.former.blocks, func(a, b *Section) bool { return a.Hash == b.Hash }) {
		d.sameFiles = true
		d.snap.Files = d.former.snap.Files
		return nil
	}
	open := d.newOpenBlocks()
	var all snapshot.FileAppender
	if d.former != nil {
		all.Grow(d.former.snap.Files.Len())
	}
	for i := range d.snap.Directories {
		number := d.snap.Directories[i].Number
		section := d.blocks[number/BlockSize]
		if section == nil {
			continue
		}
		if at, ok := d.formerly(section, number); ok {
			if err := all.Copy(uint32(i), &d.former.snap.Files, at); err != nil {
				return fmt.Errorf("section %s: %w", section, err)
			}
			continue
		}
		files, err := d.take(open, section, number)
		if err != nil {
			return err
		}
		if err := all.Copy(uint32(i), files, number%BlockSize); err != nil {
			return fmt.Errorf("section %s: %w", section, err)
		}
	}
	d.snap.Files = all.Files(len(d.snap.Directories))
	return nil
}

// formerly returns the former position of a directory whose section of files is
// as it was.
func (d *decoder) formerly(s *Section, number uint32) (position uint32, ok bool) {
	if d.former == nil || int(number) >= len(d.former.positions) || d.former.positions[number] == 0 {
		return 0, false
	}
	was := d.former.blocks[number/BlockSize]
	return d.former.positions[number] - 1, was != nil && was.Hash == s.Hash
}

// openBlocks are the blocks of files that were read. Directories come in the
// order of their paths, and a block is kept from its first directory to its
// last: mostly numbers ascend with paths, and few are kept at a time.
type openBlocks struct {
	files map[uint32]*snapshot.Files
	left  map[uint32]int // how many directories of the block are still to come
}

func (d *decoder) newOpenBlocks() *openBlocks {
	o := &openBlocks{files: map[uint32]*snapshot.Files{}, left: map[uint32]int{}}
	for i := range d.snap.Directories {
		number := d.snap.Directories[i].Number
		if s := d.blocks[number/BlockSize]; s == nil {
			continue
		} else if _, ok := d.formerly(s, number); !ok {
			o.left[number/BlockSize]++
		}
	}
	return o
}

// take returns the block of files of a directory, and reads it if it is not open.
func (d *decoder) take(open *openBlocks, s *Section, number uint32) (*snapshot.Files, error) {
	block := number / BlockSize
	files := open.files[block]
	if files == nil {
		read, err := d.block(s)
		if err != nil {
			return nil, err
		}
		files = &read
		open.files[block] = files
	}
	if open.left[block]--; open.left[block] == 0 {
		delete(open.files, block)
	}
	return files, nil
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
	all := make([]available, len(s.Hosts))
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
			var err error
			all[i], err = d.available(section)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if known != len(d.hosts) {
		return fmt.Errorf("the manifest has %d sections of availability for hosts that are not in section %s", len(d.hosts)-known, d.one[Hosts])
	}
	d.held = make(map[Hash]available, len(s.Hosts))
	lacks, older := map[uint32][]uint32{}, map[uint32][]snapshot.Holder{}
	for i, a := range all {
		if section := d.hosts[s.Hosts[i].Name]; section != nil {
			d.held[section.Hash] = a
		}
		s.Hosts[i].Has = a.has
		for _, file := range a.lacks {
			lacks[file] = append(lacks[file], uint32(i))
		}
		for _, o := range a.older {
			older[o.file] = append(older[o.file], snapshot.Holder{Host: uint32(i), Version: o.version})
		}
	}
	s.Files = s.Files.WithHoles(lacks)
	s.Files = s.Files.WithOlder(older)
	return nil
}

// available reads what a host holds, or takes what a host with the same section
// held when directories and files were the same.
func (d *decoder) available(section *Section) (available, error) {
	if d.sameFiles {
		if a, ok := d.former.held[section.Hash]; ok {
			return a, nil
		}
	}
	u, err := d.open(section)
	if err != nil {
		return available{}, err
	}
	a, err := unpackAvailability(u, d.snap, d.positions)
	if err != nil {
		return available{}, fmt.Errorf("section %s: %w", section, err)
	}
	return a, nil
}
