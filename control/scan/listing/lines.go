package listing

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxLine is the longest line read: a path and a link's target of 4,095 bytes
// with each byte escaped as five need 40 KiB.
const maxLine = 64 << 10

// ErrIncomplete is wrapped by the errors of lists that end too early.
var ErrIncomplete = errors.New("the list is incomplete")

// eachLine calls f with each line of r, without its end, and its number from
// 1. A last line without an end was cut off: an error.
func eachLine(r io.Reader, f func(n int, line []byte) error) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, maxLine), maxLine)
	s.Split(splitLine)
	n := 0
	for s.Scan() {
		n++
		if err := f(n, s.Bytes()); err != nil {
			return err
		}
	}
	switch err := s.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("line %d: longer than %d bytes", n+1, maxLine)
	case err != nil:
		return fmt.Errorf("line %d: %w", n+1, err)
	}
	return nil
}

// splitLine is a [bufio.SplitFunc] like bufio.ScanLines that wants an end of
// line at the last one, too.
func splitLine(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, bytes.TrimSuffix(data[:i], []byte("\r")), nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, fmt.Errorf("cut off, no end of line: %w", ErrIncomplete)
	}
	return 0, nil, nil
}
