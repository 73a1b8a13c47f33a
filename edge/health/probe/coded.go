package probe

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxCoded is how many bytes of a coded body are read: pages of errors are
// shorter, and with the longest header that is sane it is within maxAnswer.
const maxCoded = 32 << 10

// isCoded reports whether an answer says that its bytes are not the file's own,
// though nothing else was asked for.
func isCoded(answer *http.Response) bool {
	coding := answer.Header.Get("Content-Encoding")
	return coding != "" && !strings.EqualFold(coding, "identity")
}

// isGzip reports whether an answer is coded by gzip (RFC 9110, section 8.4.1).
func isGzip(answer *http.Response) bool {
	coding := answer.Header.Get("Content-Encoding")
	return strings.EqualFold(coding, "gzip") || strings.EqualFold(coding, "x-gzip")
}

// byWhole returns the same question by GET, not for a part: that of a coded body
// tells nothing.
func (q *question) byWhole() *question {
	next := *q
	next.get, next.whole = true, true
	return &next
}

// decode compares the size of a file with a coded body, whose own size is
// another one, or not said. The body may be the file that is stored, such as a
// .tar.gz that servers call coded, or the file once it is decoded. Of one that is
// too long, or coded otherwise than by gzip, nobody knows; but a page in place of
// a file is an error.
func (q *question) decode(answer *http.Response) (*question, error) {
	if !q.get || !q.whole && answer.StatusCode == http.StatusPartialContent {
		return q.byWhole(), nil
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxCoded+1))
	if err != nil {
		return nil, fail(Protocol, fmt.Errorf("reading a coded body, it broke off after %d bytes: %w", len(body), err))
	}
	all := len(body) <= maxCoded
	if all && int64(len(body)) == q.size {
		return nil, nil
	}
	switch {
	case all && isGzip(answer):
		err = q.unzip(body)
	case isHTML(answer) && !q.html:
		err = fmt.Errorf("coded by %.20q", answer.Header.Get("Content-Encoding"))
	}
	if err != nil {
		return nil, q.wrong(answer, err)
	}
	return nil, nil
}

// unzip compares the size of a file with what there is in a body.
func (q *question) unzip(body []byte) error {
	from, err := gzip.NewReader(bytes.NewReader(body))
	n := int64(0)
	if err == nil {
		n, err = io.Copy(io.Discard, io.LimitReader(from, q.size+1))
	}
	if err == nil && n != q.size {
		err = errors.New("that is not the file")
	}
	if err != nil {
		return fmt.Errorf("%d bytes, decoded %d or more, want %d: %w", len(body), n, q.size, err)
	}
	return nil
}
