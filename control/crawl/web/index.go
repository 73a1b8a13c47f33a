package web

import (
	"bytes"
	"errors"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// An Index is a directory as a server's index page shows it.
type Index struct {
	// Index tells whether the page looks like an index page at all: a title or
	// heading that says so, or links with dates beside them.
	Index bool

	// Cut tells that the page went on where reading stopped.
	Cut bool

	// Entries are by name; that of a directory has no slash.
	Entries map[string]Entry
}

// An Entry is one line of an index page.
type Entry struct {
	Directory bool

	// MinSize and MaxSize are the sizes that the page's rounded figure can
	// mean; both are -1 where there is none. They are equal only where it is
	// in bytes.
	MinSize, MaxSize int64

	// Time is the time of change, in the server's unknown time zone, and
	// Precision what it is rounded to; zero where the page shows none.
	Time      time.Time
	Precision time.Duration
}

const maxEntries = 200_000 // links read of one page

// ParseIndex reads the index page at base. It knows no server by name: every
// link to something directly below base is an entry, and what stands behind it
// in the same line or row is searched for a date and a size. So it reads
// Apache's (plain, fancy, table), nginx's, lighttpd's, Caddy's and most others;
// links to elsewhere, upwards, further down, and with a query are left out.
func ParseIndex(base *url.URL, page []byte) Index {
	p := indexParser{base: base, index: Index{Entries: map[string]Entry{}}}
	z := html.NewTokenizer(bytes.NewReader(page))
	z.SetMaxBuf(64 << 10) // a tag or text longer than this ends the page
	for {
		switch z.Next() {
		case html.ErrorToken:
			p.end()
			p.index.Cut = p.index.Cut || errors.Is(z.Err(), html.ErrBufferExceeded)
			return p.index
		case html.TextToken:
			p.text(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			p.start(atom.Lookup(name), z, more)
		case html.EndTagToken:
			name, _ := z.TagName()
			p.stop(atom.Lookup(name))
		}
	}
}

// An indexParser holds the entry whose line is being read.
type indexParser struct {
	base   *url.URL
	index  Index
	name   string // "": no entry is open
	entry  Entry
	tail   strings.Builder // what stands behind the link
	inLink bool
	inPre  bool
	title  bool // inside a title or heading
}

// start sees an opening tag.
func (p *indexParser) start(tag atom.Atom, z *html.Tokenizer, more bool) {
	switch tag {
	case atom.A:
		p.end()
		p.inLink = true
		p.link(attribute(z, more, "href"))
	case atom.Pre:
		p.inPre = true
	case atom.Title, atom.H1, atom.H2:
		p.title = true
	case atom.Tr, atom.Li, atom.Br, atom.P, atom.Hr:
		p.end()
	case atom.Time:
		p.tail.WriteString(" " + attribute(z, more, "datetime") + " ")
	case atom.Td:
		if size := attribute(z, more, "data-size"); size != "" {
			p.tail.WriteString(" " + size + " ")
		}
		p.tail.WriteByte(' ')
	}
}

// stop sees a closing tag.
func (p *indexParser) stop(tag atom.Atom) {
	switch tag {
	case atom.A:
		p.inLink = false
	case atom.Pre:
		p.inPre = false
		p.end()
	case atom.Title, atom.H1, atom.H2:
		p.title = false
	case atom.Tr, atom.Li, atom.Table:
		p.end()
	}
}

// text sees text. In preformatted text the end of a line is that of an entry.
func (p *indexParser) text(s string) {
	if p.title {
		s = strings.ToLower(strings.TrimSpace(s))
		p.index.Index = p.index.Index || strings.HasPrefix(s, "index of") || strings.HasPrefix(s, "directory listing")
		return
	}
	if p.inLink || p.name == "" {
		return
	}
	if p.inPre {
		line, _, ended := strings.Cut(s, "\n")
		p.add(line)
		if ended {
			p.end()
		}
		return
	}
	p.add(s)
}

// add keeps what stands behind a link, as far as a date and size can reach.
func (p *indexParser) add(s string) {
	if room := 200 - p.tail.Len(); room > 0 {
		p.tail.WriteString(s[:min(len(s), room)])
	}
}

// link opens an entry if href leads to something directly below base.
func (p *indexParser) link(href string) {
	u, err := url.Parse(strings.TrimSpace(href))
	if err != nil || u.RawQuery != "" || u.ForceQuery || u.Path == "" {
		return
	}
	u = p.base.ResolveReference(u)
	rest, ok := strings.CutPrefix(u.Path, p.base.Path)
	if !ok || u.Host != p.base.Host {
		return
	}
	name, dir := strings.CutSuffix(rest, "/")
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return
	}
	p.name, p.entry = name, Entry{Directory: dir, MinSize: -1, MaxSize: -1}
}

// end closes the entry. The same name may come twice, its icon being a link
// too; what is known of it is kept.
func (p *indexParser) end() {
	tail := p.tail.String()
	p.tail.Reset()
	if p.name == "" {
		return
	}
	name, e := p.name, p.entry
	p.name = ""
	e.read(tail)
	if old, ok := p.index.Entries[name]; ok {
		if e.Time.IsZero() {
			e.Time, e.Precision = old.Time, old.Precision
		}
		if e.MinSize < 0 {
			e.MinSize, e.MaxSize = old.MinSize, old.MaxSize
		}
	} else if len(p.index.Entries) >= maxEntries {
		p.index.Cut = true
		return
	}
	p.index.Index = p.index.Index || !e.Time.IsZero()
	p.index.Entries[name] = e
}

// attribute returns a tag's attribute, "" if it has none.
func attribute(z *html.Tokenizer, more bool, name string) string {
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		if string(key) == name {
			return string(value)
		}
	}
	return ""
}
