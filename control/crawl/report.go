package crawl

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot"
)

// An Outcome is how a crawl ended.
type Outcome uint8

// The outcomes.
const (
	OK          Outcome = iota // it was listed, and holds something
	Empty                      // it answers and holds nothing as the master does
	Failed                     // no way of listing worked
	TimedOut                   // it took too long
	OptedOut                   // it does not want to be crawled
	Interrupted                // we stopped, not the host: says nothing
)

// String returns the outcome in words.
func (o Outcome) String() string {
	return [...]string{"ok", "empty", "failed", "timed out", "opted out", "interrupted"}[o]
}

// A Report is all that a crawl found out beside the listing.
type Report struct {
	Host, Category string
	Mode           Mode
	Started        time.Time
	Took           time.Duration
	Outcome        Outcome
	Reason         string // why it is not OK

	// Held, where not empty, says why the listing must not be applied before a
	// person has looked at it.
	Held string

	// Fake tells that it is Held because most of the content that was sampled is
	// not what it seems: no client should be sent there.
	Fake bool

	// Method is the way that told most: rsync, http, https or ftp.
	Method   string
	Attempts []Attempt
	URLs     []URLFacts

	Directories DirectoryCounts
	Files       FileCounts

	// Versions are the metadata files of which it is known which version the
	// host has, sorted. Those that are not current are stale alternates.
	Versions []Sighting

	// Leaks are directories under embargo that all the world can read there,
	// at most 100.
	Leaks []string

	// Problems are what was found wrong, at most 200; Dropped counts the rest.
	Problems []Problem
	Dropped  int

	Requests int64
	Bytes    int64
}

// An Attempt is one way of listing that was tried.
type Attempt struct {
	URL, Method string
	Took        time.Duration
	Whole       bool   // it told all
	Error       string // why it did not
	Stderr      string // of the rsync program, at most 16 KiB
}

// DirectoryCounts count directories by verdict.
type DirectoryCounts struct{ Held, Lacked, Unknown int }

// add counts one.
func (n *DirectoryCounts) add(v verdict) {
	switch v {
	case holds:
		n.Held++
	case lacks:
		n.Lacked++
	default:
		n.Unknown++
	}
}

// FileCounts count files by what was found.
type FileCounts struct{ Right, Older, Wrong, Missing, Unknown int }

// add counts one.
func (n *FileCounts) add(s state) {
	switch s {
	case good:
		n.Right++
	case older:
		n.Older++
	case wrong:
		n.Wrong++
	case missing:
		n.Missing++
	default:
		n.Unknown++
	}
}

// A Sighting is a version of a metadata file that a host was seen to have.
type Sighting struct {
	Host string
	File registry.FileRef

	// Current tells that it is the master's; otherwise it is the version in
	// Job.Older with the index Older, or if that is -1 one that nobody knows.
	Current bool
	Older   int

	// Hosts is how many hosts it was seen on, where they are added up; 0: one.
	Hosts int
}

// A Problem is something wrong with one path.
type Problem struct{ Path, Text string }

const (
	maxProblems = 200
	maxLeaks    = 100
)

// problem notes what is wrong with a path.
func (c *crawler) problem(path, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.report.Problems) >= maxProblems {
		c.report.Dropped++
		return
	}
	c.report.Problems = append(c.report.Problems, Problem{path, text})
}

// leak notes a directory under embargo that the world can read.
func (c *crawler) leak(d int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.report.Leaks) < maxLeaks {
		c.report.Leaks = append(c.report.Leaks, c.ledger.tree.Directories[d].Path)
	}
}

// judge compares a sight of a file with what the master holds, and remembers
// which version of metadata it is.
func (c *crawler) judge(ref pos, s sight) state {
	compare := comparison{strict: c.limits.StrictTimes}
	if c.meta[ref] {
		compare.metadata, compare.older = true, c.olderOf(ref)
	}
	is, which := compare.judge(c.ledger.file(ref), s)
	if is == older {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.which[ref] = which
	}
	return is
}

// olderOf returns the older versions of a metadata file.
func (c *crawler) olderOf(p pos) []snapshot.Version { return c.job.Older(c.ledger.path(p)) }

// versions lists which versions of metadata were seen.
func (c *crawler) versions() (out []Sighting) {
	for _, ref := range slices.SortedFunc(maps.Keys(c.meta), comparePos) {
		s := Sighting{Host: c.job.Host.Key(), File: c.ledger.ref(ref), Older: -1}
		switch *c.ledger.of(ref) {
		case good:
			s.Current = true
		case older:
			s.Older = c.which[ref]
		case wrong:
		default:
			continue
		}
		out = append(out, s)
	}
	return out
}

// comparePos orders files by where they are.
func comparePos(a, b pos) int {
	return cmp.Or(cmp.Compare(a.dir, b.dir), cmp.Compare(a.file, b.file))
}

// Age is the time between the newest version of a file and one that is held.
func Age(newest, held *snapshot.Version) time.Duration {
	return time.Duration(max(0, newest.MTime-held.MTime)) * time.Second
}
