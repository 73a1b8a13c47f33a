package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A packer appends values to bytes.
type packer struct{ bytes []byte }

func (p *packer) uint(v uint64)    { p.bytes = binary.AppendUvarint(p.bytes, v) }
func (p *packer) int(v int64)      { p.bytes = binary.AppendVarint(p.bytes, v) }
func (p *packer) byte(b byte)      { p.bytes = append(p.bytes, b) }
func (p *packer) fixed(b ...byte)  { p.bytes = append(p.bytes, b...) }
func (p *packer) blob(b []byte)    { p.uint(uint64(len(b))); p.bytes = append(p.bytes, b...) }
func (p *packer) column(c *packer) { p.blob(c.bytes) }

func (p *packer) text(s string) {
	p.uint(uint64(len(s)))
	p.bytes = append(p.bytes, s...)
}

// flags appends up to eight bits.
func (p *packer) flags(on ...bool) {
	b := byte(0)
	for i, v := range on {
		if v {
			b |= 1 << i
		}
	}
	p.byte(b)
}

// An unpacker reads what a packer wrote. After the first error it gives zeros;
// ask done at the end, and err before what was read is used as a length or a
// position.
type unpacker struct {
	rest []byte
	size int
	err  error
}

func newUnpackerOf(b []byte) *unpacker { return &unpacker{rest: b, size: len(b)} }

func (u *unpacker) fail(format string, args ...any) {
	if u.err == nil {
		u.err = fmt.Errorf("at byte %d of %d: %w", u.size-len(u.rest), u.size, fmt.Errorf(format, args...))
		u.rest = nil
	}
}

var errCut = errors.New("it is cut off")

func (u *unpacker) uint() uint64 {
	v, n := binary.Uvarint(u.rest)
	if n <= 0 {
		u.fail("want a number: %w", errCut)
		return 0
	}
	u.rest = u.rest[n:]
	return v
}

func (u *unpacker) int() int64 {
	v, n := binary.Varint(u.rest)
	if n <= 0 {
		u.fail("want a number: %w", errCut)
		return 0
	}
	u.rest = u.rest[n:]
	return v
}

// upTo reads a number that is at most most.
func (u *unpacker) upTo(most uint64, what string) uint64 {
	v := u.uint()
	if v > most {
		u.fail("%s: want at most %d, got %d", what, most, v)
		return 0
	}
	return v
}

// count reads how many things follow that take at least size bytes each.
func (u *unpacker) count(size int, what string) int {
	return int(u.upTo(uint64(len(u.rest)/size), "number of "+what))
}

// take returns the next n bytes, which are part of the section.
func (u *unpacker) take(n int) []byte {
	if n > len(u.rest) {
		u.fail("want %d bytes, there are %d: %w", n, len(u.rest), errCut)
		return nil
	}
	b := u.rest[:n:n]
	u.rest = u.rest[n:]
	return b
}

func (u *unpacker) byte() byte {
	if b := u.take(1); b != nil {
		return b[0]
	}
	return 0
}

// flag reads bits, of which only the lowest n may be set.
func (u *unpacker) flag(n int) (on [8]bool) {
	b := u.byte()
	if b>>n != 0 {
		u.fail("want %d flags, got %#x", n, b)
	}
	for i := range on {
		on[i] = b>>i&1 != 0
	}
	return on
}

func (u *unpacker) blob(what string) []byte { return u.take(u.count(1, "bytes of "+what)) }

func (u *unpacker) column(what string) *unpacker { return newUnpackerOf(u.blob(what)) }

// text reads a text of at most maxText bytes without control characters: names,
// paths and URLs end up in headers and logs.
func (u *unpacker) text(what string) string {
	n := int(u.upTo(maxText, "bytes of "+what))
	s := string(u.take(n))
	if err := checkText(s); err != nil {
		u.fail("%s: %w", what, err)
		return ""
	}
	return s
}

// done returns the first error, or one if anything is left.
func (u *unpacker) done() error {
	if u.err == nil && len(u.rest) > 0 {
		u.fail("%d bytes are left over", len(u.rest))
	}
	return u.err
}

// list reads n things with each, and stops at the first error.
func list[T any](u *unpacker, size int, what string, each func() T) []T {
	n := u.count(size, what)
	if n == 0 {
		return nil
	}
	out := make([]T, 0, min(n, 1<<16)) // a thing in memory may be larger than its bytes
	for range n {
		v := each()
		if u.err != nil {
			return nil
		}
		out = append(out, v)
	}
	return out
}
