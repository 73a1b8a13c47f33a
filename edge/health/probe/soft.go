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

// A page is what a whole answer says, in words, and where redirects led to it. One
// without words was not there, or cannot be compared.
type page struct {
	words []string
	url   *url.URL
}

// compare looks whether a directory that is answered with success is there. It
// asks for a name that cannot exist in it, and if that is answered with success,
// too, for the directory. It returns an error if both are one page.
//
// HTML and 200 is what a directory should come as: a listing. From a server that
// says so of anything it means nothing. But that a server says 200 of what it
// lacks is bad manners, and no reason to take all that it has from clients: to
// dnf or apt it is one file whose checksum is wrong, and they ask the next mirror,
// as after a 404. So one that lists the directory stays up. So does one whose
// pages are too long to compare, are empty, cannot be decoded, or do not come; one
// that lists by a script in the browser, whose page is the same everywhere; and one
// that sends the name on to another, for that may be the directory: the home page
// of a server whose tree is at its root. A mirror that is taken down by mistake
// costs more than one that is found out later. Who wants to know which mirrors lack
// what has files in the catalogue.
func (i *inquiry) compare(ctx context.Context, directory *url.URL) error {
	nothing := directory.JoinPath(nowhere)
	there := i.read(ctx, nothing)
	if there == nil || path.Base(there.url.Path) != nowhere {
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
	if err := i.settle(ctx, q); err != nil || len(q.page.words) == 0 {
		return nil
	}
	return q.page
}

// read reads the page of an answer, if it comes whole, is not too long, and says
// what it shows without a script.
func (p *page) read(answer *http.Response, from *url.URL) {
	body, err := whole(answer.Body)
	if err == nil && isGzip(answer) {
		var decoded io.Reader
		if decoded, err = gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, err = whole(decoded)
		}
	}
	if err == nil && !bytes.Contains(bytes.ToLower(body), []byte("<script")) {
		p.words, p.url = words(string(body)), from
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

// words returns the runs of letters and digits.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
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

// isNamedPage reports whether a file may be served as HTML for its name: by any of
// its extensions, since Apache takes the type from each that it knows, as in
// index.html.en, and gives what a program says for its source.
func isNamedPage(name string) bool {
	return slices.ContainsFunc(extensions(name), func(extension string) bool {
		switch strings.ToLower(extension) {
		case "html", "htm", "xhtml", "xht", "shtml", "shtm", "phtml", "php", "asp", "aspx", "jsp", "cgi", "pl":
			return true
		}
		return false
	})
}

// mayBePage reports whether servers may call a file HTML for its name: some do so
// of all that have no extension.
func mayBePage(name string) bool { return len(extensions(name)) == 0 || isNamedPage(name) }

// extensions returns what follows each dot of a name, but for dots in front.
func extensions(name string) []string {
	return strings.Split(strings.TrimLeft(path.Base(name), "."), ".")[1:]
}

// wrong returns the failure of an answer that is not of the file's size. HTML in
// place of a file that is not HTML by its name is a page that tells of an error.
func (q *question) wrong(answer *http.Response, err error) error {
	if isHTML(answer) && !q.html {
		return fail(Soft404, fmt.Errorf("a page in place of the file: %w", err))
	}
	return fail(WrongSize, err)
}
