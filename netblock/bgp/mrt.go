package bgp

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/waypost/waypost/netblock"
	"github.com/waypost/waypost/netblock/asn"
)

// Types and subtypes of MRT records (RFC 6396 section 4, RFC 8050 section 4).
const (
	mrtTableDump2    = 13
	mrtPeerIndex     = 1
	mrtIPv4          = 2
	mrtIPv6          = 4
	mrtIPv4AddPath   = 8
	mrtIPv6AddPath   = 10
	mrtHeader        = 12
	maxMRT           = 64 << 20 // bytes of a record; the largest have some 100 KiB
	maxMRTSkipped    = 1000     // records, or a tenth of all
	mrtEntryHead     = 8        // of an entry: peer, time, length of attributes
	mrtEntryHeadPath = 12       // with a path identifier
)

// An MRTReport says what became of the records of a file.
type MRTReport struct {
	Records int // all records
	Tables  int // those that have a prefix of IPv4 or IPv6 unicast
	Rows    int // prefixes that are kept
	Skipped int // bad ones

	FirstSkipped int    // number of the first bad record, from 1; 0 if there is none
	FirstReason  string // what is wrong with it
}

// ReadMRT reads a routing table that a collector dumped, in MRT's TABLE_DUMP_V2
// (RFC 6396 section 4.3), plain or packed by gzip, bzip2 or zstd: what RIPE RIS
// and RouteViews publish. name is the file's name for errors. The origin of a
// prefix is the one that most of the collector's peers see, of equally many the
// lowest AS; see the package's comment for what an origin is, and which
// prefixes are left out. Records of other kinds are passed over.
//
// A bad record is skipped and counted. The error is not nil when the file as a
// whole is of no use: it cannot be read to its end, there is no table in it, or
// more than a tenth of its records are bad, and more than a thousand.
//
// A table with 1.2 million prefixes of 40 peers has 500 MB unpacked, of which
// little more than the result is in memory.
func ReadMRT(name string, r io.Reader) (*netblock.Table, MRTReport, error) {
	m := dumpReader{}
	plain, done, err := asn.Decompress(r)
	if err == nil {
		defer done()
		m.in = bufio.NewReaderSize(plain, 128<<10)
		err = m.records()
	}
	switch {
	case err != nil:
		return nil, m.report, fmt.Errorf("reading %s: record %d: %w", name, m.report.Records+1, err)
	case m.report.Skipped > max(maxMRTSkipped, m.report.Records/10):
		return nil, m.report, fmt.Errorf("reading %s: %d of %d records are bad; the first is number %d: %s",
			name, m.report.Skipped, m.report.Records, m.report.FirstSkipped, m.report.FirstReason)
	case len(m.rows) == 0:
		return nil, m.report, fmt.Errorf("reading %s: want a table in MRT's TABLE_DUMP_V2, got %d records, %d of them bad, none of them with a prefix",
			name, m.report.Records, m.report.Skipped)
	}
	m.report.Rows = len(m.rows)
	return netblock.NewTable(m.rows), m.report, nil
}

// dumpReader is the state of reading one file.
type dumpReader struct {
	in     *bufio.Reader
	report MRTReport
	buf    []byte
	peers  []uint32 // ASNs of the collector's peers
	rows   []netblock.Entry
	votes  []uint32 // origins of one prefix
}

// records reads all records; it stops at the first that cannot be told from
// the next.
func (m *dumpReader) records() error {
	var head [mrtHeader]byte
	for {
		if _, err := io.ReadFull(m.in, head[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		kind, subtype, n := uint16At(head[4:]), uint16At(head[6:]), int(binary.BigEndian.Uint32(head[8:]))
		if n > maxMRT {
			return fmt.Errorf("want an MRT record, got one of %d bytes", n)
		}
		if kind != mrtTableDump2 {
			if _, err := m.in.Discard(n); err != nil {
				return err
			}
			m.report.Records++
			continue
		}
		m.buf = slices.Grow(m.buf[:0], n)[:n]
		if _, err := io.ReadFull(m.in, m.buf); err != nil {
			return fmt.Errorf("%d bytes that follow: %w", n, err)
		}
		m.report.Records++
		if reason := m.record(subtype, m.buf); reason != "" {
			m.report.Skipped++
			if m.report.FirstSkipped == 0 {
				m.report.FirstSkipped, m.report.FirstReason = m.report.Records, reason
			}
		}
	}
}

// record reads one record; reason says why it is a bad one.
func (m *dumpReader) record(subtype int, b []byte) (reason string) {
	switch subtype {
	case mrtPeerIndex:
		return m.peerIndex(b)
	case mrtIPv4:
		return m.prefix(familyV4, mrtEntryHead, b)
	case mrtIPv6:
		return m.prefix(familyV6, mrtEntryHead, b)
	case mrtIPv4AddPath:
		return m.prefix(familyV4, mrtEntryHeadPath, b)
	case mrtIPv6AddPath:
		return m.prefix(familyV6, mrtEntryHeadPath, b)
	}
	return ""
}

// peerIndex reads the PEER_INDEX_TABLE (RFC 6396 section 4.3.1).
func (m *dumpReader) peerIndex(b []byte) (reason string) {
	const bad = "a PEER_INDEX_TABLE that is cut off"
	if len(b) < 6 || len(b) < 8+uint16At(b[4:]) {
		return bad
	}
	b = b[6+uint16At(b[4:]):]
	n := uint16At(b)
	b = b[2:]
	peers := make([]uint32, 0, n)
	for range n {
		if len(b) == 0 {
			return bad
		}
		address, size := 4, 2
		if b[0]&1 != 0 {
			address = 16
		}
		if b[0]&2 != 0 {
			size = 4
		}
		at := 1 + 4 + address
		if len(b) < at+size {
			return bad
		}
		peers = append(peers, asPath{size: size}.at(b[at:]))
		b = b[at+size:]
	}
	m.peers = peers
	return ""
}

// prefix reads what the peers say of one prefix (RFC 6396 section 4.3.2).
func (m *dumpReader) prefix(family, head int, b []byte) (reason string) {
	if len(b) < 5 {
		return "a RIB record that is cut off"
	}
	k, b, ok := cutPrefix(family, b[4:])
	if !ok || len(b) < 2 {
		return "a RIB record with a prefix that cannot be read"
	}
	if m.peers == nil {
		return "a RIB record before the PEER_INDEX_TABLE"
	}
	entries := uint16At(b)
	b = b[2:]
	m.votes = m.votes[:0]
	for range entries {
		if len(b) < head || len(b) < head+uint16At(b[head-2:]) {
			return "a RIB entry that is cut off"
		}
		peer, n := uint16At(b), uint16At(b[head-2:])
		if peer >= len(m.peers) {
			return "a RIB entry of a peer that the PEER_INDEX_TABLE does not have"
		}
		path, ok := pathOf(b[head : head+n])
		if !ok {
			return "a RIB entry without an AS_PATH that can be read"
		}
		m.votes = append(m.votes, originOf(path, asPath{size: 4}, m.peers[peer]))
		b = b[head+n:]
	}
	m.report.Tables++
	if kept(family, k) && len(m.votes) > 0 {
		m.rows = append(m.rows, netblock.Entry{Prefix: k.prefix(family), Value: elect(m.votes)})
	}
	return ""
}

// pathOf returns the AS_PATH among attributes, which in a table has 4-byte ASNs
// (RFC 6396 section 4.3.4); ok is false if there is none that can be read.
func pathOf(b []byte) (path asPath, ok bool) {
	for len(b) > 0 {
		head := 3
		if b[0]&flagExtended != 0 {
			head = 4
		}
		if len(b) < head {
			return path, false
		}
		n := int(b[2])
		if head == 4 {
			n = uint16At(b[2:])
		}
		if len(b) < head+n {
			return path, false
		}
		if b[1] == attrASPath {
			path = asPath{b[head : head+n], 4}
			return path, path.valid()
		}
		b = b[head+n:]
	}
	return path, false
}

// elect returns the origin with most votes, of equally many the lowest that is
// one. It sorts the votes.
func elect(votes []uint32) uint32 {
	slices.Sort(votes)
	var best uint32
	most := 0
	for len(votes) > 0 {
		n := 1
		for n < len(votes) && votes[n] == votes[0] {
			n++
		}
		if n > most || n == most && best == 0 {
			best, most = votes[0], n
		}
		votes = votes[n:]
	}
	return best
}
