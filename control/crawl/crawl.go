// Package crawl finds out what a mirror really holds.
//
//	Job{Host, Carry, Tree, Previous, Mode} ──► Crawl ──► registry.Listing, Report
//
// A crawl first looks at each URL: is it there, on both address families, with
// a good certificate, where does it redirect, does it want to be crawled. Then
// it lists the content by the first way that works: rsync, index pages or HEAD
// requests over HTTP(S), FTP. What one way could not tell, the next is asked.
// Everything is compared with the master's tree as it comes; of the host's
// listing nothing is kept but a byte for each file of the tree. At last it
// reads random pieces of a few files, as a client would.
//
// Two rules stand above the rest. What could not be checked is Unknown, never
// held. And a host that suddenly seems to have lost much is reported, not
// believed: Report.Held says why.
//
// The package knows no database. [Crawl] may run many times at once; crawls
// that share a [pace.Limiter] are polite together. [Next], [Decide], [Merge]
// and [Ages] are pure functions for what happens between crawls.
package crawl

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/waypost/waypost/control/crawl/pace"
	"github.com/waypost/waypost/control/crawl/rsync"
	"github.com/waypost/waypost/control/crawl/web"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

// A Mode is how much a crawl looks at.
type Mode uint8

// The modes.
const (
	// Full looks at every file.
	Full Mode = iota

	// Quick looks at every file of directories that changed since the former
	// listing or were not held there, and at a sample of each other one. A
	// sample can only take away, or confirm.
	Quick

	// Metadata looks only at directories with metadata, over HTTP if possible;
	// all others are Unknown.
	Metadata

	// Canary looks only whether the URLs answer and one file is there; all
	// directories are Unknown.
	Canary
)

// String returns the mode's name.
func (m Mode) String() string { return [...]string{"full", "quick", "metadata", "canary"}[m] }

// A Job is what to crawl.
type Job struct {
	Host  registry.Host
	Carry registry.Carry

	// Tree is what the master holds, sorted; it is only read.
	Tree *registry.Tree

	// Numbers are those of the tree's directories in listings, one for each;
	// nil: their positions.
	Numbers []uint32

	// Older returns the older versions of a metadata file, by its path below
	// the top, that mirrors may still hold, the newest first; may be nil.
	Older func(path string) []snapshot.Version

	// Only are the paths of the directories to look at, below the top, as after
	// a check-in that claims them; empty: all. The others are Unknown.
	Only []string

	// Previous is the former listing; empty if there is none.
	Previous registry.Listing

	Mode Mode

	// Seed decides which files are sampled; 0: by chance.
	Seed uint64

	// Content gives pieces of the master's files, to compare samples with; may
	// be nil.
	Content Content

	// IsMetadata tells which files are metadata; nil: [IsMetadata].
	IsMetadata func(dir, name string) bool

	// Progress, where set, is called now and then, by one goroutine at a time.
	Progress func(Progress)

	// Log may be nil.
	Log *slog.Logger
}

// Content is the master's content.
type Content interface {
	// ReadFileAt reads like [io.ReaderAt] from a file, by its path below the top,
	// as long as that is what the tree says of it.
	ReadFileAt(path string, is *registry.File, p []byte, offset int64) (int, error)
}

// Progress is how far a crawl is.
type Progress struct {
	Done, Directories int
	Requests, Bytes   int64
}

// Limits are what a crawl may cost a host, and us. The zero value has the
// defaults.
type Limits struct {
	Shared      *pace.Limiter // of all crawls; nil: this one is alone
	Connections int           // to one server at once; default 4
	Requests    float64       // to one server in a second; default 20, negative: no limit
	Timeout     time.Duration // of one request; default 30 s
	Time        time.Duration // of the whole crawl; default 4 h
	MaxWait     time.Duration // longest Retry-After that is waited for; default 1 min
	Errors      int           // requests failed in a row that end a way of listing; default 10

	Sample      int   // files looked at in a directory by Quick, default 10
	Contents    int   // files of which pieces are read, default 5, negative: none
	MaxMetadata int64 // bytes of a metadata file that is fetched, default 8 MiB
	MaxIndex    int64 // bytes of an index page, default 16 MiB

	MaxLoss     float64 // part of the directories that may be lost at once, default 0.3, negative: none
	MaxHoles    float64 // part of a directory's files that it may lack and still count as held; default 0
	StrictTimes bool    // a different time of change is a different file

	Private bool          // private, loopback and link-local addresses may be crawled
	Own     []string      // host names of our redirectors, which no mirror may redirect to
	Agent   string        // User-Agent; default "waypost-crawler"; it should name a contact
	TLS     *tls.Config   // nil: the system's authorities
	Rsync   rsync.Options // how the program is run
}

// withDefaults fills in what is unset.
func (l Limits) withDefaults() Limits {
	l.Connections = cmp.Or(l.Connections, 4)
	l.Requests = cmp.Or(l.Requests, 20)
	l.Timeout = cmp.Or(l.Timeout, 30*time.Second)
	l.Time = cmp.Or(l.Time, 4*time.Hour)
	l.Errors = cmp.Or(l.Errors, 10)
	l.Sample = cmp.Or(l.Sample, 10)
	l.Contents = cmp.Or(l.Contents, 5)
	l.MaxMetadata = cmp.Or(l.MaxMetadata, 8<<20)
	l.MaxIndex = cmp.Or(l.MaxIndex, 16<<20)
	l.MaxLoss = max(0, cmp.Or(l.MaxLoss, 0.3))
	l.Agent = cmp.Or(l.Agent, "waypost-crawler")
	if l.Shared == nil {
		l.Shared = pace.New(pace.Limits{})
	}
	return l
}

// errTime is the cause when a crawl's own time ran out.
var errTime = errors.New("the crawl took longer than it may")

// A crawler is one crawl under way.
type crawler struct {
	job    *Job
	limits Limits
	ledger *ledger
	log    *slog.Logger
	client *web.Client
	scope  []int        // the directories to look at
	meta   map[pos]bool // the metadata files

	mu       sync.Mutex  // guards the rest
	which    map[pos]int // which of its older versions was seen of a metadata file
	rand     *rand.Rand
	report   *Report
	progress Progress
}

// Crawl does a job. The error tells of what kept us from crawling: ctx ended, or
// the rsync program could not be run. What is wrong with the host is in the
// Report. The listing is always usable: what was not found out is Unknown.
func Crawl(ctx context.Context, job Job, limits Limits) (registry.Listing, Report, error) {
	c := newCrawler(&job, limits.withDefaults())
	leave, err := c.limits.Shared.Enter(ctx)
	if err != nil {
		return c.finish(err)
	}
	defer leave()
	defer c.client.Close()
	c.report.Started = time.Now() // waiting for our turn is not the host's fault
	timed, cancel := context.WithTimeoutCause(ctx, c.limits.Time, errTime)
	defer cancel()
	err = c.run(timed)
	if errors.Is(context.Cause(timed), errTime) {
		c.report.Outcome, err = TimedOut, nil
	} else if ctx.Err() != nil {
		err = ctx.Err()
	}
	return c.finish(err)
}

// newCrawler prepares a crawl.
func newCrawler(job *Job, limits Limits) *crawler {
	if job.IsMetadata == nil {
		job.IsMetadata = IsMetadata
	}
	if job.Older == nil {
		job.Older = func(string) []snapshot.Version { return nil }
	}
	if job.Numbers == nil {
		for d := range job.Tree.Directories {
			job.Numbers = append(job.Numbers, uint32(d))
		}
	}
	if job.Log == nil {
		job.Log = slog.New(slog.DiscardHandler)
	}
	if job.Seed == 0 {
		job.Seed = rand.Uint64() //nolint:gosec // which files are sampled is no secret
	}
	c := &crawler{
		job: job, limits: limits, ledger: newLedger(job.Tree, job.Numbers),
		log:  job.Log.With("host", job.Host.Key(), "category", job.Carry.Category, "mode", job.Mode.String()),
		meta: map[pos]bool{}, which: map[pos]int{},
		rand:   rand.New(rand.NewPCG(job.Seed, 1)), //nolint:gosec // as above
		report: &Report{Host: job.Host.Key(), Category: job.Carry.Category, Mode: job.Mode, Started: time.Now()},
	}
	c.client = web.New(c.webConfig("tcp"))
	only := map[string]bool{}
	for _, path := range job.Only {
		only[path] = true
	}
	for d := range job.Tree.Directories {
		wanted := c.metadataIn(d) && job.Mode == Metadata || job.Mode == Full || job.Mode == Quick
		if wanted && (len(only) == 0 || only[job.Tree.Directories[d].Path]) {
			c.scope = append(c.scope, d)
		}
	}
	c.progress.Directories = len(c.scope)
	return c
}

// webConfig returns how HTTP clients of this crawl behave.
func (c *crawler) webConfig(network string) web.Config {
	return web.Config{
		Limiter: c.limits.Shared, Rate: c.rate(), Agent: c.limits.Agent, Timeout: c.limits.Timeout,
		MaxWait: c.limits.MaxWait, TLS: c.limits.TLS, Private: c.limits.Private, Refuse: c.limits.Own,
		Network: network, Count: c.countRequest,
	}
}

// rate returns what one server is asked to bear.
func (c *crawler) rate() pace.Rate {
	return pace.Rate{Connections: c.limits.Connections, Requests: c.limits.Requests}
}

// allow returns an error for addresses that are not to be connected to.
func (c *crawler) allow(a netip.Addr) error { return web.Allowed(a, c.limits.Private) }

// metadataIn notes the metadata files of a directory and reports whether there
// are any.
func (c *crawler) metadataIn(d int) (any bool) {
	dir := &c.job.Tree.Directories[d]
	for f := range dir.Files {
		if c.job.IsMetadata(dir.Path, dir.Files[f].Name) {
			c.meta[pos{dir: uint32(d), file: uint32(f)}] = true
			any = true
		}
	}
	return any
}

// run does the crawl step by step.
func (c *crawler) run(ctx context.Context) error {
	switch {
	case c.job.Carry.AlwaysUpToDate:
		c.believe()
		return nil
	case c.job.Host.NoCrawl:
		c.report.Outcome, c.report.Reason = OptedOut, "its administrators asked for no crawls"
		return nil
	}
	for _, w := range c.job.Host.Maintenance {
		if w.In(c.report.Started) {
			c.report.Outcome, c.report.Reason = OptedOut, "in maintenance until "+w.To.UTC().Format(time.RFC3339)
			return nil
		}
	}
	c.lookAtURLs(ctx)
	if c.report.Outcome == OptedOut || ctx.Err() != nil {
		return nil
	}
	base, wanted := c.webBase()
	if wanted && base == "" {
		c.fail("no HTTP or HTTPS URL answers" + c.whyNot())
		return nil
	}
	if c.job.Mode == Canary {
		return c.canary(ctx, base)
	}
	if err := c.list(ctx, base); err != nil {
		return err
	}
	if base != "" && c.report.Outcome != Failed {
		c.sampleContent(ctx, base)
	}
	return nil
}

// believe takes a host as complete without looking.
func (c *crawler) believe() {
	for _, d := range c.scope {
		c.ledger.dirs[d] = good
		c.ledger.replace(d, unseen, good)
	}
	c.report.Outcome = OK
}

// whyNot says what was wrong with the first HTTP(S) URL.
func (c *crawler) whyNot() string {
	for _, f := range c.report.URLs {
		switch {
		case !isWeb(f.URL):
		case f.Error != "":
			return ": " + f.Error
		case f.Status != 0:
			return fmt.Sprintf(": %s answers %d %s, and has no files", f.URL, f.Status, http.StatusText(f.Status))
		}
	}
	return ""
}

// fail ends the crawl with a reason.
func (c *crawler) fail(reason string) {
	c.report.Outcome, c.report.Reason = Failed, reason
}

// finish makes the listing and completes the report.
func (c *crawler) finish(err error) (registry.Listing, Report, error) {
	r := c.report
	listing := c.listing()
	for _, s := range c.ledger.files {
		r.Files.add(s)
	}
	r.Took = time.Since(r.Started)
	r.Requests, r.Bytes = c.progress.Requests, c.progress.Bytes
	r.Versions = c.versions()
	switch {
	case err != nil:
		r.Outcome, r.Reason = Interrupted, err.Error()
	case r.Outcome == TimedOut:
		r.Reason = errTime.Error()
	case r.Outcome == OK && r.Directories.Held == 0 && r.Directories.Lacked > 0:
		r.Outcome, r.Reason = Empty, "it answers, and holds nothing of the category as the master does"
	}
	if part := loss(&c.job.Previous, &listing, c.ledger.number); part > c.limits.MaxLoss && r.Held == "" {
		r.Held = fmt.Sprintf("%.0f%% of the directories that it held are gone, more than %.0f%%", part*100, c.limits.MaxLoss*100)
	}
	slices.SortFunc(r.Problems, func(a, b Problem) int { return cmp.Compare(a.Path, b.Path) })
	c.log.Info("crawled", "outcome", r.Outcome.String(), "reason", r.Reason, "method", r.Method, "took", r.Took,
		"held", r.Directories.Held, "lacked", r.Directories.Lacked, "unknown", r.Directories.Unknown,
		"requests", r.Requests, "bytes", r.Bytes, "not_applied", r.Held)
	if err != nil {
		return listing, *r, fmt.Errorf("crawling %s: %w", r.Host, err)
	}
	return listing, *r, nil
}

// countRequest counts a request and tells of it.
func (c *crawler) countRequest(bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.progress.Requests++
	c.progress.Bytes += bytes
}

// done tells that n more directories are done.
func (c *crawler) done(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.progress.Done = min(c.progress.Done+n, c.progress.Directories)
	if c.job.Progress != nil {
		c.job.Progress(c.progress)
	}
}
