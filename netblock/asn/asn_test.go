package asn_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/waypost/waypost/netblock"
	"github.com/waypost/waypost/netblock/asn"
)

func rows(t *netblock.Table) map[string]uint32 {
	out := map[string]uint32{}
	for p, v := range t.All() {
		out[p.String()] = v
	}
	return out
}

func TestRead(t *testing.T) {
	good := "192.0.2.0/24 64500\n"
	skipped := func(reason string) asn.Report {
		return asn.Report{Lines: 2, Rows: 1, Skipped: 1, FirstSkipped: 2, FirstReason: reason}
	}
	tests := []struct {
		name, in string
		want     map[string]uint32
		report   asn.Report
	}{
		{"plain", good, map[string]uint32{"192.0.2.0/24": 64500}, asn.Report{Lines: 1, Rows: 1}},
		{"no line end", "192.0.2.0/24 64500", map[string]uint32{"192.0.2.0/24": 64500}, asn.Report{Lines: 1, Rows: 1}},
		{"both families", good + "2001:db8::/32 4294967295\n", map[string]uint32{"192.0.2.0/24": 64500, "2001:db8::/32": 4294967295}, asn.Report{Lines: 2, Rows: 2}},
		{"AS before the number", "192.0.2.0/24 AS64500\n198.51.100.0/24 as1\n", map[string]uint32{"192.0.2.0/24": 64500, "198.51.100.0/24": 1}, asn.Report{Lines: 2, Rows: 2}},
		{"tabs, blanks, CRLF, more fields", " \t192.0.2.0/24 \t 64500 one two\r\n", map[string]uint32{"192.0.2.0/24": 64500}, asn.Report{Lines: 1, Rows: 1}},
		{"the last of equals", good + "192.0.2.7/24 7\n", map[string]uint32{"192.0.2.0/24": 7}, asn.Report{Lines: 2, Rows: 2}},
		{"v4-mapped", "::ffff:192.0.2.0/120 7\n", map[string]uint32{"192.0.2.0/24": 7}, asn.Report{Lines: 1, Rows: 1}},
		{"blank line", good + "\n", map[string]uint32{"192.0.2.0/24": 64500}, skipped("blank")},
		{"comment", good + "# 5\n", map[string]uint32{"192.0.2.0/24": 64500}, skipped(`"#" is no prefix`)},
		{"junk", good + "not-a-prefix 1\n", map[string]uint32{"192.0.2.0/24": 64500}, skipped(`"not-a-prefix" is no prefix`)},
		{"a v4 length of 124", good + "10.0.0.0/124 1\n", map[string]uint32{"192.0.2.0/24": 64500}, skipped(`"10.0.0.0/124" is no prefix`)},
		{"default route", good + "0.0.0.0/0 1\n", map[string]uint32{"192.0.2.0/24": 64500}, skipped("0.0.0.0/0 is the whole address family")},
		{"mapped default route", good + "::ffff:0:0/96 1\n", map[string]uint32{"192.0.2.0/24": 64500}, skipped("::ffff:0.0.0.0/96 is the whole address family")},
		{"no number", good + "10.0.0.0/8\n", map[string]uint32{"192.0.2.0/24": 64500}, skipped("no AS number after the prefix")},
		{"an AS set", good + "10.0.0.0/8 {1,2}\n", map[string]uint32{"192.0.2.0/24": 64500}, skipped(`"{1,2}" is no AS number`)},
		{"33 bits", good + "10.0.0.0/8 4294967296\n", map[string]uint32{"192.0.2.0/24": 64500}, skipped(`"4294967296" is no AS number`)},
		{"a very long line", good + strings.Repeat("x", 1<<18) + "\n", map[string]uint32{"192.0.2.0/24": 64500}, skipped("longer than 65536 bytes")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, in := range packed(t, tt.in) {
				table, report, err := asn.Read("f.txt", bytes.NewReader(in))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if diff := cmp.Diff(tt.want, rows(table)); diff != "" {
					t.Errorf("%s: rows (-want +got):\n%s", name, diff)
				}
				if diff := cmp.Diff(tt.report, report); diff != "" {
					t.Errorf("%s: report (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// packed returns text in each form of file.
func packed(t *testing.T, text string) map[string][]byte {
	t.Helper()
	var gz, zs bytes.Buffer
	z, err := zstd.NewWriter(&zs)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.WriteCloser{gzip.NewWriter(&gz), z} {
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return map[string][]byte{"plain": []byte(text), "gzip": gz.Bytes(), "zstd": zs.Bytes()}
}

func TestReadRefuses(t *testing.T) {
	files := packed(t, strings.Repeat("192.0.2.0/24 64500\n", 100000))
	tests := []struct {
		name string
		in   io.Reader
		want string
	}{
		{"empty", strings.NewReader(""), "reading f.txt: empty, want lines of the form PREFIX ASN"},
		{"only junk", strings.NewReader("\nhello\n"), "reading f.txt: no line has the form PREFIX ASN; line 1: blank"},
		{"gzip cut off", bytes.NewReader(files["gzip"][:len(files["gzip"])/2]), "unexpected EOF"},
		{"zstd cut off", bytes.NewReader(files["zstd"][:len(files["zstd"])/2]), "unexpected EOF"},
		{"no gzip after its first bytes", strings.NewReader("\x1f\x8b hello, this is none"), "reading f.txt: gzip: "},
		{"failing disk", io.MultiReader(strings.NewReader("192.0.2.0/24 1\n"), iotest.ErrReader(errors.New("disk on fire"))), "reading f.txt: after line 1: disk on fire"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table, _, err := asn.Read("f.txt", tt.in)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
			if table != nil {
				t.Error("a table beside the error")
			}
		})
	}
}

// FuzzRead checks that no file crashes the reader, that the report adds up, and
// that each line that is used means what net/netip and strconv say.
func FuzzRead(f *testing.F) {
	for _, in := range []string{"192.0.2.0/24 64500\n", "::/0 1\n\n", "10.0.0.0/124 1", "\x1f\x8b\x08", "\x28\xb5\x2f\xfd\x00", "::ffff:1.2.3.4/97 AS1\r\n", "fe80::%eth0/10 1\n"} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		table, report, err := asn.Read("f.txt", bytes.NewReader(in))
		if report.Rows+report.Skipped != report.Lines || (report.Skipped == 0) != (report.FirstSkipped == 0) {
			t.Fatalf("the report does not add up: %+v", report)
		}
		if err != nil {
			return
		}
		if table.Len() == 0 || table.Len() > report.Rows {
			t.Fatalf("%d rows from %d lines", table.Len(), report.Rows)
		}
		if bytes.HasPrefix(in, []byte("\x1f\x8b")) || bytes.HasPrefix(in, []byte("\x28\xb5\x2f\xfd")) {
			return
		}
		if diff := cmp.Diff(slowRead(string(in)), rows(table)); diff != "" {
			t.Fatalf("rows (-want +got):\n%s", diff)
		}
	})
}

// slowRead is the obvious reader.
func slowRead(text string) map[string]uint32 {
	blank := func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) }
	out := map[string]uint32{}
	for line := range strings.Lines(text) {
		fields := strings.FieldsFunc(line, blank)
		if len(fields) < 2 || len(line) > 64<<10 {
			continue
		}
		p, err := netip.ParsePrefix(fields[0])
		if err != nil {
			continue
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		digits := fields[1]
		if len(digits) > 2 && strings.EqualFold(digits[:2], "as") {
			digits = digits[2:]
		}
		if n, err := strconv.ParseUint(digits, 10, 32); err == nil && p.Bits() > 0 {
			out[p.Masked().String()] = uint32(n)
		}
	}
	return out
}
