package crawl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/waypost/waypost/control/crawl/ftp"
	"github.com/waypost/waypost/control/crawl/rsync"
	"github.com/waypost/waypost/control/scan/listing"
)

// errRefused means that a way of listing told nothing at all.
var errRefused = errors.New("refused")

// list tries one way of listing after the other, until nothing is undecided.
func (c *crawler) list(ctx context.Context, base string) error {
	urls := c.report.URLs
	for i := range urls {
		u := &urls[i]
		scheme, _, _ := strings.Cut(u.URL, "://")
		skip := isWeb(u.URL) && (u.URL != base || !u.Works) || scheme == "rsync" && c.job.Mode == Metadata && base != ""
		if skip || ctx.Err() != nil || c.report.Outcome == OptedOut {
			continue
		}
		undecided := c.undecided()
		if undecided == 0 {
			break
		}
		a := Attempt{URL: u.URL, Method: scheme}
		start := time.Now()
		err := c.by(ctx, scheme, u, &a)
		a.Took = time.Since(start)
		if err != nil {
			a.Error = err.Error()
		}
		if !isWeb(u.URL) {
			u.Works, u.Error = err == nil, a.Error
		}
		c.report.Attempts = append(c.report.Attempts, a)
		c.log.Debug("listed", "url", u.URL, "whole", a.Whole, "error", a.Error, "took", a.Took)
		if c.report.Method == "" && c.undecided() < undecided {
			c.report.Method = scheme
		}
		if program := (*errProgram)(nil); errors.As(err, &program) {
			return err
		}
	}
	if c.report.Method == "" && c.undecided() == len(c.scope) && len(c.scope) > 0 && c.report.Outcome == OK {
		c.fail("no way of listing worked: " + c.attempts())
	}
	return nil
}

// attempts sums up why nothing worked.
func (c *crawler) attempts() string {
	var all []string
	for _, a := range c.report.Attempts {
		all = append(all, a.Method+": "+a.Error)
	}
	if len(all) == 0 {
		return "the host has no URL to list it by"
	}
	return strings.Join(all, "; ")
}

// by lists by one way.
func (c *crawler) by(ctx context.Context, scheme string, u *URLFacts, a *Attempt) error {
	switch scheme {
	case "rsync":
		return c.byRsync(ctx, u.URL, a)
	case "http", "https":
		return c.byWeb(ctx, u, a)
	case "ftp":
		return c.byFTP(ctx, u.URL, a)
	}
	return fmt.Errorf("%w: nobody knows how to list %s", errRefused, u.URL)
}

// undecided counts the directories of which something is still to be found out.
func (c *crawler) undecided() (n int) {
	for _, d := range c.scope {
		if c.ledger.undecided(d) {
			n++
		}
	}
	return n
}

// An errProgram is a program that could not be run: our own trouble.
type errProgram struct{ err error }

// Error returns what went wrong.
func (e *errProgram) Error() string { return e.err.Error() }

// Unwrap returns what went wrong.
func (e *errProgram) Unwrap() error { return e.err }

// errOptOut ends a listing that shows the file that says no.
var errOptOut = errors.New("it asks not to be crawled")

// byRsync lists the whole tree with the rsync program and compares each line
// as it comes.
func (c *crawler) byRsync(ctx context.Context, raw string, a *Attempt) error {
	u, err := url.Parse(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	addresses, err := c.allowed(ctx, u.Hostname())
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	server := c.limits.Shared.Server(u.Hostname(), c.rate())
	defer server.Close()
	release, err := server.Acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	var r rsync.Result
	for _, at := range c.rsyncURLs(u, addresses) {
		r, err = rsync.List(ctx, at, c.limits.Rsync, c.entry)
		if err != nil || r.Ending != rsync.Refused {
			break
		}
	}
	a.Stderr = r.Stderr
	c.countRequest(r.Bytes)
	switch {
	case errors.Is(err, errOptOut):
		c.report.Outcome = OptedOut
		return err
	case err != nil && ctx.Err() == nil && r.Entries == 0 && r.Bytes == 0 && r.Code == 0 && r.Stderr == "":
		return &errProgram{err}
	case err != nil:
		return err
	case r.Ending == rsync.Refused:
		return fmt.Errorf("%w: exit code %d: %.300s", errRefused, r.Code, r.Stderr)
	case r.Ending == rsync.Broken:
		return fmt.Errorf("it broke off with exit code %d: %.300s", r.Code, r.Stderr)
	}
	a.Whole = r.Ending == rsync.Whole
	c.ledger.settle(a.Whole)
	c.done(len(c.scope))
	c.unsureOfSymlinks()
	return nil
}

// allowed returns a host's addresses, and an error if one of them must not be
// crawled.
func (c *crawler) allowed(ctx context.Context, host string) ([]netip.Addr, error) {
	addresses, err := resolve(ctx, host)
	for _, address := range addresses {
		err = errors.Join(err, c.allow(address))
	}
	return addresses, err
}

// mostAddresses is how many addresses of a host rsync tries.
const mostAddresses = 4

// rsyncURLs returns what the rsync program is given in place of a URL, one after
// another until one does not refuse: the URL with the addresses that were looked
// at. It would resolve a name anew, and a name server may say something else by
// then. A proxy, which the operator chose, gets the name.
func (c *crawler) rsyncURLs(u *url.URL, addresses []netip.Addr) (urls []string) {
	if c.limits.Private || os.Getenv("RSYNC_PROXY") != "" {
		return []string{u.String()}
	}
	for _, a := range addresses[:min(len(addresses), mostAddresses)] {
		at := *u
		if at.Host = a.String(); a.Is6() {
			at.Host = "[" + at.Host + "]"
		}
		if port := u.Port(); port != "" {
			at.Host += ":" + port
		}
		urls = append(urls, at.String())
	}
	return urls
}

// entry compares a line of an rsync listing.
func (c *crawler) entry(e listing.Entry) error {
	l := c.ledger
	if e.Kind == listing.Dir {
		if d, ok := l.directory(e.Path); ok {
			l.dirs[d] = good
			if !l.tree.Directories[d].Readable && e.Readable {
				c.leak(d)
			}
			c.counting(d)
		}
		return nil
	}
	if e.Kind == listing.Link {
		if d, ok := l.directory(e.Path); ok {
			l.links[d] = true
			return nil
		}
	}
	dir, name := listing.Split(e.Path)
	if dir == "" && name == nocrawl {
		return errOptOut
	}
	d, ok := l.directory(dir)
	if !ok {
		return nil
	}
	l.dirs[d] = good
	f, ok := l.find(name)
	if !ok {
		return nil
	}
	ref := pos{dir: uint32(d), file: uint32(f)}
	switch e.Kind {
	case listing.File:
		*l.of(ref) = c.judge(ref, sight{size: e.Size, mtime: e.MTime, precision: time.Second})
		if !e.Readable && l.tree.Directories[d].Readable {
			*l.of(ref) = unsure // the server may be root by rsync and nobody by HTTP
		}
	case listing.Link:
		*l.of(ref) = unsure // to what, HTTP will tell
	default:
		*l.of(ref) = wrong
	}
	return nil
}

// counting tells of progress every thousand directories.
func (c *crawler) counting(d int) {
	if d%1000 == 999 {
		c.done(1000)
	}
}

// unsureOfSymlinks makes unsure what was not seen below symbolic links: rsync
// does not follow those, servers do.
func (c *crawler) unsureOfSymlinks() {
	l := c.ledger
	for d := range l.dirs {
		if p, ok := l.parent(d); ok && l.links[p] || l.links[d] {
			l.links[d], l.dirs[d] = true, unsure
			l.replace(d, missing, unsure)
		}
	}
}

// byFTP lists directory by directory.
func (c *crawler) byFTP(ctx context.Context, raw string, a *Attempt) error {
	u, err := url.Parse(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	server := c.limits.Shared.Server(u.Hostname(), c.rate())
	defer server.Close()
	conn, err := ftp.Dial(ctx, u, ftp.Options{Timeout: c.limits.Timeout, Allow: c.allow, Password: c.limits.Agent + "@"})
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	defer conn.Close()
	for _, d := range c.scope {
		if !c.ledger.undecided(d) {
			continue
		}
		if p, ok := c.ledger.parent(d); ok && c.ledger.dirs[p] == missing {
			c.absent(d)
			continue
		}
		release, err := server.Acquire(ctx)
		if err != nil {
			return err
		}
		err = c.ftpDirectory(ctx, conn, d)
		release()
		if err != nil {
			return err
		}
		c.done(1)
	}
	a.Whole = true
	return nil
}

// absent notes that a directory is not there.
func (c *crawler) absent(d int) {
	l := c.ledger
	l.dirs[d] = missing
	l.replace(d, unseen, missing)
	l.replace(d, unsure, missing)
	c.done(1)
}

// ftpDirectory lists one directory.
func (c *crawler) ftpDirectory(ctx context.Context, conn *ftp.Conn, d int) error {
	l := c.ledger
	path := l.tree.Directories[d].Path
	optOut := false
	if _, ok := l.directory(path); !ok {
		return nil // the tree is not sorted; its owner will hear of it elsewhere
	}
	err := conn.List(ctx, path, func(e ftp.Entry) error {
		c.countRequest(0)
		optOut = optOut || path == "" && e.Name == nocrawl
		f, ok := l.find(e.Name)
		if !ok {
			return nil
		}
		ref := pos{dir: uint32(d), file: uint32(f)}
		switch {
		case e.Directory:
			*l.of(ref) = wrong
		case e.Link:
			*l.of(ref) = unsure
		default:
			s := sight{size: e.Size, mtime: e.Time.Unix(), precision: e.Precision}
			if e.Time.IsZero() || e.Precision > time.Second {
				s.mtime = 0 // in an unknown time zone
			}
			*l.of(ref) = c.judge(ref, s)
		}
		return nil
	})
	switch {
	case errors.Is(err, ftp.ErrNoDirectory):
		c.absent(d)
		return nil
	case err != nil:
		return err
	case optOut:
		c.report.Outcome = OptedOut
		return errOptOut
	}
	l.dirs[d] = good
	for f, s := range l.in(d) {
		if s == unseen && !conn.Whole() && strings.HasPrefix(l.tree.Directories[d].Files[f].Name, ".") {
			l.in(d)[f] = unsure
		}
	}
	l.replace(d, unseen, missing)
	return nil
}
