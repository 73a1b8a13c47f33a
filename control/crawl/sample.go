package crawl

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/waypost/waypost/control/crawl/web"
	"github.com/waypost/waypost/control/registry"
)

// piece is how much of a file is read at one place.
const piece = 4 << 10

// sampleContent reads pieces of a few files that seem right. One that is not
// right counts as wrong; if most are not, the whole listing is held: sizes and
// times say one thing and content another.
func (c *crawler) sampleContent(ctx context.Context, base string) {
	refs := c.samples()
	bad := 0
	for _, ref := range refs {
		why, err := c.sample(ctx, base, ref)
		if err != nil {
			continue // it told nothing
		}
		if why != "" {
			bad++
			*c.ledger.of(ref) = wrong
			c.problem(c.ledger.path(ref), why)
		}
	}
	if bad >= 2 && bad*2 > len(refs) {
		c.report.Fake = true
		c.report.Held = fmt.Sprintf("of %d sampled files %d are not what they seem", len(refs), bad)
	}
}

// samples draws files that seem right.
func (c *crawler) samples() (refs []pos) {
	seen := map[pos]bool{}
	if len(c.scope) == 0 {
		return nil
	}
	for try := 0; try < 20*c.limits.Contents && len(refs) < c.limits.Contents; try++ {
		d := c.scope[c.rand.IntN(len(c.scope))]
		files := c.ledger.tree.Directories[d].Files
		if len(files) == 0 || !c.ledger.tree.Directories[d].Readable {
			continue
		}
		ref := pos{dir: uint32(d), file: uint32(c.rand.IntN(len(files)))}
		if *c.ledger.of(ref) == good && c.ledger.file(ref).Size > 0 && !seen[ref] {
			seen[ref] = true
			refs = append(refs, ref)
		}
	}
	return refs
}

// sample reads pieces of a file, or the whole if it is small, and says what is
// wrong with it.
func (c *crawler) sample(ctx context.Context, base string, ref pos) (why string, err error) {
	file := c.ledger.file(ref)
	u := address(base, c.ledger.path(ref))
	size, version := file.Size, file.Version()
	if size <= 16*piece && hashed(file) {
		a, err := c.client.Get(ctx, u, size)
		if err != nil {
			return "", err
		}
		if why = c.looks(a, file, 0); why != "" {
			return why, nil
		}
		if is, _ := same(&version, sight{body: append([]byte{}, a.Body...)}); !is || a.Cut {
			return "has another hash", nil
		}
		return "", nil
	}
	for _, offset := range []int64{0, c.rand.Int64N(max(1, size-piece))} {
		n := min(piece, size-offset)
		a, err := c.client.Range(ctx, u, offset, n)
		if err != nil {
			return "", err
		}
		if a.Status == http.StatusOK { // it knows no ranges and begins at the beginning
			offset = 0
		}
		if why = c.looks(a, file, n); why == "" {
			why = c.differs(ref, a.Body, offset)
		}
		if why != "" {
			return why, nil
		}
	}
	return "", nil
}

// looks says what is wrong with an answer, n being how much was asked for; 0:
// all.
func (c *crawler) looks(a *web.Answer, file *registry.File, n int64) string {
	switch {
	case !a.OK():
		return fmt.Sprintf("answers status %d to a client", a.Status)
	case a.Size >= 0 && a.Size != file.Size:
		return fmt.Sprintf("is of %d bytes for a client, not %d", a.Size, file.Size)
	case n > 0 && int64(len(a.Body)) < n:
		return fmt.Sprintf("ends after %d of %d bytes", len(a.Body), n)
	case looksHTML(a.Body) && !namedHTML(file.Name) && a.Type == "text/html":
		return "is a page instead of the file"
	}
	return ""
}

// differs compares a piece with the master's, where that can be had.
func (c *crawler) differs(ref pos, got []byte, offset int64) string {
	if c.job.Content == nil {
		return ""
	}
	want := make([]byte, len(got))
	if n, err := c.job.Content.ReadFileAt(c.ledger.path(ref), c.ledger.file(ref), want, offset); err != nil && n < len(want) {
		return "" // the master changed in the meantime
	}
	if !bytes.Equal(got, want) {
		return fmt.Sprintf("differs from the master's content between byte %d and %d", offset, offset+int64(len(got)))
	}
	return ""
}
