package scan

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

// maxSaved is how large a saved state may be, uncompressed: ten million files.
const maxSaved = 1 << 30

// A saved state is zstd( gob of savedHead, directories ): numbers are varints,
// texts stand behind their length, and paths and names say how many bytes they
// share with the one before. 500,000 files have about 5 MB. A field of the head
// that changes its type gets another name, so that a state of before can be read.
type savedHead struct {
	Master  string
	Scans   int
	Read    map[string]savedRead
	Whole   map[string]snapshot.Version // metadata
	Waiting map[string]int64
	Dirs    int // how many follow
}

// A savedRead is what was read of a file. The device is not in it: its number is
// another one after a restart of the machine.
type savedRead struct {
	Size, MTime, CTime int64
	Inode              uint64
	Hashes             *registry.Hashes
}

// MarshalBinary returns s, to be kept where the tree is kept. It takes about
// half a second for 500,000 files.
func (s *State) MarshalBinary() ([]byte, error) {
	head := savedHead{
		Master: s.master, Scans: s.scans, Read: map[string]savedRead{}, Whole: s.metadata, Waiting: s.waiting, Dirs: len(s.dirs),
	}
	for path, r := range s.read {
		if r.list == nil { // files of checksums are small: they are read again
			head.Read[path] = savedRead{r.id.size, r.id.mtime, r.id.ctime, r.id.inode, r.hashes}
		}
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(head); err != nil {
		return nil, fmt.Errorf("encoding the state of scans: %w", err)
	}
	w := saver{}
	w.uint(uint64(b.Len()))
	w.out = append(w.out, b.Bytes()...)
	for _, path := range slices.Sorted(maps.Keys(s.dirs)) {
		w.dir(s.dirs[path])
	}
	if len(w.out) > maxSaved {
		return nil, fmt.Errorf("encoding the state of scans: it has %d bytes, more than %d", len(w.out), maxSaved)
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, err
	}
	defer z.Close() //nolint:errcheck // nothing is written by it
	return z.EncodeAll(w.out, nil), nil
}

// UnmarshalBinary is the reverse of [State.MarshalBinary].
func (s *State) UnmarshalBinary(data []byte) error {
	z, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxSaved))
	if err != nil {
		return err
	}
	defer z.Close()
	r := loader{}
	if r.rest, err = z.DecodeAll(data, nil); err != nil {
		return fmt.Errorf("decoding the state of scans: %w", err)
	}
	var head savedHead
	if err = gob.NewDecoder(bytes.NewReader(r.bytes(r.uint()))).Decode(&head); err != nil {
		return fmt.Errorf("decoding the state of scans: %w", err)
	}
	*s = State{
		master: head.Master, scans: head.Scans, metadata: head.Whole, waiting: head.Waiting,
		read: make(map[string]readFile, len(head.Read)), dirs: map[string]*dir{},
	}
	for path, f := range head.Read {
		s.read[path] = readFile{id: fileID{size: f.Size, mtime: f.MTime, ctime: f.CTime, inode: f.Inode, device: noDevice}, hashes: f.Hashes}
	}
	for range head.Dirs {
		d := r.dir()
		if r.err != nil {
			break
		}
		s.dirs[d.path] = d
	}
	if r.err == nil && len(r.rest) > 0 {
		r.err = errors.New("it has more than it should")
	}
	if r.err != nil {
		return fmt.Errorf("decoding the state of scans: %w", r.err)
	}
	return nil
}

// A saver appends values.
type saver struct {
	out        []byte
	path, name string // the ones before
}

func (w *saver) uint(n uint64) { w.out = binary.AppendUvarint(w.out, n) }
func (w *saver) int(n int64)   { w.out = binary.AppendVarint(w.out, n) }

func (w *saver) text(s string) {
	w.uint(uint64(len(s)))
	w.out = append(w.out, s...)
}

// after appends a text that shares bytes with the one before.
func (w *saver) after(last *string, s string) {
	n := 0
	for n < min(len(s), len(*last)) && s[n] == (*last)[n] {
		n++
	}
	w.uint(uint64(n))
	w.text(s[n:])
	*last = s
}

func (w *saver) dir(d *dir) {
	w.after(&w.path, d.path)
	w.int(d.changed)
	w.uint(flags(d.readable, d.trusted))
	w.int(d.id.size)
	w.int(d.id.mtime)
	w.int(d.id.ctime)
	w.uint(d.id.inode)
	w.uint(uint64(d.id.mode))
	w.uint(uint64(len(d.files)))
	for i := range d.files { // none has hashes: the tree has
		w.after(&w.name, d.files[i].Name)
		w.int(d.files[i].Size)
		w.int(d.files[i].Changed - d.changed)
	}
	w.uint(uint64(len(d.links)))
	for _, l := range d.links {
		w.text(l.name)
		w.text(l.target)
	}
	for _, list := range [][]string{d.subdirs, d.young} {
		w.uint(uint64(len(list)))
		for _, name := range list {
			w.text(name)
		}
	}
}

func flags(readable, trusted bool) (bits uint64) {
	if readable {
		bits |= 1
	}
	if trusted {
		bits |= 2
	}
	return bits
}

// A loader reads what a saver wrote. After its first error it gives zeros.
type loader struct {
	rest       []byte
	path, name string // the ones before
	err        error
}

var errCut = errors.New("it is cut off")

func (r *loader) fail(err error) {
	r.rest = nil
	if r.err == nil {
		r.err = err
	}
}

func (r *loader) uint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail(errCut)
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *loader) int() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail(errCut)
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *loader) bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail(errCut)
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *loader) text() string { return string(r.bytes(r.uint())) }

func (r *loader) after(last *string) string {
	n := r.uint()
	if n > uint64(len(*last)) {
		r.fail(errCut)
		return ""
	}
	*last = (*last)[:n] + r.text()
	return *last
}

// count reads how many things follow, each of a byte at least.
func (r *loader) count() int {
	n := r.uint()
	if n > uint64(len(r.rest)) {
		r.fail(errCut)
		return 0
	}
	return int(n)
}

func (r *loader) dir() *dir {
	d := &dir{path: r.after(&r.path), changed: r.int()}
	bits := r.uint()
	d.readable, d.trusted = bits&1 != 0, bits&2 != 0
	d.id = fileID{size: r.int(), mtime: r.int(), ctime: r.int(), inode: r.uint(), mode: fs.FileMode(r.uint()), device: noDevice}
	if n := r.count(); n > 0 {
		d.files = make([]registry.File, n)
	}
	for i := range d.files {
		d.files[i] = registry.File{Name: r.after(&r.name), Size: r.int(), Changed: d.changed + r.int()}
		if r.err != nil {
			return d
		}
	}
	for range r.count() {
		d.links = append(d.links, link{r.text(), r.text()})
	}
	for _, list := range []*[]string{&d.subdirs, &d.young} {
		for range r.count() {
			*list = append(*list, r.text())
		}
	}
	return d
}
