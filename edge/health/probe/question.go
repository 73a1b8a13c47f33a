package probe

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	maxAnswer   = 64 << 10 // bytes of an answer that are read, header and body
	maxHops     = 3        // redirects within a host that one question follows
	sampleBytes = 1 << 10  // of a file that are read now and then
)

// A file is what a host is asked for.
type file struct {
	url  *url.URL
	size int64 // -1: not known
	dir  bool  // url names a directory
}

// A question is one request of a probe. Its answer settles it or leads to
// another question, which goes on from there: HEAD becomes GET once, and there
// are at most maxHops redirects, so that there are few.
type question struct {
	file
	get   bool // for the first bytes of a file, not only for the header
	whole bool // for all of it, as far as an answer is read
	html  bool // the file may be HTML by its name
	hops  int  // redirects that led here

	page *page // that the answer is read into; nil: it is judged
}

// newQuestion returns the first question for a file.
func newQuestion(f file, get bool) *question {
	return &question{file: f, get: get && f.size > 0, html: isNamedPage(f.url.Path)}
}

// byGet returns the same question by GET.
func (q *question) byGet() *question {
	next := *q
	next.get = true
	return &next
}

// put sends the question and returns the answer, after interim ones. Its body
// is there as far as the limit of an answer.
func (q *question) put(conn net.Conn, agent string) (*http.Response, error) {
	r := &http.Request{
		Method: http.MethodHead, URL: q.url, Host: q.url.Host, Close: true,
		Header: http.Header{"User-Agent": {agent}, "Accept-Encoding": {"identity"}},
	}
	if q.get {
		r.Method = http.MethodGet
	}
	if q.get && !q.whole && q.size > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=0-%d", min(q.size, sampleBytes)-1))
	}
	if err := r.Write(conn); err != nil {
		return nil, fail(Protocol, fmt.Errorf("asking: %w", err))
	}
	limit := int64(maxAnswer)
	if q.page != nil {
		limit += maxPage
	}
	from := bufio.NewReader(io.LimitReader(conn, limit))
	for {
		answer, err := http.ReadResponse(from, r)
		if err != nil {
			return nil, fail(Protocol, fmt.Errorf("reading the answer: %w", err))
		}
		if answer.StatusCode >= 200 || answer.StatusCode == http.StatusSwitchingProtocols {
			return answer, nil
		}
		_ = answer.Body.Close() // an interim answer has none
	}
}

// judge says what an answer means: an error, a question to ask next, or neither,
// which is good.
//
// A file must be there, in its size; where none is known, not as a page. Of a
// directory it is enough that it is neither missing nor broken: many mirrors
// forbid listings with 403. 429 comes from hosts that are there and do not like
// probes. To some HEAD is not what GET is, and clients send GET: so that decides.
func (q *question) judge(answer *http.Response) (*question, error) {
	status := answer.StatusCode
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusForbidden && q.dir:
		return nil, nil
	case status == http.StatusNotFound || status == http.StatusGone:
		return nil, &failure{Missing, fmt.Errorf("status %d", status)}
	case status >= 300 && status < 400:
		return q.follow(answer)
	case !q.get && refusesHead(status):
		return q.byGet(), nil
	case status < 200 || status >= 300:
		return nil, &failure{BadStatus, fmt.Errorf("status %d", status)}
	case q.page != nil:
		q.page.read(answer, q.url)
		return nil, nil
	case q.dir, q.size < 0 && (q.html || !isHTML(answer)):
		return nil, nil
	case q.size >= 0:
		return q.measure(answer)
	case !q.get:
		return q.byGet(), nil
	}
	return nil, q.wrong(answer, errors.New("of which no size is known"))
}

// refusesHead reports whether a status may be due to the method.
func refusesHead(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	}
	return false
}

// follow returns the question that a redirect leads to. A host that redirects
// to itself must have the file there; clients would follow, too.
func (q *question) follow(answer *http.Response) (*question, error) {
	where := answer.Header.Get("Location")
	to, err := q.url.Parse(where)
	switch {
	case err != nil || where == "":
		return nil, &failure{BadStatus, fmt.Errorf("status %d without a place to go", answer.StatusCode)}
	case !strings.EqualFold(to.Hostname(), q.url.Hostname()), to.Scheme != "https" && to.Scheme != q.url.Scheme:
		return nil, &failure{Elsewhere, fmt.Errorf("status %d to %.200s://%.200s", answer.StatusCode, to.Scheme, to.Host)}
	case q.hops == maxHops:
		return nil, &failure{BadStatus, fmt.Errorf("status %d after %d redirects", answer.StatusCode, maxHops)}
	}
	next := *q
	next.url, next.hops = to, q.hops+1
	return &next, nil
}

// measure compares the size of a file with the one that is known. A page that
// tells of an error often comes with 200, and with no size: where none is said,
// what comes is counted. Of a part, the whole may be of a size that the server
// does not know (RFC 9110, section 14.4).
func (q *question) measure(answer *http.Response) (*question, error) {
	size := sizeOf(answer)
	switch {
	case isCoded(answer) && size != strconv.FormatInt(q.size, 10):
		return q.decode(answer)
	case size == "" && !q.get:
		return q.byGet(), nil
	case size == "" && answer.StatusCode != http.StatusPartialContent:
		return nil, q.count(answer)
	}
	if n, err := strconv.ParseInt(size, 10, 64); size != "" && (err != nil || n != q.size) {
		return nil, q.wrong(answer, fmt.Errorf("size %.20s, want %d", size, q.size))
	}
	if !q.get {
		return nil, nil
	}
	want := min(q.size, sampleBytes)
	if n, err := io.CopyN(io.Discard, answer.Body, want); err != nil {
		return nil, fail(Protocol, fmt.Errorf("reading the first %d bytes, it broke off after %d: %w", want, n, err))
	}
	return nil, nil
}

// sizeOf returns what an answer says of the size of the whole file; "" if nothing.
func sizeOf(answer *http.Response) string {
	if answer.StatusCode != http.StatusPartialContent {
		return answer.Header.Get("Content-Length")
	}
	_, size, _ := strings.Cut(answer.Header.Get("Content-Range"), "/")
	return strings.TrimPrefix(size, "*")
}

// count compares the size of a file with what there is of a body. Of one that
// goes on beyond the limit of an answer nobody knows the size: servers of files
// say it, makers of pages do not.
func (q *question) count(answer *http.Response) error {
	n, err := io.Copy(io.Discard, answer.Body)
	if err == nil && n != q.size {
		err = errors.New("that is all")
	}
	if err != nil {
		return q.wrong(answer, fmt.Errorf("no size; counted %d bytes, want %d: %w", n, q.size, err))
	}
	return nil
}
