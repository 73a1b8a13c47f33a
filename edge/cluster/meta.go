package cluster

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	metaFormat  = 1
	maxRegion   = 64
	maxProgram  = 64
	maxPrefixes = 64 // that a member can tell it announces
)

// A Meta is what an edge tells of itself to all others, within 512 bytes.
type Meta struct {
	Region   string
	Country  string
	Cell     uint32         // where it stands, as of [geo.Cell]; 0: it does not say
	Program  string         // its version
	Snapshot uint64         // version of the one in use
	Data     time.Time      // when that was made, by the clock of who made it; zero: there is none
	Probes   bool           // it looks at mirrors, and votes
	Leaving  bool           // it was told to stop, or is being drained
	Share    uint16         // port where other edges get snapshots, at the address of the gossip; 0: nowhere
	Group    uint32         // edges that share follow the same control plane if this is the same
	Announce []netip.Prefix // announced in full health, at most 64; others learn only hashes of them
	hashes   []uint32       // of Announce
	keys     []KeyID        // that it accepts, the one it encrypts with first
}

// Announces reports whether the edge announces a prefix.
func (m *Meta) Announces(p netip.Prefix) bool { return slices.Contains(m.hashes, hashPrefix(p)) }

// hashPrefix is what stands for a prefix on the wire. One that is not announced
// is taken for another by chance of one in 67 million, with 64 of them.
func hashPrefix(p netip.Prefix) uint32 {
	h := fnv.New32a()
	text, _ := p.Masked().MarshalText() // never fails
	_, _ = h.Write(text)                // nor does this
	return h.Sum32()
}

// encode writes the meta. It is
//
//	format    1
//	flags     1: probes, 2: leaving
//	region, country, program   each with its length before it
//	snapshot, data             unsigned varints; data in Unix seconds, 0 for none
//	prefixes  their number, one byte, and four bytes each
//	keys      the same
//	share, group, cell         two, four and four bytes; nothing if there are no more
func (m *Meta) encode() []byte {
	flags := byte(0)
	if m.Probes {
		flags |= 1
	}
	if m.Leaving {
		flags |= 2
	}
	b := []byte{metaFormat, flags}
	for _, text := range []string{clip(m.Region, maxRegion), clip(m.Country, 2), clip(m.Program, maxProgram)} {
		b = append(append(b, byte(len(text))), text...)
	}
	b = binary.AppendUvarint(b, m.Snapshot)
	seconds := int64(0)
	if !m.Data.IsZero() {
		seconds = max(m.Data.Unix(), 0)
	}
	b = binary.AppendUvarint(b, uint64(seconds))
	n := min(len(m.Announce), maxPrefixes)
	b = append(b, byte(n))
	for _, p := range m.Announce[:n] {
		b = binary.BigEndian.AppendUint32(b, hashPrefix(p))
	}
	n = min(len(m.keys), maxKeys)
	b = append(b, byte(n))
	for _, id := range m.keys[:n] {
		b = binary.BigEndian.AppendUint32(b, uint32(id))
	}
	b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(b, m.Share), m.Group)
	return binary.BigEndian.AppendUint32(b, m.Cell)
}

func clip(text string, n int) string { return text[:min(len(text), n)] }

var errMeta = errors.New("want what an edge tells of itself in format 1")

// parseMeta reads what [Meta.encode] writes.
func parseMeta(b []byte) (m Meta, err error) {
	if len(b) < 2 || len(b) > memberlist.MetaMaxSize || b[0] != metaFormat {
		return m, errMeta
	}
	m.Probes, m.Leaving = b[1]&1 != 0, b[1]&2 != 0
	b = b[2:]
	for _, text := range []*string{&m.Region, &m.Country, &m.Program} {
		if len(b) == 0 || len(b) <= int(b[0]) {
			return m, errMeta
		}
		*text, b = string(b[1:1+int(b[0])]), b[1+int(b[0]):]
	}
	var seconds uint64
	for _, number := range []*uint64{&m.Snapshot, &seconds} {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return m, errMeta
		}
		*number, b = v, b[n:]
	}
	if seconds > 0 && seconds < 1<<40 {
		m.Data = time.Unix(int64(seconds), 0).UTC()
	}
	var lists [2][]uint32
	for i := range lists {
		if len(b) == 0 || len(b) < 1+4*int(b[0]) {
			return m, errMeta
		}
		n := int(b[0])
		for at := range n {
			lists[i] = append(lists[i], binary.BigEndian.Uint32(b[1+4*at:]))
		}
		b = b[1+4*n:]
	}
	m.hashes = lists[0]
	for _, id := range lists[1] {
		m.keys = append(m.keys, KeyID(id))
	}
	if len(b) >= 6 {
		m.Share, m.Group, b = binary.BigEndian.Uint16(b), binary.BigEndian.Uint32(b[2:]), b[6:]
	}
	if len(b) >= 4 {
		m.Cell = binary.BigEndian.Uint32(b)
	}
	return m, nil
}
