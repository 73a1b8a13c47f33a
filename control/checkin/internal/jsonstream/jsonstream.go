// Package jsonstream reads one JSON document as it comes in, in bounded
// memory: nesting and the length of a text are limited, and nothing is kept.
// The caller walks the document and takes each value as what it wants it to be:
//
//	r := jsonstream.New(body, jsonstream.Limits{Depth: 8, Text: 4096})
//	err := r.Object(func(key []byte) error {
//		if string(key) == "name" {
//			return r.Text(&name)
//		}
//		return r.Skip()
//	})
//	if err == nil {
//		err = r.End()
//	}
//
// encoding/json keeps a whole text, number or run of white space in memory
// before it is asked what to do with it; a sender whom nobody knows yet may
// make these as long as the document.
package jsonstream

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits are what a document may not exceed.
type Limits struct {
	Depth int // how deep objects and arrays may be nested
	Text  int // bytes of one text, unless it is read by [Reader.Stream]
}

// A Reader reads one document. It is for one goroutine. After an error it is of
// no more use.
type Reader struct {
	in     *bufio.Reader
	limits Limits
	depth  int
	offset int64
	text   []byte
}

// New returns a reader of the document in.
func New(in io.Reader, limits Limits) *Reader {
	return &Reader{in: bufio.NewReaderSize(in, 32<<10), limits: limits}
}

// A Kind is the kind of a value: its first character, '0' for all numbers.
type Kind byte

// The kinds.
const (
	Object Kind = '{'
	Array  Kind = '['
	Text   Kind = '"'
	Number Kind = '0'
	True   Kind = 't'
	False  Kind = 'f'
	Null   Kind = 'n'
)

// errEnd is the end of the document where more was expected.
var errEnd = errors.New("the document ends too early")

func (r *Reader) fail(format string, args ...any) error {
	return fmt.Errorf("JSON at byte %d: %w", r.offset, fmt.Errorf(format, args...))
}

// next returns the next byte. The end is an error here.
func (r *Reader) next() (byte, error) {
	c, err := r.in.ReadByte()
	if err == nil {
		r.offset++
		return c, nil
	}
	if errors.Is(err, io.EOF) {
		err = errEnd
	}
	return 0, r.fail("%w", err)
}

// back gives back the byte that next returned.
func (r *Reader) back() {
	// UnreadByte cannot fail after a ReadByte.
	_ = r.in.UnreadByte()
	r.offset--
}

// token returns the next byte that is not white space.
func (r *Reader) token() (byte, error) {
	for {
		c, err := r.next()
		if err != nil || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c, err
		}
	}
}

// Peek returns the kind of the next value without taking it.
func (r *Reader) Peek() (Kind, error) {
	c, err := r.token()
	if err != nil {
		return 0, err
	}
	r.back()
	switch {
	case c == '-' || '0' <= c && c <= '9':
		return Number, nil
	case strings.IndexByte(`{["tfn`, c) >= 0:
		return Kind(c), nil
	}
	return 0, &UnexpectedError{Offset: r.offset, Got: c}
}

// An UnexpectedError is a character with which no value begins.
type UnexpectedError struct {
	Offset int64
	Got    byte
}

// Error says what was expected.
func (e *UnexpectedError) Error() string {
	return fmt.Sprintf("JSON at byte %d: want a value, got %q", e.Offset, e.Got)
}

// want takes the next token, which must be c.
func (r *Reader) want(c byte, what string) error {
	got, err := r.token()
	if err == nil && got != c {
		err = r.fail("want %s, got %q", what, got)
	}
	return err
}

// enter takes an opening bracket and reports whether the closing one follows at
// once; then that is taken too.
func (r *Reader) enter(open, end byte, what string) (empty bool, err error) {
	if err = r.want(open, what); err != nil {
		return false, err
	}
	if r.depth++; r.depth > r.limits.Depth {
		return false, r.fail("nested deeper than %d", r.limits.Depth)
	}
	c, err := r.token()
	if err != nil {
		return false, err
	}
	if c == end {
		r.depth--
		return true, nil
	}
	r.back()
	return false, nil
}

// more takes a comma or the closing bracket and reports which.
func (r *Reader) more(end byte) (bool, error) {
	c, err := r.token()
	switch {
	case err != nil:
		return false, err
	case c == ',':
		return true, nil
	case c == end:
		r.depth--
		return false, nil
	}
	return false, r.fail("want a comma or %q, got %q", end, c)
}

// Object takes an object. It calls member with each key; member takes the value.
// The key is valid until the next call of a method.
func (r *Reader) Object(member func(key []byte) error) error {
	empty, err := r.enter('{', '}', "an object")
	for more := !empty; more && err == nil; {
		var key []byte
		if key, err = r.Bytes(); err != nil {
			return err
		}
		if err = r.want(':', "a colon"); err != nil {
			return err
		}
		if err = member(key); err != nil {
			return err
		}
		more, err = r.more('}')
	}
	return err
}

// Array takes an array. It calls element before each of its values; element
// takes the value.
func (r *Reader) Array(element func() error) error {
	empty, err := r.enter('[', ']', "an array")
	for more := !empty; more && err == nil; {
		if err = element(); err != nil {
			return err
		}
		more, err = r.more(']')
	}
	return err
}

// Bytes takes a text. The result is valid until the next call of a method.
// What is not valid UTF-8 becomes U+FFFD, byte by byte, as in encoding/json.
func (r *Reader) Bytes() ([]byte, error) {
	if err := r.want('"', "a text in double quotes"); err != nil {
		return nil, err
	}
	r.text = r.text[:0]
	for {
		var end bool
		var err error
		if r.text, end, err = r.character(r.text); err != nil {
			return nil, err
		}
		if end {
			break
		}
		if len(r.text) > r.limits.Text {
			return nil, r.fail("a text is longer than %d bytes", r.limits.Text)
		}
	}
	if !utf8.Valid(r.text) {
		r.text = []byte(string([]rune(string(r.text))))
	}
	return r.text, nil
}

// Text takes a text into s.
func (r *Reader) Text(s *string) error {
	b, err := r.Bytes()
	if err == nil {
		*s = string(b)
	}
	return err
}

// Literal takes a number, true, false or null and returns it as it was written.
func (r *Reader) Literal() (string, error) {
	if _, err := r.Peek(); err != nil {
		return "", err
	}
	// no number that means anything here has more digits
	var text [40]byte
	n := 0
	for {
		c, err := r.next()
		if errors.Is(err, errEnd) {
			break
		}
		if err != nil {
			return "", err
		}
		if c != '+' && c != '-' && c != '.' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			r.back()
			break
		}
		if n == len(text) {
			return "", r.fail("a number is longer than %d characters", len(text))
		}
		text[n] = c
		n++
	}
	if n == 0 || !json.Valid(text[:n]) {
		return "", r.fail("want a number, true, false or null, got %q", text[:n])
	}
	return string(text[:n]), nil
}

// Skip takes a value and forgets it.
func (r *Reader) Skip() error {
	kind, err := r.Peek()
	if err != nil {
		return err
	}
	switch kind {
	case Object:
		return r.Object(func([]byte) error { return r.Skip() })
	case Array:
		return r.Array(r.Skip)
	case Text:
		_, err = r.Bytes()
	default:
		_, err = r.Literal()
	}
	return err
}

// End takes the end of the document: nothing but white space may be left.
func (r *Reader) End() error {
	c, err := r.token()
	switch {
	case errors.Is(err, errEnd):
		return nil
	case err != nil:
		return err
	}
	return r.fail("want the end, got %q", c)
}
