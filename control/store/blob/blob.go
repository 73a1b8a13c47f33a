// Package blob is how trees and listings are written in the database: columns,
// each with its length before it, compressed by zstd. Equal values of one kind
// stand side by side, so that two million files take a few megabytes.
//
//	"WPT1" zstd( category, scanned │ directories: paths, times, readable, files │ files: names, sizes, times, hashes )
//	"WPL1" zstd( host, category, seen │ holds │ unknown │ lacks │ older )
//
// Numbers are varints; paths and names say how many bytes they share with the
// one before. Bytes that are not such a blob, or end too early, or would need
// more memory than the codec's limit give an error.
package blob

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// A Codec writes and reads blobs. It is for any number of goroutines.
type Codec struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
	limit   int
}

// New returns a codec that reads blobs of up to limit bytes when decompressed;
// the tree of two million files has about 100 MiB.
func New(limit int) (*Codec, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, fmt.Errorf("starting compression: %w", err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(uint64(limit)))
	if err != nil {
		return nil, fmt.Errorf("starting decompression: %w", err)
	}
	return &Codec{encoder, decoder, limit}, nil
}

// pack writes the columns behind the magic.
func (c *Codec) pack(magic string, columns ...[]byte) []byte {
	size := 0
	for _, column := range columns {
		size += binary.MaxVarintLen64 + len(column)
	}
	body := make([]byte, 0, size)
	for _, column := range columns {
		body = binary.AppendUvarint(body, uint64(len(column)))
		body = append(body, column...)
	}
	return c.encoder.EncodeAll(body, []byte(magic))
}

// unpack returns a number of columns.
func (c *Codec) unpack(magic string, data []byte, columns int) ([]*column, error) {
	body, ok := bytes.CutPrefix(data, []byte(magic))
	if !ok {
		return nil, fmt.Errorf("want a blob that starts with %s", magic)
	}
	body, err := c.decoder.DecodeAll(body, nil)
	if err != nil {
		return nil, fmt.Errorf("decompressing: %w", err)
	}
	all := &column{rest: body, limit: c.limit}
	out := make([]*column, columns)
	for i := range out {
		out[i] = &column{rest: all.bytes(all.uvarint()), limit: c.limit}
	}
	return out, all.end()
}

// A column is read from its start. After its first error it gives zeros.
type column struct {
	rest  []byte
	prev  []byte // the text before
	limit int    // bytes of text that may still be given
	err   error
}

var (
	errShort = errors.New("a column ends too early")
	errLong  = errors.New("a column has more than it should")
	errText  = errors.New("a text shares more than there is, or is too long")
)

func (c *column) fail(err error) {
	c.rest = nil
	if c.err == nil {
		c.err = err
	}
}

// end returns the column's first error, or one if there is something left.
func (c *column) end() error {
	if c.err == nil && len(c.rest) > 0 {
		c.err = errLong
	}
	return c.err
}

// ends returns the first error of some columns.
func ends(columns []*column) error {
	for _, c := range columns {
		if err := c.end(); err != nil {
			return err
		}
	}
	return nil
}

func (c *column) uvarint() uint64 {
	v, n := binary.Uvarint(c.rest)
	if n <= 0 {
		c.fail(errShort)
		return 0
	}
	c.rest = c.rest[n:]
	return v
}

func (c *column) varint() int64 {
	v, n := binary.Varint(c.rest)
	if n <= 0 {
		c.fail(errShort)
		return 0
	}
	c.rest = c.rest[n:]
	return v
}

func (c *column) bytes(n uint64) []byte {
	if n > uint64(len(c.rest)) {
		c.fail(errShort)
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *column) byte() byte {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// count reads how many items other columns have, at least one byte each there.
func (c *column) count(other *column) int {
	n := c.uvarint()
	if n > uint64(len(other.rest)) {
		c.fail(errShort)
		return 0
	}
	return int(n)
}

// text reads a text that shares bytes with the one before. It is valid until the next call.
func (c *column) text() []byte {
	shared := c.uvarint()
	suffix := c.bytes(c.uvarint())
	if shared > uint64(len(c.prev)) || int(shared)+len(suffix) > c.limit {
		c.fail(errText)
		return nil
	}
	c.prev = append(c.prev[:shared], suffix...)
	c.limit -= len(c.prev)
	return c.prev
}

// string reads a text for keeps.
func (c *column) string() string { return string(c.text()) }

// texts reads n texts, all in one piece of memory.
func (c *column) texts(n int) []string {
	var all strings.Builder
	ends := make([]int, n)
	for i := range ends {
		all.Write(c.text())
		ends[i] = all.Len()
	}
	out, from := make([]string, n), 0
	for i, end := range ends {
		out[i] = all.String()[from:end]
		from = end
	}
	return out
}

// A texter appends texts that share bytes with the one before.
type texter struct {
	out  []byte
	prev string
}

func (t *texter) add(s string) {
	shared := 0
	for shared < min(len(s), len(t.prev)) && s[shared] == t.prev[shared] {
		shared++
	}
	t.out = binary.AppendUvarint(t.out, uint64(shared))
	t.out = binary.AppendUvarint(t.out, uint64(len(s)-shared))
	t.out = append(t.out, s[shared:]...)
	t.prev = s
}
