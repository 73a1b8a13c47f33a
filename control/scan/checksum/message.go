package checksum

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// maxLine is the longest line read: a long path and a hash.
const maxLine = 64 << 10

// messageLines calls f with each line of r. If r holds a message with a PGP
// signature around it (RFC 9580 section 7), only what was signed counts:
// reset is called where it begins, and all after it is passed over. The
// signature itself is not verified: who can write the file can write the tree.
func messageLines(r io.Reader, f func(line string), reset func()) error {
	const (
		plain = iota
		header
		body
		signature
		after
	)
	state := plain
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 4096), maxLine)
	for s.Scan() {
		line := s.Text()
		marker := strings.TrimRight(line, " \t")
		switch {
		case state == plain && marker == "-----BEGIN PGP SIGNED MESSAGE-----":
			state = header
			reset()
		case state == header:
			if marker == "" {
				state = body
			}
		case state == body && marker == "-----BEGIN PGP SIGNATURE-----":
			state = signature
		case state == signature:
			if marker == "-----END PGP SIGNATURE-----" {
				state = after
			}
		case state == body:
			f(strings.TrimPrefix(line, "- "))
		case state == plain:
			f(line)
		}
	}
	if err := s.Err(); err != nil {
		return err
	}
	if state != plain && state != after {
		return fmt.Errorf("the PGP message has no end: %w", ErrIncomplete)
	}
	return nil
}
