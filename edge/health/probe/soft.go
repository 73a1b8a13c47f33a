package probe

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"
)

// nowhere is the name that cannot exist. It has the extension of a file, since
// some servers have a page for every directory, and says in their logs why it is
// asked for.
const nowhere = "waypost-probe-no-such-file.iso"

// maxPage is how many bytes of a page are compared, coded or decoded.
const maxPage = 256 << 10

// A page is what a whole answer says, in words.
type page struct{ words []string }

// compare looks whether a directory that is answered with success is there. It
// asks for a name that cannot exist in it, and if that is answered with success,
// too, maybe where a redirect leads, such as the home page, for the directory.
// It returns an error if both are one page.
//
// HTML and 200 is what a directory should come as: a listing. From a server that
// says so of anything it means nothing. But that a server says 200 of what it
// lacks is bad manners, and no reason to take all that it has from clients: to
// dnf or apt it is one file whose checksum is wrong, and they ask the next mirror,
// as after a 404. So one that lists the directory stays up. So does one whose
// pages are too long to compare, cannot be decoded, or do not come: a mirror that
// is taken down by mistake costs more than one that is found out later. Who wants
// to know which mirrors lack what has files in the catalogue.
func (i *inquiry) compare(ctx context.Context, directory *url.URL) error {
	nothing := directory.JoinPath(nowhere)
	there := i.read(ctx, nothing)
	if there == nil {
		return nil
	}
	here := i.read(ctx, directory)
	if here == nil || !slices.Equal(there.without(nothing), here.without(nothing)) {
		return nil
	}
	return &failure{Soft404, fmt.Errorf("the directory's page is that of %s, which cannot exist", nothing.Path)}
}

// read asks for a page; nil: there is none, or it is not to be read.
func (i *inquiry) read(ctx context.Context, where *url.URL) *page {
	q := &question{file: file{url: where, size: -1, dir: true}, get: true, page: &page{}}
	if err := i.settle(ctx, q); err != nil || q.page.words == nil {
		return nil
	}
	return q.page
}

// read reads the page of an answer, if it comes whole and is not too long.
func (p *page) read(answer *http.Response) {
	body, err := whole(answer.Body)
	if err == nil && isGzip(answer) {
		var from io.Reader
		if from, err = gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, err = whole(from)
		}
	}
	if err == nil {
		p.words = words(string(body))
	}
}

// whole reads all, up to maxPage.
func whole(from io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(from, maxPage+1))
	if err == nil && len(body) > maxPage {
		err = errors.New("too long")
	}
	return body, err
}

// words returns the runs of letters and digits; never nil.
func words(text string) []string {
	return append([]string{}, strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })...)
}

// without returns the words of a page without those that pages of one kind differ
// in: numbers, such as times, and what was asked for.
func (p *page) without(asked *url.URL) []string {
	own := words(asked.Path)
	return slices.DeleteFunc(slices.Clone(p.words), func(word string) bool {
		return strings.ContainsFunc(word, unicode.IsDigit) || slices.Contains(own, word)
	})
}

// isHTML reports whether an answer says that it is HTML.
func isHTML(answer *http.Response) bool {
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")) // it returns the type also where only a parameter is wrong
	return kind == "text/html" || kind == "application/xhtml+xml"
}

// isNamedHTML reports whether a file is HTML by its name.
func isNamedHTML(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".html", ".htm", ".xhtml", ".shtml":
		return true
	}
	return false
}

// mayBePage reports whether servers may call a file HTML for its name: some do so
// of all that have no extension.
func mayBePage(name string) bool { return path.Ext(name) == "" || isNamedHTML(name) }

// wrong returns the failure of an answer that is not of the file's size. HTML in
// place of a file that is not HTML by its name is a page that tells of an error.
func (q *question) wrong(answer *http.Response, err error) error {
	if isHTML(answer) && !q.html {
		return fail(Soft404, fmt.Errorf("a page in place of the file: %w", err))
	}
	return fail(WrongSize, err)
}
