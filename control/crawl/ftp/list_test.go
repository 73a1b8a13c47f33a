package ftp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/control/crawl/ftp"
)

var now = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)

func TestParse(t *testing.T) {
	date := func(y int, m time.Month, d, hour, minute, second int) time.Time {
		return time.Date(y, m, d, hour, minute, second, 0, time.UTC)
	}
	const day = 24 * time.Hour
	tests := []struct {
		line string
		mlsd bool
		want *ftp.Entry // nil: nothing in the directory
	}{
		{"-rw-r--r--   1 ftp      ftp          1234 Jan 02 03:04 a b.rpm", false, &ftp.Entry{Name: "a b.rpm", Size: 1234, Time: date(2026, 1, 2, 3, 4, 0), Precision: time.Minute}},
		{"-rw-r--r-- 1 ftp ftp 1 Dec 31 23:59 x", false, &ftp.Entry{Name: "x", Size: 1, Time: date(2025, 12, 31, 23, 59, 0), Precision: time.Minute}},
		{"drwxr-xr-x   2 0 0 4096 Jan  2  2024 repodata", false, &ftp.Entry{Name: "repodata", Directory: true, Size: 4096, Time: date(2024, 1, 2, 0, 0, 0), Precision: day}},
		{"lrwxrwxrwx   1 0 0 2 Jan 02 2024 latest -> 43", false, &ftp.Entry{Name: "latest", Link: true, Size: 2, Time: date(2024, 1, 2, 0, 0, 0), Precision: day}},
		{"01-02-26  03:04AM                    1234 a b.rpm", false, &ftp.Entry{Name: "a b.rpm", Size: 1234, Time: date(2026, 1, 2, 3, 4, 0), Precision: time.Minute}},
		{"01-02-26  03:04PM       <DIR>          d", false, &ftp.Entry{Name: "d", Directory: true, Size: -1, Time: date(2026, 1, 2, 15, 4, 0), Precision: time.Minute}},
		{"type=file;size=9;modify=20260102030405; a b", true, &ftp.Entry{Name: "a b", Size: 9, Time: date(2026, 1, 2, 3, 4, 5), Precision: time.Second}},
		{"Type=dir;Modify=20260102030405.123; d", true, &ftp.Entry{Name: "d", Directory: true, Size: -1, Time: date(2026, 1, 2, 3, 4, 5).Add(123 * time.Millisecond), Precision: time.Second}},
		{"type=OS.unix=slink:/x;size=9; l", true, &ftp.Entry{Name: "l", Link: true, Size: 9}},
		{"type=cdir;modify=20260102030405; .", true, nil},
		{"type=file;size=9; ../../etc/passwd", true, nil},
		{"size=9; x", true, nil},
		{"total 12", false, nil},
		{"", false, nil},
		{"-rw-r--r-- 1 ftp ftp -5 Jan 02 03:04 x", false, nil},
		{"-rw-r--r-- 1 ftp ftp 5 Jan 02 03:04 ..", false, nil},
	}
	for _, tt := range tests {
		f := ftp.ParseList
		if tt.mlsd {
			f = ftp.ParseMLSD
		}
		got, ok := f(tt.line, now)
		if ok != (tt.want != nil) {
			t.Errorf("%q: %+v, %v", tt.line, got, ok)
		} else if diff := cmp.Diff(tt.want, &got); ok && diff != "" {
			t.Errorf("%q: %s", tt.line, diff)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("-rw-r--r--   1 ftp      ftp          1234 Jan 02 03:04 a b.rpm")
	f.Add("01-02-26  03:04AM       <DIR>          d")
	f.Add("type=file;size=9;modify=20260102030405; a b")
	f.Fuzz(func(t *testing.T, line string) {
		for _, parse := range []func(string, time.Time) (ftp.Entry, bool){ftp.ParseList, ftp.ParseMLSD} {
			e, ok := parse(line, now)
			if ok && (e.Name == "" || e.Name == "." || e.Name == ".." || strings.ContainsAny(e.Name, "/\x00") || e.Size < -1) {
				t.Errorf("%q: %+v", line, e)
			}
		}
	})
}
