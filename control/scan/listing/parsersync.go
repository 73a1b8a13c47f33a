package listing

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// maxGreeting is how many lines a server may say before its list.
const maxGreeting = 10_000

// ParseRsync reads what `rsync --list-only` prints and calls f with each
// entry; an error of f ends it and is returned. A line is
//
//	-rw-r--r--         123,456 2026/01/02 03:04:05 dir/name
//
// with times in UTC (rsync prints local time: run it with TZ=UTC), and
// " -> TARGET" behind the names of links where rsync was run with --links. Bytes that
// rsync escaped, \#012, are decoded. What stands before the first entry is the
// server's greeting; after it a line that is no entry is an error, except for
// the statistics that `rsync -v` ends with. The entry of a link whose name or
// target holds " -> " again has no target.
//
// A list has no end mark: that of a program that failed half-way parses. Look
// at the program's exit status, as [Rsync.List] does.
func ParseRsync(r io.Reader, f func(Entry) error) error {
	started := false
	return eachLine(r, func(n int, line []byte) error {
		e, ok := parseRsyncLine(line)
		switch {
		case ok:
			started = true
			return f(e)
		case !started && n > maxGreeting:
			return fmt.Errorf("line %d: no entry in %d lines, want PERMISSIONS SIZE DATE TIME NAME", n, maxGreeting)
		case !started || isTrailer(line):
			return nil
		}
		return fmt.Errorf("line %d: want PERMISSIONS SIZE YYYY/MM/DD HH:MM:SS NAME, got %.100q", n, line)
	})
}

// isTrailer reports whether line belongs to the statistics of rsync -v.
func isTrailer(line []byte) bool {
	return len(bytes.TrimSpace(line)) == 0 || bytes.HasPrefix(line, []byte("sent ")) ||
		bytes.HasPrefix(line, []byte("total size is "))
}

func parseRsyncLine(line []byte) (e Entry, ok bool) {
	const modeLen = len("drwxr-xr-x")
	if len(line) < modeLen || line[modeLen-1] == ' ' {
		return e, false
	}
	if e.Kind, e.Readable, ok = parseMode(line[:modeLen]); !ok {
		return e, false
	}
	rest := bytes.TrimLeft(line[modeLen:], " ")
	if len(rest) == len(line)-modeLen { // the size is one space away at least
		return e, false
	}
	size, rest, ok := bytes.Cut(rest, []byte(" "))
	if !ok {
		return e, false
	}
	if e.Size, ok = parseSize(size); !ok {
		return e, false
	}
	const timeLen = len("2026/01/02 03:04:05")
	if len(rest) < timeLen+2 || rest[timeLen] != ' ' {
		return e, false
	}
	if e.MTime, ok = parseTime(rest[:timeLen]); !ok {
		return e, false
	}
	name := string(rest[timeLen+1:])
	if e.Kind == Link {
		name, e.Target = splitTarget(name)
	}
	e.Path, e.Target = unescape(name), unescape(e.Target)
	if e.Path == "." {
		e.Path = ""
	}
	return e, true
}

// parseMode reads permissions as ls writes them.
func parseMode(mode []byte) (kind Kind, readable, ok bool) {
	switch mode[0] {
	case '-':
		kind = File
	case 'd':
		kind = Dir
	case 'l':
		kind = Link
	case 'c', 'b', 'p', 's', 'D':
	default:
		return kind, false, false
	}
	const want = "rwxrwxrwx"
	for i, c := range mode[1:] {
		if c != '-' && c != want[i] && (want[i] != 'x' || !strings.ContainsRune("sStT", rune(c))) {
			return kind, false, false
		}
	}
	enter := mode[9] == 'x' || mode[9] == 't'
	return kind, mode[7] == 'r' && (kind != Dir || enter), true
}

// parseSize reads a number with or without commas between its thousands.
func parseSize(b []byte) (int64, bool) {
	text := string(b)
	if strings.Contains(text, ",") {
		text = strings.ReplaceAll(text, ",", "")
	}
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err == nil
}

// parseTime reads YYYY/MM/DD HH:MM:SS, 19 bytes, as UTC. It is four times as
// fast as time.Parse, which counts with ten million lines.
func parseTime(b []byte) (unix int64, ok bool) {
	const form = "dddd/dd/dd dd:dd:dd"
	var n [6]int
	field := 0
	for i := range len(form) {
		switch {
		case form[i] != 'd':
			if b[i] != form[i] {
				return 0, false
			}
			field++
		case b[i] < '0' || b[i] > '9':
			return 0, false
		default:
			n[field] = n[field]*10 + int(b[i]-'0')
		}
	}
	t := time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], 0, time.UTC)
	// time.Date carries over what is out of range
	same := t.Month() == time.Month(n[1]) && t.Day() == n[2] && t.Hour() == n[3] && t.Minute() == n[4]
	return t.Unix(), same
}

// splitTarget splits NAME -> TARGET where there is only one way to.
func splitTarget(text string) (name, target string) {
	const arrow = " -> "
	name, target, _ = strings.Cut(text, arrow)
	if strings.Contains(target, arrow) {
		return text, ""
	}
	return name, target
}

// unescape decodes \#ooo, as rsync writes bytes that it does not print, and a
// backslash that a # follows.
func unescape(s string) string {
	if !strings.Contains(s, `\#`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c, ok := octal(s[i:]); ok {
			b.WriteByte(c)
			i += len(`\#ooo`) - 1
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// octal decodes the \#ooo that s begins with.
func octal(s string) (c byte, ok bool) {
	if len(s) < len(`\#ooo`) || s[:2] != `\#` {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:5], 8, 8)
	return byte(n), err == nil
}
