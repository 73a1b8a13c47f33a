package wire

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// newPacker returns what packs sections; EncodeAll may be called by many
// goroutines, works in the one that calls it, gives the same frame for the same
// bytes, and states its size in it (a single segment).
func newPacker() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true))
}

// newUnpacker returns what unpacks sections; DecodeAll may be called by many
// goroutines, and never writes beyond the capacity that it is given.
func newUnpacker() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true))
}

// expand unpacks a frame that must give exactly raw bytes. It looks at what
// the frame says of itself before it allocates anything.
func expand(z *zstd.Decoder, b []byte, raw int) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(b); err != nil {
		return nil, fmt.Errorf("unpacking: %w", err)
	}
	if !h.HasFCS || h.FrameContentSize != uint64(raw) {
		return nil, fmt.Errorf("unpacking: want a frame of %d bytes, it says %d", raw, h.FrameContentSize)
	}
	out, err := z.DecodeAll(b, make([]byte, 0, raw))
	if err != nil {
		return nil, fmt.Errorf("unpacking: %w", err)
	}
	if len(out) != raw {
		return nil, fmt.Errorf("unpacking: want %d bytes, got %d", raw, len(out))
	}
	return out, nil
}
