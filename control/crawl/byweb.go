package crawl

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/control/crawl/web"
)

// fewIndexes is after how many directories without an index page, and none
// with one, no more are asked for.
const fewIndexes = 5

// A webCrawl lists a tree over HTTP(S).
type webCrawl struct {
	*crawler
	facts *URLFacts

	indexes, noIndexes atomic.Int32
	failures           atomic.Int32 // in a row

	mu   sync.Mutex
	gone map[int]bool // directories that are not there, nor anything below them
}

// byWeb looks at each undecided directory.
func (c *crawler) byWeb(ctx context.Context, u *URLFacts, a *Attempt) error {
	w := &webCrawl{crawler: c, facts: u, gone: map[int]bool{}}
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(c.limits.Connections)
	for _, d := range c.scope {
		if inner.Err() != nil {
			break
		}
		if !c.ledger.undecided(d) {
			continue
		}
		if w.belowGone(d) {
			c.absent(d)
			continue
		}
		g.Go(func() error {
			defer c.done(1)
			return w.directory(inner, d)
		})
	}
	err := g.Wait()
	a.Whole = err == nil && ctx.Err() == nil
	return err
}

// belowGone reports whether the directory above is not there, and remembers
// that this one is not either.
func (w *webCrawl) belowGone(d int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, ok := w.ledger.parent(d)
	if ok && w.gone[p] {
		w.gone[d] = true
	}
	return w.gone[d]
}

// url returns the URL of a path below the top.
func (w *webCrawl) url(path string) string { return address(w.facts.URL, path) }

// address returns the URL of a path below base.
func address(base, path string) string {
	return base + "/" + (&url.URL{Path: "/" + path}).EscapedPath()[1:]
}

// note counts requests for a path that failed in a row; too many are the
// server's trouble.
func (w *webCrawl) note(ctx context.Context, path string, err error) error {
	if err == nil {
		w.failures.Store(0)
		return nil
	}
	if ctx.Err() != nil {
		return err // it was us
	}
	w.problem(path, err.Error())
	if n := w.failures.Add(1); int(n) >= w.limits.Errors || errors.Is(err, web.ErrOverloaded) {
		return fmt.Errorf("giving up after %d failed requests in a row: %w", n, err)
	}
	return nil
}

// directory looks at one directory: at its index page where there are some,
// then at single files of which the page did not tell enough.
func (w *webCrawl) directory(ctx context.Context, d int) error {
	if !w.ledger.tree.Directories[d].Readable {
		return w.embargoed(ctx, d)
	}
	var hidden []int // files that the index page does not show
	if w.wantsIndex(d) {
		index, status, err := w.index(ctx, d)
		switch {
		case err != nil:
			w.noIndexes.Add(1)
			if err = w.note(ctx, w.ledger.tree.Directories[d].Path, err); err != nil {
				return err
			}
		case status == http.StatusNotFound || status == http.StatusGone:
			if gone, err := w.isGone(ctx, d); gone || err != nil {
				return err
			}
		case index != nil:
			hidden = w.compare(d, index)
		case status == http.StatusOK:
			w.ledger.dirs[d] = good
		}
	}
	return w.files(ctx, d, hidden)
}

// wantsIndex reports whether an index page would help: it replaces several
// requests, or shows that an empty directory is there.
func (w *webCrawl) wantsIndex(d int) bool {
	if w.facts.Soft || w.indexes.Load() == 0 && w.noIndexes.Load() >= fewIndexes {
		return false
	}
	open, n := 0, len(w.ledger.in(d))
	for _, s := range w.ledger.in(d) {
		if s == unseen {
			open++
		}
	}
	return n == 0 || open > 2
}

// index fetches and reads an index page; nil where there is none.
func (w *webCrawl) index(ctx context.Context, d int) (*web.Index, int, error) {
	path := w.ledger.tree.Directories[d].Path
	if path != "" {
		path += "/"
	}
	a, err := w.client.Get(ctx, w.url(path), w.limits.MaxIndex)
	if err != nil {
		return nil, 0, err
	}
	w.failures.Store(0)
	if a.Status == http.StatusOK && a.Type == "text/html" && !a.Encoded {
		if index := web.ParseIndex(a.URL, a.Body); index.Index {
			w.indexes.Add(1)
			index.Cut = index.Cut || a.Cut
			return &index, a.Status, nil
		}
	}
	w.noIndexes.Add(1)
	return nil, a.Status, nil
}

// isGone finds out whether a directory that answered 404 is not there: a store
// without directories answers so too, and has the files.
func (w *webCrawl) isGone(ctx context.Context, d int) (bool, error) {
	l := w.ledger
	files := l.tree.Directories[d].Files
	if len(files) > 0 {
		a, err := w.client.Head(ctx, w.url(join(l.tree.Directories[d].Path, files[0].Name)))
		if err != nil {
			return false, w.note(ctx, l.tree.Directories[d].Path, err)
		}
		if a.Status != http.StatusNotFound && a.Status != http.StatusGone {
			return false, nil
		}
	}
	l.dirs[d] = missing
	l.replace(d, unseen, missing)
	l.replace(d, unsure, missing)
	if w.indexes.Load() > 0 { // elsewhere it has index pages: this tells of what is below, too
		w.mu.Lock()
		w.gone[d] = true
		w.mu.Unlock()
	}
	return true, nil
}

// compare compares an index page with the tree and returns the files that it
// does not show. Pages can hide files, so that these are asked for.
func (w *webCrawl) compare(d int, index *web.Index) (hidden []int) {
	l := w.ledger
	l.dirs[d] = good
	in := l.in(d)
	for f := range l.tree.Directories[d].Files {
		file := &l.tree.Directories[d].Files[f]
		if in[f] != unseen {
			continue
		}
		e, ok := index.Entries[file.Name]
		if !ok {
			if !index.Cut {
				hidden = append(hidden, f)
			}
			continue
		}
		ref := pos{dir: uint32(d), file: uint32(f)}
		if _, sure := e.MayBe(file.Size, file.Changed); sure && !w.meta[ref] && !w.limits.StrictTimes {
			in[f] = good
		}
	}
	return hidden
}

// files asks for single files: metadata first, for it decides what the others
// mean; then as many as the mode wants. Of those that the index page does not
// show, three are asked for: if they are not there, neither are the others.
func (w *webCrawl) files(ctx context.Context, d int, hidden []int) error {
	absent := 0
	for _, f := range w.selection(d) {
		ref := pos{dir: uint32(d), file: uint32(f)}
		shown := !slices.Contains(hidden, f)
		if !shown && absent >= 3 && !w.meta[ref] {
			*w.ledger.of(ref) = missing
			continue
		}
		s, err := w.file(ctx, ref)
		if err = w.note(ctx, w.ledger.path(ref), err); err != nil {
			return err
		}
		*w.ledger.of(ref) = s
		if s == good || s == older {
			w.ledger.dirs[d] = good
		}
		if !shown && s == missing {
			absent++
		}
		if s.bad() && !w.meta[ref] {
			w.problem(w.ledger.path(ref), [...]string{wrong: "is something else", missing: "is missing"}[s])
			if t := w.ledger.count(d); w.decided(d, t) {
				return nil
			}
		}
	}
	return nil
}

// decided reports whether a directory is lacked whatever its other files are,
// so that no more requests are needed.
func (w *webCrawl) decided(d int, t tally) bool {
	return t[older] == 0 && float64(t[wrong]+t[missing]) > w.limits.MaxHoles*float64(len(w.ledger.in(d)))
}

// selection returns the undecided files of a directory that are to be asked
// for, metadata first.
func (w *webCrawl) selection(d int) (files []int) {
	var others []int
	for f, s := range w.ledger.in(d) {
		switch {
		case s != unseen && s != unsure:
		case w.meta[pos{dir: uint32(d), file: uint32(f)}]:
			files = append(files, f)
		default:
			others = append(others, f)
		}
	}
	if w.sampled(d) && len(others) > w.limits.Sample {
		w.crawler.mu.Lock()
		w.rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
		w.crawler.mu.Unlock()
		others = others[:w.limits.Sample]
		slices.Sort(others)
	}
	return append(files, others...)
}

// embargoed looks at a directory that nobody should see: whether it can be seen.
func (w *webCrawl) embargoed(ctx context.Context, d int) error {
	l := w.ledger
	l.dirs[d] = unsure
	if len(l.in(d)) == 0 {
		return nil
	}
	ref := pos{dir: uint32(d)}
	s, err := w.file(ctx, ref)
	if s == good || s == older {
		w.leak(d)
	}
	return w.note(ctx, w.ledger.path(ref), err)
}

// file asks for one file and says what it is.
func (w *webCrawl) file(ctx context.Context, ref pos) (state, error) {
	file := w.ledger.file(ref)
	u := w.url(w.ledger.path(ref))
	fetch := w.meta[ref] && hashed(file) && file.Size <= w.limits.MaxMetadata
	a, err := w.ask(ctx, u, fetch)
	if err != nil {
		return unsure, err
	}
	switch {
	case a.Status == http.StatusNotFound || a.Status == http.StatusGone,
		a.Status == http.StatusForbidden || a.Status == http.StatusUnauthorized: // so do clients hear
		return missing, nil
	case a.Status >= http.StatusInternalServerError:
		return unsure, fmt.Errorf("asking %s: status %d", u, a.Status)
	case !a.OK() || a.Encoded:
		return unsure, nil
	}
	s := sight{size: a.Size, precision: time.Second}
	if !a.Modified.IsZero() {
		s.mtime = a.Modified.Unix()
	}
	if fetch && a.Cut {
		return wrong, nil // larger than it may be
	}
	if fetch {
		s.body = append([]byte{}, a.Body...)
	}
	is := w.judge(ref, s)
	if page := a.Type == "text/html" && !namedHTML(file.Name) || fetch && looksHTML(a.Body); page && is != good && is != older {
		w.problem(w.ledger.path(ref), "is a page instead of the file")
		return wrong, nil
	}
	return is, nil
}

// ask asks for a file: for its content, or for what it is. Servers that answer
// HEAD badly are asked for the first byte.
func (w *webCrawl) ask(ctx context.Context, u string, fetch bool) (*web.Answer, error) {
	if fetch {
		return w.client.Get(ctx, u, w.limits.MaxMetadata)
	}
	a, err := w.client.Head(ctx, u)
	if err != nil {
		return nil, err
	}
	if a.Status == http.StatusMethodNotAllowed || a.Status == http.StatusNotImplemented || a.OK() && a.Size < 0 {
		a, err = w.client.Range(ctx, u, 0, 1)
	}
	if err == nil && len(a.Hops) > 0 {
		w.crawler.mu.Lock()
		w.facts.redirects(a.Hops)
		w.crawler.mu.Unlock()
	}
	return a, err
}
