// Package wire is the published form of a snapshot: what a control plane signs
// and edges fetch, verify and keep on disk.
//
// A [Manifest] names sections by the SHA-256 of their bytes. A section that did
// not change has the same bytes, and so the same name, in the next snapshot:
// an edge fetches only what it lacks, from whomever has it.
//
//	manifest ─┬─ categories, hosts, directories, repositories, overrides, embargoes
//	          ├─ files         one for each block of directories
//	          └─ availability  one for each host
//
//	Encode(snapshot) ──► sections, Manifest ── Sign(key) ──► bytes
//	bytes ── Open(keys) ──► Manifest ── Decode(sections) ──► snapshot
//
// # The manifest
//
// Text of three kinds of lines:
//
//	waypost snapshot 2
//	{"version":1795303225697,"created":"2026-11-21T23:20:25.697Z","sections":[{"kind":"hosts","sha256":"…","size":…,"raw":…,"items":…}, …]}
//	ed25519 KEY SIGNATURE
//
// The number is that of the format ([Format]). Signatures (RFC 8032) are over the first
// two lines with their ends; there may be several, so that keys can change.
// KEY is [KeyID], SIGNATURE is in base64.
//
// # Sections
//
// A section is one zstd frame (RFC 8878) that states its size. Inside are the
// section's kind and a line feed, and then numbers as unsigned varints, signed
// ones in zigzag, texts behind their length, and columns behind theirs. The
// same snapshot gives the same bytes.
//
// Directories have a number that is assigned once and never again
// ([snapshot.Directory]). Sections name them by it, and edges give them
// positions when they decode. A section of files holds [BlockSize] numbers; a
// host's availability is a bitmap of numbers, the files that are missing where
// the directory is held, by name, and which older version of some of these the
// host holds instead, by SHA-256. Numbers, names and versions that the snapshot
// does not have are passed over: they were, and their publisher need not write
// every host's section anew when a directory goes or an alternate ages out.
//
// # Safety
//
// Nothing is parsed before its signature or hash was verified, and no length
// is believed: every count is held against the bytes that are there before
// anything is allocated, and no section may unpack to more than the manifest
// says and [Kind] allows. All functions may be called by any number of
// goroutines.
package wire

import (
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/waypost/waypost/edge/snapshot"
)

// BlockSize is how many numbers of directories share a section of files.
const BlockSize = 1024

// Limits of what is encoded and decoded. They are far above the largest
// mirror networks and keep a broken publisher from filling an edge's memory.
const (
	MaxNumber  = 1<<26 - 1 // the highest number of a directory
	maxHosts   = 1 << 16
	maxHeld    = 1 << 34 // hosts × directories: a bit each
	maxText    = 1 << 12 // bytes of a name, path or URL
	maxRawSum  = 8 << 30 // bytes of all sections, unpacked
	maxRaw     = 1 << 30 // bytes of a section, unpacked
	maxRawHost = 1 << 26 // bytes of a host's availability, unpacked
)

// NextVersion returns the version of a snapshot that is published at now and
// follows the version previous: max(previous + 1, Unix milliseconds).
func NextVersion(previous uint64, now time.Time) uint64 {
	return max(previous+1, uint64(max(now.UnixMilli(), 0)))
}

// Encode gives put the bytes of each section, one at a time, and returns the
// manifest that names them; it is not signed yet. Sections with the same bytes
// are given once. Directories must have different numbers, hosts different
// names. Put keeps the slice. It costs about a second of two processors at
// 1,000 hosts × 200,000 directories × 2,000,000 files.
func Encode(s *snapshot.Snapshot, put func(Hash, []byte) error) (*Manifest, error) {
	return new(Encoder).Encode(s, func(Hash) bool { return false }, put)
}

// A part is a section to be.
type part struct {
	kind  Kind
	name  string
	items int
	pack  func(*packer) error
}

func (p *part) encode(z *zstd.Encoder) (Section, []byte, error) {
	s := Section{Kind: p.kind, Name: p.name, Items: p.items}
	to := &packer{}
	to.bytes = append(to.bytes, string(p.kind)+"\n"...)
	if err := p.pack(to); err != nil {
		return s, nil, err
	}
	data := z.EncodeAll(to.bytes, nil)
	s.Hash, s.Size, s.Raw = HashOf(data), len(data), len(to.bytes)
	return s, data, s.check()
}

// Decode returns the snapshot that the manifest names. Get returns the bytes
// of a section; Decode verifies them, and calls get from several goroutines.
// The error names the section that is wrong, and why.
func Decode(m *Manifest, get func(Hash) ([]byte, error)) (*snapshot.Snapshot, error) {
	return new(Decoder).Decode(m, get)
}

// A Decoder decodes one snapshot after the other. Each shares with the one
// before the columns of sections that both have, which it neither asks for nor
// reads again: one host's change costs little more than its section. The zero
// value is ready. It keeps the last snapshot in memory, and is for one
// goroutine.
type Decoder struct{ last *decoder }

// Decode is [Decode]. After an error the next call shares with the last
// snapshot that was good.
func (d *Decoder) Decode(m *Manifest, get func(Hash) ([]byte, error)) (*snapshot.Snapshot, error) {
	next := &decoder{manifest: m, get: get, former: d.last, snap: &snapshot.Snapshot{Version: m.Version, Created: m.Created}}
	if err := next.decode(); err != nil {
		return nil, fmt.Errorf("decoding snapshot %d: %w", m.Version, err)
	}
	next.get, next.former = nil, nil
	d.last = next
	return next.snap, nil
}
