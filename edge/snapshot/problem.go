package snapshot

import (
	"fmt"
	"strings"
)

// A Problem is something wrong with a source's bytes.
type Problem struct {
	File string // the file's name
	Line int    // 1-based; 0 where lines mean nothing
	Key  string // the field, such as hosts[3].netblocks[0]; may be empty
	Text string // what is wrong and what was expected
}

// String returns FILE:LINE: KEY: TEXT, without the parts that are unknown.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// Problems are all that is wrong with a source; as an error, its text has a
// line for each.
type Problems []Problem

// Error returns the problems, a line each.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns ps as an error, nil if there are none.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}
