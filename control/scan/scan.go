// Package scan finds out what a master holds: directories and files with their
// sizes and times, the repositories among them, and the hashes of files.
//
//	directory ─┐
//	rsync ─────┼─► builder ─► tree ─► hashes ─► repositories, metadata ─► Result
//	file list ─┘
//
// A [Scanner] reads one category's master, again and again; each scan gets the
// [State] of the one before and gives the next. It gives a whole tree or an
// error, never half a tree; whether a whole tree that lost much is to be
// believed is for the caller, who asks [Compare].
//
// # What costs what
//
// A directory on disk is walked in parallel. One whose times of change of
// content and of inode are those of the last scan has the same names, so its
// files are taken over without a look, all but metadata and files of
// checksums. What that misses is a file rewritten in place, without a rename
// (cp, rsync --inplace), and a file's changed permissions. Each directory's
// files are therefore looked at every [Config.StatEvery] scans, a share of the
// directories in each scan, and all of them where [Request.Full] asks.
// Directories that changed just before they were read are not trusted.
//
// # Which hashes are given
//
// Hashes come from metadata (which is read), from files of checksums
// (package checksum) and, where [Config.Compute] says so, from reading files. A
// file gets no hash while it may be incomplete: it is younger than
// [Config.Settle], it changed between listing and reading or while it was read, its size is not
// the one said, it is newer than the file that says its hash, or two say
// different ones. A repomd.xml gets none while a file that it lists is not there
// in full. Each reason is counted in [Report.Withheld].
//
// Scanners are immutable and safe for concurrent use.
package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan/mapping"
	"github.com/waypost/waypost/edge/snapshot"
)

// The types of masters.
const (
	Directory = "directory" // a tree on disk
	Rsync     = "rsync"     // an rsync server
	Listing   = "listing"   // a file with what rsync --list-only printed, in UTC
	FileList  = "filelist"  // a fullfiletimelist of quick-fedora-mirror
)

// A Config describes one master. Category and what Type needs are required.
type Config struct {
	// Category is the category's name.
	Category string `yaml:"category"`

	// Type is directory, rsync, listing or filelist.
	Type string `yaml:"type"`

	// Path is the top directory, or the file that holds the list.
	Path string `yaml:"path"`

	// URL is where rsync finds the master: rsync://HOST/MODULE/PATH/.
	URL string `yaml:"url"`

	// Content is where files of checksums and metadata can be read: a
	// directory, or an http(s) URL. For the type directory it is Path. Without
	// it, there are only the hashes that a list itself holds.
	Content string `yaml:"content"`

	// Strip is the directory in the file list that is the category's top; what
	// is not below it is not the category's.
	Strip string `yaml:"strip"`

	// Excludes are regular expressions for paths below the category's top;
	// what is below an excluded directory is excluded. Files and directories
	// named .snapshot or .~tmp~ always are.
	Excludes []string `yaml:"excludes"`

	// RsyncProgram is the program; default rsync.
	RsyncProgram string `yaml:"rsync_program"`

	// RsyncOptions are passed on to it.
	RsyncOptions []string `yaml:"rsync_options"`

	// RsyncPassword is for servers that ask for one.
	RsyncPassword string `yaml:"rsync_password"`

	// Timeout is for a whole scan; default 4 hours.
	Timeout time.Duration `yaml:"timeout"`

	// Idle is how long rsync may be silent; default 15 minutes.
	Idle time.Duration `yaml:"idle"`

	// MaxEntries is the most files and directories; more are an error. Default 50 million.
	MaxEntries int `yaml:"max_entries"`

	// Parallel is how many directories or files are read at a time; default 8.
	Parallel int `yaml:"parallel"`

	// Settle is how long a file must have been left alone before it gets a
	// hash; default 30 seconds, negative for none.
	Settle time.Duration `yaml:"settle"`

	// StatEvery is the number of scans in which each file is looked at once,
	// though its directory did not change; default 24, 1 is always.
	StatEvery int `yaml:"stat_every"`

	// Compute says which files are read for their hashes.
	Compute Compute `yaml:"compute"`

	// Mapping names the repositories.
	Mapping mapping.Config `yaml:"mapping"`

	// History says when old versions of metadata are forgotten. Scans find the
	// newest ones only: it is for whoever keeps them.
	History History `yaml:"history"`
}

// History says when versions of metadata are forgotten that others have replaced.
// The zero value has the defaults.
type History struct {
	// MaxStale is how long ago that may be; default 4 days.
	MaxStale time.Duration `yaml:"max_stale"`

	// MaxVersions is the most versions kept of a file, with the newest; default
	// 20. It bounds what a master that makes metadata every minute costs.
	MaxVersions int `yaml:"max_versions"`
}

// Compute says which files are read for their hashes, where no file of
// checksums gives their SHA-256. The zero value is none.
type Compute struct {
	// Match are regular expressions for paths below the category's top.
	Match []string `yaml:"match"`

	// MaxSize is the largest file read, in bytes; default 16 GiB.
	MaxSize int64 `yaml:"max_size"`
}

// A Scanner scans one master.
type Scanner struct {
	config   Config
	top      string
	excludes []*regexp.Regexp
	compute  []*regexp.Regexp
	mapper   *mapping.Mapper
	client   *http.Client
}

// New checks a configuration. top is the category's path as clients know it.
// The error names the key that is wrong. Nothing is opened yet.
func New(c Config, top string) (*Scanner, error) {
	s := &Scanner{top: top}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("master of %s: %w", c.Category, err)
	}
	c.Timeout = cmp.Or(c.Timeout, 4*time.Hour)
	c.MaxEntries = cmp.Or(c.MaxEntries, 50_000_000)
	c.Parallel = cmp.Or(c.Parallel, 8)
	c.Settle = cmp.Or(c.Settle, 30*time.Second)
	c.StatEvery = cmp.Or(c.StatEvery, 24)
	c.Compute.MaxSize = cmp.Or(c.Compute.MaxSize, 16<<30)
	if c.Type == Directory {
		c.Content = c.Path
	}
	s.config = c
	var err error
	if s.excludes, err = compileAll("excludes", c.Excludes); err == nil {
		s.compute, err = compileAll("compute.match", c.Compute.Match)
	}
	if err == nil {
		if s.mapper, err = mapping.New(c.Mapping); err != nil {
			err = fmt.Errorf("mapping.%w", err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("master of %s: %w", c.Category, err)
	}
	s.client = &http.Client{
		Timeout: 30 * time.Minute, // for one file, so that a server that stalls does not stall the scan for hours
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: c.Parallel,
			TLSHandshakeTimeout: 30 * time.Second, ResponseHeaderTimeout: time.Minute,
		},
	}
	return s, nil
}

func (c *Config) check() error {
	path, url := c.Path != "", c.URL != ""
	switch c.Type {
	case Directory, Listing, FileList:
		if !path || url {
			return fmt.Errorf("type %s: want path and no url", c.Type)
		}
	case Rsync:
		if !url || path {
			return fmt.Errorf("type %s: want url and no path", c.Type)
		}
		if !strings.Contains(c.URL, ":") { // rsync would take it for a directory here
			return fmt.Errorf("url: want rsync://HOST/MODULE/PATH/, got %q", c.URL)
		}
	default:
		return fmt.Errorf("type: want directory, rsync, listing or filelist, got %q", c.Type)
	}
	switch {
	case c.Category == "":
		return errors.New("category: want a name")
	case c.Strip != "" && c.Type != FileList:
		return errors.New("strip: only a filelist has it")
	case c.Content != "" && c.Type == Directory:
		return errors.New("content: a directory is its own")
	case c.Parallel < 0 || c.StatEvery < 0 || c.MaxEntries < 0 || c.Timeout < 0 || c.Idle < 0 || c.Compute.MaxSize < 0:
		return errors.New("parallel, stat_every, max_entries, timeout, idle, compute.max_size: want none below 0")
	}
	return nil
}

func compileAll(key string, texts []string) (all []*regexp.Regexp, err error) {
	for i, text := range texts {
		re, err := regexp.Compile(text)
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", key, i, err)
		}
		all = append(all, re)
	}
	return all, nil
}

// A Request asks for a scan.
type Request struct {
	// Last is the state of the scan before; nil for the first.
	Last *State

	// Now is the time, by which files are young or old.
	Now time.Time

	// Full looks at each file, whatever Last says.
	Full bool
}

// A Result is what a scan found.
type Result struct {
	// Tree shares memory with the trees of scans before and after: do not
	// change it.
	Tree registry.Tree

	// Found are the repositories.
	Found mapping.Found

	// Metadata has the newest version that was complete of each file of
	// metadata, by path below the category's top: for publishing it goes before
	// what Tree says of the file.
	Metadata map[string]snapshot.Version

	Report Report

	// State is for the next scan.
	State *State
}

// patience is how long scans that follow soon wait for a file. What is not whole
// by then may never be: a repository that names what nobody put there, a list
// that nobody writes any more, a time of change in the future.
const patience = 10 * time.Minute

// Unsettled reports whether files have no hash only because they changed a
// moment ago or are still being written: another scan, after the settle time,
// gives more. Files that have been so for ten minutes do not count.
func (r *Result) Unsettled() bool {
	for _, since := range r.State.waiting {
		if r.Tree.Scanned.Sub(time.Unix(since, 0)) < patience {
			return true
		}
	}
	return false
}

// Scan reads the master. When ctx ends it stops soon. An error says that there
// is no tree, and the last state is good for the next scan.
func (s *Scanner) Scan(ctx context.Context, q Request) (*Result, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	r, err := s.scan(ctx, q)
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		return nil, fmt.Errorf("scanning the master of %s: %w", s.config.Category, err)
	}
	return r, nil
}

func (s *Scanner) scan(ctx context.Context, q Request) (*Result, error) {
	last := q.Last
	if last == nil || last.master != s.config.master() {
		last = last.otherMaster()
	}
	files, err := openContent(s.config.Content, s.client)
	if err != nil {
		return nil, err
	}
	defer files.close()
	b := s.builder(q, last)
	if err = b.list(ctx, files); err != nil {
		return nil, err
	}
	tree := b.finish()
	h := newHasher(b, files, last, tree)
	if err = h.run(ctx); err != nil {
		return nil, err
	}
	if err = ctx.Err(); err != nil {
		return nil, err
	}
	return &Result{
		Tree:     *tree,
		Found:    s.mapper.Find(tree, s.top),
		Metadata: h.metadata,
		Report:   *b.report,
		State:    &State{master: s.config.master(), scans: last.scans + 1, dirs: b.kept(), read: h.read, metadata: h.metadata, waiting: h.waiting},
	}, nil
}
