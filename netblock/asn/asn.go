// Package asn reads tables of prefix → origin AS number from text files, such
// as MirrorManager's global_netblocks.txt:
//
//	192.0.2.0/24 64500
//	2001:db8::/32 AS64501
//
// One prefix and one AS number a line, separated by blanks; what follows the
// number is ignored; v4 and v6 mixed, in any order; of lines with the same
// prefix the last counts. The file is plain, or packed by gzip, bzip2 or zstd,
// which its first bytes tell.
//
// Such files are made by scripts from routing tables and hold odd lines, so a
// line that cannot be used is skipped, and the [Report] counts it: no prefix,
// a length that does not fit the family, a length of 0 (a default route says
// nothing about origin), no AS number, a comment, nothing at all.
package asn

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"

	"github.com/klauspost/compress/zstd"

	"github.com/waypost/waypost/netblock"
)

// maxLine is the longest line that is looked at, in bytes; a longer one is
// skipped like any that cannot be used.
const maxLine = 64 << 10

// Report says what became of the lines of a file.
type Report struct {
	Lines   int // all lines
	Rows    int // lines that were used, repeated prefixes included
	Skipped int // the others

	FirstSkipped int    // number of the first skipped line, from 1; 0 if there is none
	FirstReason  string // what is wrong with it
}

// Read reads a whole table from r; name is the file's name for errors. 732,000
// lines take 0.2 to 0.4 s.
//
// The error names the file, and the line where there is one. It is not nil only when
// the file as a whole is of no use: it cannot be read or decompressed to its
// end, or no line of it can be used. The Report is filled in as far as reading came.
func Read(name string, r io.Reader) (*netblock.Table, Report, error) {
	var report Report
	in, done, err := Decompress(r)
	if err != nil {
		return nil, report, fmt.Errorf("reading %s: %w", name, err)
	}
	defer done()
	l := lines{in: bufio.NewReaderSize(in, maxLine), report: &report}
	t := netblock.FromSeq(l.entries)
	switch {
	case l.err != nil:
		return nil, report, fmt.Errorf("reading %s: after line %d: %w", name, report.Lines, l.err)
	case report.Rows == 0 && report.Skipped > 0:
		return nil, report, fmt.Errorf("reading %s: no line has the form PREFIX ASN; line %d: %s", name, report.FirstSkipped, report.FirstReason)
	case report.Rows == 0:
		return nil, report, fmt.Errorf("reading %s: empty, want lines of the form PREFIX ASN", name)
	}
	return t, report, nil
}

// Decompress returns the plain bytes of r, whose compression, gzip, bzip2, zstd
// or none, it takes from the magic number (RFC 1952 section 2.3.1, RFC 8878
// section 3.1.1). done frees what decompression holds.
func Decompress(r io.Reader) (plain io.Reader, done func(), err error) {
	in := bufio.NewReaderSize(r, maxLine)
	magic, err := in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, nil, fmt.Errorf("gzip: %w", err)
		}
		return z, func() {}, nil
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, nil, fmt.Errorf("zstd: %w", err)
		}
		return z, z.Close, nil
	case bytes.HasPrefix(magic, []byte("BZh")):
		return bzip2.NewReader(in), func() {}, nil
	default:
		return in, func() {}, nil
	}
}

// lines reads entries and keeps the report.
type lines struct {
	in     *bufio.Reader
	report *Report
	err    error // why reading stopped before the end
}

// entries yields the entry of each line that has one. It is an iter.Seq.
func (l *lines) entries(yield func(netblock.Entry) bool) {
	for {
		line, err := l.in.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = l.in.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			l.err = err
			return
		}
		if len(line) == 0 {
			return // the end, after a line end
		}
		l.report.Lines++
		e, reason := entry(line)
		if long {
			reason = fmt.Sprintf("longer than %d bytes", maxLine)
		}
		if reason != "" {
			l.report.skip(reason)
		} else {
			l.report.Rows++
			if !yield(e) {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (r *Report) skip(reason string) {
	r.Skipped++
	if r.FirstSkipped == 0 {
		r.FirstSkipped, r.FirstReason = r.Lines, reason
	}
}

// entry reads one line; reason says why it cannot be used.
func entry(line []byte) (e netblock.Entry, reason string) {
	first, rest := field(line)
	second, _ := field(rest)
	if len(first) == 0 {
		return e, "blank"
	}
	p, err := netip.ParsePrefix(string(first))
	if err != nil {
		return e, fmt.Sprintf("%.60q is no prefix", first)
	}
	if p.Bits() == 0 || p.Addr().Is4In6() && p.Bits() == 96 {
		return e, fmt.Sprintf("%s is the whole address family", p)
	}
	if len(second) == 0 {
		return e, "no AS number after the prefix"
	}
	n, err := number(second)
	if err != nil {
		return e, fmt.Sprintf("%.60q is no AS number", second)
	}
	return netblock.Entry{Prefix: p, Value: n}, ""
}

// field cuts the first field off a line.
func field(line []byte) (first, rest []byte) {
	line = bytes.TrimLeft(line, " \t\r\n")
	if i := bytes.IndexAny(line, " \t\r\n"); i >= 0 {
		return line[:i], line[i:]
	}
	return line, nil
}

// number reads an AS number, 64500 or AS64500 (RFC 5396 section 2, asplain).
func number(s []byte) (uint32, error) {
	if len(s) > 2 && s[0]|0x20 == 'a' && s[1]|0x20 == 's' {
		s = s[2:]
	}
	n, err := strconv.ParseUint(string(s), 10, 32)
	return uint32(n), err
}
