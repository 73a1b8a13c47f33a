package ftp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// An Entry is something in a directory.
type Entry struct {
	Name      string
	Directory bool
	Link      bool  // a symbolic link: its size is not its target's
	Size      int64 // -1: not told

	// Time is the time of change and Precision what it is rounded to; zero
	// where it is not told. LIST tells it in the server's unknown time zone.
	Time      time.Time
	Precision time.Duration
}

const (
	maxLine    = 8 << 10 // bytes of a line
	maxEntries = 500_000 // lines of a directory
)

// newLine returns a buffered reader whose lines fit into maxLine.
func newLine(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(r, maxLine) }

// eachLine calls f for each line; a line or a directory without end is an error.
func eachLine(r io.Reader, f func(string) error) error {
	in := newLine(r)
	for n := 0; ; n++ {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading line %d of a directory: %w", n+1, err)
		}
		if n >= maxEntries {
			return fmt.Errorf("the directory has more than %d lines", maxEntries)
		}
		if err := f(strings.TrimRight(string(line), "\r\n")); err != nil {
			return err
		}
	}
}

// ParseMLSD reads a line of MLSD, RFC 3659 section 7:
//
//	type=file;size=1234;modify=20260102030405; a.rpm
//
// It reports false for lines that name nothing in the directory.
func ParseMLSD(line string, _ time.Time) (e Entry, ok bool) {
	facts, name, ok := strings.Cut(line, " ")
	if !ok || !plain(name) {
		return e, false
	}
	e = Entry{Name: name, Size: -1}
	known := false
	for fact := range strings.SplitSeq(facts, ";") {
		key, value, _ := strings.Cut(fact, "=")
		switch strings.ToLower(key) {
		case "type":
			value, known = strings.ToLower(value), true
			e.Directory = value == "dir"
			e.Link = strings.HasPrefix(value, "os.unix=s")
			if value == "cdir" || value == "pdir" {
				return Entry{}, false
			}
		case "size":
			e.Size = number(value)
		case "modify":
			if t, err := time.Parse("20060102150405", value); err == nil {
				e.Time, e.Precision = t, time.Second
			}
		}
	}
	return e, known
}

// ParseList reads a line of LIST, which no RFC describes, as Unix and DOS
// servers write it:
//
//	-rw-r--r--   1 ftp      ftp          1234 Jan 02 03:04 a.rpm
//	drwxr-xr-x   2 ftp      ftp          4096 Jan 02  2024 repodata
//	01-02-26  03:04AM                    1234 a.rpm
//
// It reports false for lines that name nothing in the directory. Dates without
// a year are of the twelve months before now.
func ParseList(line string, now time.Time) (e Entry, ok bool) {
	if line == "" {
		return e, false
	}
	if line[0] >= '0' && line[0] <= '9' {
		return parseDOS(line)
	}
	if strings.IndexByte("-dl", line[0]) < 0 {
		return e, false
	}
	// the name begins one space behind the eighth field and may hold spaces
	fields, name, ok := cutFields(line, 8)
	if !ok {
		return e, false
	}
	e = Entry{Directory: line[0] == 'd', Link: line[0] == 'l', Size: number(fields[4])}
	if e.Size < 0 {
		return Entry{}, false
	}
	if e.Link {
		name, _, _ = strings.Cut(name, " -> ")
	}
	e.Name = name
	day := fields[5] + " " + fields[6] + " "
	if t, err := time.Parse("Jan 2 2006", day+fields[7]); err == nil {
		e.Time, e.Precision = t, 24*time.Hour
	} else if t, err := time.Parse("Jan 2 15:04", day+fields[7]); err == nil {
		t = t.AddDate(now.Year(), 0, 0)
		if t.After(now.Add(24 * time.Hour)) {
			t = t.AddDate(-1, 0, 0)
		}
		e.Time, e.Precision = t, time.Minute
	}
	return e, plain(name)
}

// parseDOS reads a line as Microsoft's server writes it.
func parseDOS(line string) (e Entry, ok bool) {
	fields, name, ok := cutFields(line, 3)
	if !ok || !plain(name) {
		return e, false
	}
	e = Entry{Name: name, Size: -1, Directory: fields[2] == "<DIR>"}
	if !e.Directory {
		if e.Size = number(fields[2]); e.Size < 0 {
			return Entry{}, false
		}
	}
	for _, layout := range []string{"01-02-06 03:04PM", "01-02-2006 03:04PM", "2006-01-02 15:04"} {
		if t, err := time.Parse(layout, fields[0]+" "+fields[1]); err == nil {
			e.Time, e.Precision = t, time.Minute
		}
	}
	return e, true
}

// cutFields returns the first n fields of a line and what follows the last of
// them without the spaces between.
func cutFields(line string, n int) (fields []string, rest string, ok bool) {
	for range n {
		line = strings.TrimLeft(line, " ")
		field, after, found := strings.Cut(line, " ")
		if !found {
			return nil, "", false
		}
		fields, line = append(fields, field), after
	}
	if n == 8 { // Unix: exactly one space, the name may begin with others
		return fields, line, true
	}
	return fields, strings.TrimLeft(line, " "), true
}

// number reads a size, -1 if it is none.
func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// plain reports whether a name is that of something in the directory.
func plain(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}
