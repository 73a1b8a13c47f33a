package jsonstream

import (
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// character appends the next character of a text to b, decoded. end is the
// closing quote. Bytes that are not ASCII pass as they are.
func (r *Reader) character(b []byte) (_ []byte, end bool, err error) {
	c, err := r.next()
	switch {
	case err != nil:
		return b, false, err
	case c == '"':
		return b, true, nil
	case c < ' ':
		return b, false, r.fail("the control character %q inside a text", c)
	case c != '\\':
		return append(b, c), false, nil
	}
	if c, err = r.next(); err != nil {
		return b, false, err
	}
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		b, err = r.escaped(b)
		return b, false, err
	default:
		return b, false, r.fail(`want an escape such as \n, got \%c`, c)
	}
	return append(b, c), false, nil
}

// escaped appends the character of \uXXXX, of which \u has been taken. Half of
// a surrogate pair by itself is U+FFFD.
func (r *Reader) escaped(b []byte) ([]byte, error) {
	var digits [4]byte
	for i := range digits {
		c, err := r.next()
		if err != nil {
			return b, err
		}
		digits[i] = c
	}
	char := hex(digits[:])
	if char < 0 {
		return b, r.fail(`want four hexadecimal digits after \u, got %q`, digits)
	}
	if !utf16.IsSurrogate(char) {
		return utf8.AppendRune(b, char), nil
	}
	// an error, such as the end, comes again when these bytes are taken
	if ahead, err := r.in.Peek(6); err == nil && ahead[0] == '\\' && ahead[1] == 'u' {
		if pair := utf16.DecodeRune(char, hex(ahead[2:])); pair != utf8.RuneError {
			_, err = r.in.Discard(6)
			r.offset += 6
			return utf8.AppendRune(b, pair), err
		}
	}
	return utf8.AppendRune(b, utf8.RuneError), nil
}

// hex returns the number of four hexadecimal digits, -1 if they are none.
func hex(digits []byte) rune {
	var n rune
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			n = n<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return n
}

// Stream takes a text of any length and hands it to use as a reader, which is
// valid only while use runs. What use leaves is skipped.
func (r *Reader) Stream(use func(io.Reader) error) error {
	if err := r.want('"', "a text in double quotes"); err != nil {
		return err
	}
	s := stream{r: r}
	if err := use(&s); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, &s)
	return err
}

// A stream is a text that is read as it comes in.
type stream struct {
	r    *Reader
	left [utf8.UTFMax]byte // decoded, for the next Read
	n    int
	end  bool
}

// Read implements [io.Reader].
func (s *stream) Read(p []byte) (n int, err error) {
	n = copy(p, s.left[:s.n])
	s.n = copy(s.left[:], s.left[n:s.n])
	for n < len(p) && !s.end {
		var char []byte
		if char, s.end, err = s.r.character(s.left[:0]); err != nil {
			return n, err
		}
		k := copy(p[n:], char)
		n += k
		s.n = copy(s.left[:], char[k:])
	}
	if n == 0 && s.end && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}
