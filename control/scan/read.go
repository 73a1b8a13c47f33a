package scan

import (
	"context"
	"crypto/md5"  //nolint:gosec // metalinks and MirrorManager's clients still name it
	"crypto/sha1" //nolint:gosec // the same
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"hash"
	"io"
	"io/fs"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

// Why a file has no hash.
const (
	isYoung    = "younger than the settle time"
	hasChanged = "changed since it was listed"
	isChanging = "changed while it was read"
	isGone     = "vanished"
	isClosed   = "closed to the scan"
	isLost     = "could not be read"
	isLarge    = "too large to be read as metadata"
	isBroken   = "is no whole file of its kind"
	isPartial  = "a file that it lists is not there in full"
	isOdd      = "its size is not the one said"
	isNewer    = "newer than the file that says its hash"
	isDisputed = "has two different hashes"
)

// mayPass reports whether a file may have a hash in a moment.
func mayPass(why string) bool {
	switch why {
	case isYoung, hasChanged, isChanging, isGone, isPartial:
		return true
	}
	return false
}

// A sums computes the four hashes of what is written to it.
type sums struct {
	io.Writer
	hashes [snapshot.HashKinds]hash.Hash
}

func newSums() *sums {
	s := &sums{hashes: [...]hash.Hash{md5.New(), sha1.New(), sha256.New(), sha512.New()}} //nolint:gosec // see the imports
	s.Writer = io.MultiWriter(s.hashes[0], s.hashes[1], s.hashes[2], s.hashes[3])
	return s
}

func (s *sums) sum() *registry.Hashes {
	var out registry.Hashes
	for k, h := range s.hashes {
		out[k] = h.Sum(nil)
	}
	return &out
}

// take reads a whole file into w. why says why what was read is worth nothing;
// err, that there will be no tree.
func (h *hasher) take(ctx context.Context, path string, f *registry.File, w io.Writer) (id fileID, why string, err error) {
	r, id, err := h.content.open(ctx, path, f)
	if err != nil {
		why, err = h.excuse(ctx, err)
		return id, why, err
	}
	defer func() { _ = r.Close() }() // was only read
	switch {
	case !h.agrees(id, f):
		return id, hasChanged, nil
	case !h.settled(id.touched()):
		return id, isYoung, nil
	}
	n, err := io.Copy(w, cancelled{ctx, io.LimitReader(r, f.Size+1)})
	h.count.wasRead(n)
	if err != nil {
		why, err = h.excuse(ctx, err)
		return id, why, err
	}
	after, err := h.content.stat(path, f)
	if err != nil {
		why, err = h.excuse(ctx, err)
		return id, why, err
	}
	if n != f.Size || after != id && !h.remote() {
		return id, isChanging, nil
	}
	return id, "", nil
}

// remote reports whether files are on a server that tells little of their state.
func (h *hasher) remote() bool {
	_, ok := h.content.(*webContent)
	return ok
}

// excuse turns an error into a reason for having no hash, unless the master is
// going away.
func (h *hasher) excuse(ctx context.Context, err error) (why string, fatal error) {
	switch {
	case ctx.Err() != nil, h.content.fatal(err):
		return "", err
	case errors.Is(err, errNoContent):
		return errNoContent.Error(), nil
	case errors.Is(err, fs.ErrNotExist):
		return isGone, nil
	case errors.Is(err, fs.ErrPermission):
		return isClosed, nil
	}
	return isLost, nil
}

// agrees reports whether a file is still as it was listed.
func (h *hasher) agrees(id fileID, f *registry.File) bool {
	if id.size != f.Size {
		return false
	}
	mtime := id.mtime / int64(time.Second)
	if h.config.Type != FileList {
		return mtime == f.Changed
	}
	// the list has the later of the two times, of which a server tells one
	return id.changed() == f.Changed || h.remote() && mtime <= f.Changed
}

// A cancelled reader fails when its context has ended.
type cancelled struct {
	ctx context.Context
	io.Reader
}

func (c cancelled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.Reader.Read(p)
}
