// Package bzip2 compresses: the half that compress/bzip2 of the standard library
// leaves out. It is here because report_mirror's protocol wants bzip2 and a
// mirror need not have the program.
//
// A block of 900 kB goes through these steps, each of which has a function:
//
//	runs of bytes ─► sorted rotations (Burrows-Wheeler) ─► move to front, runs of
//	zeros ─► Huffman code
//
// One Huffman table serves a whole block, where bzip2 has up to six, so output
// is some per cent larger. The format is as its decoders define it, for there is
// no other specification; compress/bzip2 says the same in Go.
package bzip2

import (
	"errors"
	"io"
)

const (
	level     = 9
	blockSize = level*100_000 - 20 // bzip2 keeps 19 bytes for itself
	maxRun    = 255                // of equal bytes, as four and a count
)

const (
	blockMagic = 0x314159265359
	endMagic   = 0x177245385090
)

// A Writer compresses what is written to it. It is for one goroutine; [Writer.Close]
// must be called. It takes 16 MB and compresses some 5 MB/s.
type Writer struct {
	out    bits
	sorter sorter
	block  []byte // with runs shortened
	crc    uint32 // of the block, before its runs were shortened
	all    uint32 // of all blocks before
	run    int    // of equal bytes, not in block yet
	last   byte
	err    error
}

// NewWriter returns a writer that writes compressed data to w.
func NewWriter(w io.Writer) *Writer {
	z := &Writer{out: bits{w: w}, crc: ^uint32(0), block: make([]byte, 0, blockSize)}
	for _, c := range []byte{'B', 'Z', 'h', '0' + level} {
		z.out.write(uint64(c), 8)
	}
	return z
}

// Write compresses p.
func (z *Writer) Write(p []byte) (int, error) {
	for _, c := range p {
		if z.run > 0 && (c != z.last || z.run == maxRun) {
			z.endRun()
		}
		z.last = c
		z.run++
	}
	return len(p), z.failed()
}

// failed returns what went wrong so far.
func (z *Writer) failed() error {
	if z.err == nil {
		z.err = z.out.err
	}
	return z.err
}

// endRun takes the run into the block: four bytes or more as four and how many
// more follow.
func (z *Writer) endRun() {
	if len(z.block)+5 > blockSize {
		z.endBlock()
	}
	for range z.run {
		z.crc = z.crc<<8 ^ crcTable[byte(z.crc>>24)^z.last]
	}
	for range min(z.run, 4) {
		z.block = append(z.block, z.last)
	}
	if z.run >= 4 {
		z.block = append(z.block, byte(z.run-4))
	}
	z.run = 0
}

// endBlock writes the block.
func (z *Writer) endBlock() {
	if len(z.block) == 0 {
		return
	}
	crc := ^z.crc
	z.all = (z.all<<1 | z.all>>31) ^ crc
	z.out.write(blockMagic, 48)
	z.out.write(uint64(crc), 32)
	z.out.write(0, 1) // not randomised
	last, origin := z.sorter.transform(z.block)
	z.out.write(uint64(origin), 24)
	z.out.encode(last)
	z.block, z.crc = z.block[:0], ^uint32(0)
}

// errClosed is writing after the end.
var errClosed = errors.New("bzip2: writer is closed")

// Close writes what is left. It does not close the writer below.
func (z *Writer) Close() error {
	if err := z.failed(); err != nil {
		if errors.Is(err, errClosed) {
			return nil
		}
		return err
	}
	if z.run > 0 {
		z.endRun()
	}
	z.endBlock()
	z.out.write(endMagic, 48)
	z.out.write(uint64(z.all), 32)
	z.out.flush()
	err := z.failed()
	if err == nil {
		z.err = errClosed
	}
	return err
}

// crcTable is that of bzip2's CRC-32, which takes the most significant bit first.
var crcTable = func() (t [256]uint32) { //nolint:gochecknoglobals // a constant table
	for i := range t {
		c := uint32(i) << 24
		for range 8 {
			if c&(1<<31) != 0 {
				c = c<<1 ^ 0x04c11db7
			} else {
				c <<= 1
			}
		}
		t[i] = c
	}
	return t
}()

// bits writes numbers of any number of bits, the most significant one first.
type bits struct {
	w   io.Writer
	acc uint64
	n   uint // bits in acc, less than 8 between calls
	buf []byte
	err error
}

// write writes the n lowest bits of v, of which there are at most 48.
func (b *bits) write(v uint64, n uint) {
	b.acc = b.acc<<n | v
	b.n += n
	for b.n >= 8 {
		b.n -= 8
		b.buf = append(b.buf, byte(b.acc>>b.n))
	}
	if len(b.buf) >= 64<<10 {
		b.drain()
	}
}

func (b *bits) drain() {
	if b.err == nil {
		_, b.err = b.w.Write(b.buf)
	}
	b.buf = b.buf[:0]
}

// flush fills up the last byte with zeros and writes all.
func (b *bits) flush() {
	if b.n > 0 {
		b.write(0, 8-b.n)
	}
	b.drain()
}
