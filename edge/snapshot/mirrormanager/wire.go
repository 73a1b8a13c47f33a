package mirrormanager

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// A fault is the first thing found wrong; everything that reads stops at it.
type fault struct {
	at    int64 // offset in the file
	text  string
	cause error // the reader's, if that failed
}

func (f *fault) found() bool { return f.text != "" || f.cause != nil }

func (f *fault) set(at int64, text string) {
	if !f.found() {
		f.at, f.text = at, text
	}
}

// A stream reads the fields of the outermost message.
type stream struct {
	r     *bufio.Reader
	at    int64 // offset of the next byte
	start int64 // offset of the current field's tag
	long  []byte
	fault *fault

	num protowire.Number
	typ protowire.Type
}

// next reads a tag; it returns false at the end and at a fault.
func (s *stream) next() bool {
	if s.fault.found() {
		return false
	}
	s.start = s.at
	if _, err := s.r.Peek(1); errors.Is(err, io.EOF) {
		return false
	}
	tag := s.varint("a field tag")
	s.num, s.typ = protowire.DecodeTag(tag)
	if !s.fault.found() && !s.num.IsValid() {
		s.fault.set(s.start, fmt.Sprintf("tag %#x is no field of MirrorList", tag))
	}
	return !s.fault.found()
}

// varint reads a varint; what says what it is, for errors.
func (s *stream) varint(what string) (v uint64) {
	for i := range protowire.SizeVarint(1<<64 - 1) {
		b, err := s.r.ReadByte()
		if err != nil {
			s.end(err, what)
			return 0
		}
		s.at++
		if i == 9 && b > 1 {
			break
		}
		v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return v
		}
	}
	s.fault.set(s.start, what+": a varint of more than 64 bits")
	return 0
}

// end records why no more bytes came.
func (s *stream) end(err error, want string) {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		s.fault.set(s.at, "the file ends inside "+want)
		return
	}
	if !s.fault.found() {
		s.fault.at, s.fault.cause = s.at, err
	}
}

// want reports whether the current field has the wire type that its number asks for.
func (s *stream) want(typ protowire.Type, what string) bool {
	if s.typ != typ {
		s.fault.set(s.start, fmt.Sprintf("%s (field %d): want wire type %d, got %d", what, s.num, typ, s.typ))
	}
	return s.typ == typ
}

// message reads the current field's submessage. Its bytes are good until the next read.
func (s *stream) message(what string) fields {
	if !s.want(protowire.BytesType, what) {
		return fields{fault: s.fault}
	}
	n := s.varint("the length of " + what)
	from := s.at
	return fields{b: s.bytes(n, what), base: from, what: what, fault: s.fault}
}

// bytes reads n bytes. Memory grows with what is read, not with what a corrupt length claims.
func (s *stream) bytes(n uint64, what string) []byte {
	if s.fault.found() {
		return nil
	}
	if n <= bufferSize {
		b, err := s.r.Peek(int(n))
		if err != nil {
			s.end(err, fmt.Sprintf("%s of %d bytes", what, n))
			return nil
		}
		s.at += int64(len(b))
		_, _ = s.r.Discard(len(b)) // they are in the buffer: cannot fail
		return b
	}
	s.long = s.long[:0]
	for uint64(len(s.long)) < n {
		from := len(s.long)
		s.long = append(s.long, make([]byte, min(n-uint64(from), bufferSize))...)
		got, err := io.ReadFull(s.r, s.long[from:])
		s.at += int64(got)
		if err != nil {
			s.end(err, fmt.Sprintf("%s of %d bytes", what, n))
			return nil
		}
	}
	return s.long
}

// skip passes over a field that this package does not know.
func (s *stream) skip() {
	const what = "an unknown field"
	switch s.typ {
	case protowire.VarintType:
		s.varint(what)
	case protowire.Fixed32Type:
		s.bytes(4, what)
	case protowire.Fixed64Type:
		s.bytes(8, what)
	case protowire.BytesType:
		s.pass(s.varint(what), what)
	default:
		s.fault.set(s.start, fmt.Sprintf("field %d has wire type %d, which MirrorList never uses", s.num, s.typ))
	}
}

// pass discards n bytes.
func (s *stream) pass(n uint64, what string) {
	for n > 0 && !s.fault.found() {
		step := min(n, bufferSize)
		s.bytes(step, what)
		n -= step
	}
}

// fields reads the fields of one submessage that is in memory.
type fields struct {
	b     []byte
	at    int   // of the next byte in b
	from  int   // of the current field's value in b
	base  int64 // of b in the file
	what  string
	fault *fault

	num protowire.Number
	typ protowire.Type
}

// next goes to the next field; it returns false at the end and at a fault. The
// caller must take the value, or skip it.
func (f *fields) next() bool {
	if f.at == len(f.b) || f.fault.found() {
		return false
	}
	num, typ, n := protowire.ConsumeTag(f.b[f.at:])
	if n < 0 {
		f.fail("want a field tag")
		return false
	}
	f.num, f.typ, f.at = num, typ, f.at+n
	f.from = f.at
	return true
}

// fail records a fault at the current place.
func (f *fields) fail(text string) { f.fault.set(f.base+int64(f.at), f.what+": "+text) }

// skip passes over a field that is not of interest.
func (f *fields) skip() {
	n := protowire.ConsumeFieldValue(f.num, f.typ, f.b[f.at:])
	if n < 0 {
		f.fail(fmt.Sprintf("field %d is cut off or malformed", f.num))
		return
	}
	f.at += n
}

// uint takes a number.
func (f *fields) uint(name string) uint64 {
	if f.typ != protowire.VarintType {
		f.fail(fmt.Sprintf("%s: want a varint, got wire type %d", name, f.typ))
		return 0
	}
	v, n := protowire.ConsumeVarint(f.b[f.at:])
	if n < 0 {
		f.fail(name + ": want a varint")
		return 0
	}
	f.at += n
	return v
}

// int takes an int64.
func (f *fields) int(name string) int64 { return int64(f.uint(name)) }

// ints appends one number, or those of a packed field, to dst.
func (f *fields) ints(name string, dst []int64) []int64 {
	if f.typ != protowire.BytesType {
		return append(dst, f.int(name))
	}
	packed := f.bytes(name)
	for len(packed) > 0 && !f.fault.found() {
		v, n := protowire.ConsumeVarint(packed)
		if n < 0 {
			f.fail(name + ": want packed varints")
			break
		}
		dst, packed = append(dst, int64(v)), packed[n:]
	}
	return dst
}

// bytes takes a length-delimited value, which is part of the message.
func (f *fields) bytes(name string) []byte {
	if f.typ != protowire.BytesType {
		f.fail(fmt.Sprintf("%s: want wire type %d, got %d", name, protowire.BytesType, f.typ))
		return nil
	}
	v, n := protowire.ConsumeBytes(f.b[f.at:])
	if n < 0 {
		f.fail(name + ": its length goes beyond the message")
		return nil
	}
	f.at += n
	f.from = f.at - len(v)
	return v
}

// text takes a string, which is part of the message. Like every proto2 parser
// that keeps to the rules it insists on UTF-8.
func (f *fields) text(name string) []byte {
	v := f.bytes(name)
	if !utf8.Valid(v) {
		f.fail(fmt.Sprintf("%s: want UTF-8, got %.40q", name, v))
	}
	return v
}

// message takes a submessage.
func (f *fields) message(what string) fields {
	v := f.bytes(what)
	return fields{b: v, base: f.base + int64(f.from), what: what, fault: f.fault}
}

// require finds fault with a message that ended without a required field.
func (f *fields) require(seen bool, name string) {
	if !seen {
		f.fail("ends without " + name)
	}
}
