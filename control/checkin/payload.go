package checkin

import (
	"compress/bzip2"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// payload unpacks what checkin() is called with: base64, then bzip2. It yields
// at most limit bytes and keeps less than 5 MB, the tables of one bzip2 block.
func payload(text io.Reader, limit int64) io.Reader {
	raw := base64.NewDecoder(base64.RawStdEncoding, &alphabet{in: text})
	return &capped{in: &named{"bzip2", bzip2.NewReader(&named{"base64", raw})}, left: limit, limit: limit}
}

// alphabet turns urlsafe base64 into the ordinary one, which passes as well,
// and drops white space and padding.
type alphabet struct {
	in     io.Reader
	padded bool
}

var errPadding = errors.New("characters follow the padding")

// Read implements [io.Reader].
func (a *alphabet) Read(p []byte) (int, error) {
	for {
		n, err := a.in.Read(p)
		kept := 0
		for _, c := range p[:n] {
			switch c {
			case ' ', '\t', '\r', '\n':
				continue
			case '=':
				a.padded = true
				continue
			case '-':
				c = '+'
			case '_':
				c = '/'
			}
			if a.padded {
				return kept, errPadding
			}
			p[kept] = c
			kept++
		}
		if kept > 0 || err != nil || len(p) == 0 {
			return kept, err
		}
	}
}

// named says in whose bytes an error is.
type named struct {
	name string
	in   io.Reader
}

// Read implements [io.Reader].
func (r *named) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("decoding %s: %w", r.name, err)
	}
	return n, err
}

// capped fails where more than limit bytes come out of in.
type capped struct {
	in          io.Reader
	left, limit int64
}

// Read implements [io.Reader].
func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.in.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, tooMuch("it unpacks to more than %d bytes", c.limit)
	}
	return n, err
}
