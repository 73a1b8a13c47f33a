package probe

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
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

// isPage reports whether a file is HTML by its name.
func isPage(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".html", ".htm", ".xhtml", ".shtml":
		return true
	}
	return false
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
// too long, or coded otherwise than by gzip (RFC 9110, section 8.4.1), nobody
// knows; but a page in place of a file is an error.
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
	coding := answer.Header.Get("Content-Encoding")
	if all && (strings.EqualFold(coding, "gzip") || strings.EqualFold(coding, "x-gzip")) {
		return nil, q.unzip(body)
	}
	kind, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
	if kind = strings.ToLower(strings.TrimSpace(kind)); !q.page && (kind == "text/html" || kind == "application/xhtml+xml") {
		return nil, &failure{WrongSize, fmt.Errorf("a page, coded by %.20q, in place of the file", coding)}
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
		return &failure{WrongSize, fmt.Errorf("%d bytes, decoded %d or more, want %d: %w", len(body), n, q.size, err)}
	}
	return nil
}
