package listing

import (
	"strings"
)

// maxComplaints is how much of what rsync says on its standard error is kept.
const maxComplaints = 64 << 10

// complaints keeps the beginning of what a program says on its standard
// error. Its zero value is ready; one goroutine writes, and others read when
// that has ended.
type complaints struct {
	text []byte
	more bool // some is lost
}

// Write takes all and keeps some. It never fails.
func (c *complaints) Write(p []byte) (int, error) {
	keep := min(len(p), maxComplaints-len(c.text))
	c.text = append(c.text, p[:keep]...)
	c.more = c.more || keep < len(p)
	return len(p), nil
}

// lines returns what was said about single files: all but the last line, with
// which rsync sums up.
func (c *complaints) lines() (lines []string) {
	for line := range strings.SplitSeq(string(c.text), "\n") {
		line = strings.ToValidUTF8(strings.TrimSpace(line), "?")
		if line != "" && !strings.HasPrefix(line, "rsync error:") && !strings.HasPrefix(line, "rsync warning:") {
			lines = append(lines, line)
		}
	}
	return lines
}

// unexplained returns the first thing said that is not about a file closed to
// rsync or vanished while it looked; "" if there is none, but there are such files.
func (c *complaints) unexplained() string {
	lines := c.lines()
	switch {
	case len(lines) == 0:
		return "not explained"
	case c.more:
		return "too many complaints, the first " + lines[0]
	}
	for _, line := range lines {
		known := strings.HasSuffix(line, "Permission denied (13)") || strings.HasSuffix(line, "No such file or directory (2)") ||
			strings.HasPrefix(line, "file has vanished: ") || strings.HasPrefix(line, "directory has vanished: ")
		if !known {
			return line
		}
	}
	return ""
}

// tail returns the last line said behind a colon, "" if none was.
func (c *complaints) tail() string {
	lines := c.lines()
	if len(lines) == 0 {
		return ""
	}
	return ": " + lines[len(lines)-1]
}
