package listing

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/waypost/waypost/edge/snapshot"
)

// Full says what to do with what a full file list holds. Nil functions are
// not called; an error of one ends the reading and is returned.
type Full struct {
	// Entry is called with each entry. Its MTime is the later of two times,
	// see [Entry]; links have no target.
	Entry func(Entry) error

	// Sum is called with each hash.
	Sum func(path string, kind snapshot.HashKind, hash []byte) error
}

// Parse reads a fullfiletimelist as quick-fedora-mirror's create-filelist
// writes it, versions 2 and 3:
//
//	[Version]
//	2
//
//	[Files]
//	TIME	TYPE	SIZE	PATH
//
//	[Checksums SHA1]
//	HASH	PATH
//
//	[End]
//
// separated by tabs. TYPE is f, d or l, followed by - for what the world may
// not read and by * for what is below such a directory. Unknown sections are
// skipped. A list without [End] is being written: [ErrIncomplete]. A name with
// a newline in it comes with that newline, so that [Flaw] tells.
func (l Full) Parse(r io.Reader) error {
	p := fullParser{Full: l}
	if err := eachLine(r, p.line); err != nil {
		return err
	}
	switch {
	case !p.ended:
		return fmt.Errorf("no [End]: %w", ErrIncomplete)
	case !p.versioned || !p.listed:
		return fmt.Errorf("no [Version] or no [Files]: %w", ErrIncomplete)
	}
	return nil
}

// A fullParser is where in a full file list the reading is.
type fullParser struct {
	Full
	section   func(line []byte) error
	held      Entry // the last row: the next line may be the rest of its name
	holding   bool
	versioned bool
	listed    bool
	ended     bool
}

func (p *fullParser) line(n int, line []byte) error {
	var err error
	switch {
	case len(line) == 0:
	case p.ended:
		err = fmt.Errorf("want nothing after [End], got %.100q", line)
	case line[0] == '[':
		err = p.header(string(line))
	case p.section == nil:
		err = fmt.Errorf("want [Version], got %.100q", line)
	default:
		err = p.section(line)
	}
	if err != nil {
		return fmt.Errorf("line %d: %w", n, err)
	}
	return nil
}

func (p *fullParser) header(line string) error {
	if err := p.flush(); err != nil {
		return err
	}
	name := strings.TrimSuffix(strings.TrimPrefix(line, "["), "]")
	kindName, sums := strings.CutPrefix(name, "Checksums ")
	switch {
	case name == "Version":
		p.section = p.version
	case !p.versioned:
		return fmt.Errorf("want [Version] and its number first, got %.100q", line)
	case name == "Files":
		p.section, p.listed = p.file, true
	case name == "End":
		p.ended = true
	case sums:
		p.section = p.sums(kindName)
	default:
		p.section = func([]byte) error { return nil }
	}
	return nil
}

func (p *fullParser) version(line []byte) error {
	if v := string(line); v != "2" && v != "3" {
		return fmt.Errorf("want version 2 or 3, got %.100q", line)
	}
	p.versioned = true
	return nil
}

// file reads a row of [Files].
func (p *fullParser) file(line []byte) error {
	e, ok := parseRow(line)
	if !ok && !p.holding {
		return fmt.Errorf("want TIME, TYPE, SIZE and PATH between tabs, got %.100q", line)
	}
	if !ok {
		p.held.Path += "\n"
		if len(p.held.Path) <= maxPath { // longer ones are flawed anyway
			p.held.Path += string(line)
		}
		return nil
	}
	err := p.flush()
	p.held, p.holding = e, true
	return err
}

// flush hands over the row that was held.
func (p *fullParser) flush() error {
	if !p.holding {
		return nil
	}
	p.holding = false
	if p.Entry == nil {
		return nil
	}
	return p.Entry(p.held)
}

func parseRow(line []byte) (e Entry, ok bool) {
	f := bytes.SplitN(line, []byte("\t"), 4)
	if len(f) != 4 || len(f[1]) == 0 || len(f[1]) > 2 || len(f[3]) == 0 {
		return e, false
	}
	switch f[1][0] {
	case 'f':
		e.Kind = File
	case 'd':
		e.Kind = Dir
	case 'l':
		e.Kind = Link
	default:
		return e, false
	}
	mark := string(f[1][1:])
	if mark != "" && mark != "-" && mark != "*" {
		return e, false
	}
	// old lists have fractions of seconds
	seconds, _, _ := strings.Cut(string(f[0]), ".")
	mtime, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return e, false
	}
	size, err := strconv.ParseUint(string(f[2]), 10, 63)
	if err != nil {
		return e, false
	}
	e.MTime, e.Size, e.Readable = mtime, int64(size), mark != "-" // * is about its parents
	e.Path = cleanTop(string(f[3]))
	return e, true
}

// cleanTop removes the ./ that some lists begin paths with.
func cleanTop(path string) string {
	if path == "." {
		return ""
	}
	return strings.TrimPrefix(path, "./")
}

// sums returns the reader of the rows of [Checksums KIND].
func (p *fullParser) sums(kindName string) func(line []byte) error {
	for kind := range snapshot.HashKinds {
		if !strings.EqualFold(kind.String(), kindName) {
			continue
		}
		return func(line []byte) error {
			text, path, ok := bytes.Cut(line, []byte("\t"))
			hash, err := hex.DecodeString(string(text))
			if !ok || err != nil || len(hash) != kind.Size() || len(path) == 0 {
				return fmt.Errorf("want a %s hash and PATH between tabs, got %.100q", kind, line)
			}
			if p.Sum == nil {
				return nil
			}
			return p.Sum(cleanTop(string(path)), kind, hash)
		}
	}
	return func([]byte) error { return nil }
}
