package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/control/crawl"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/snapshot"
)

// Kinds of jobs. The key of a scan is its category, that of a crawl
// HOST CATEGORY.
const (
	jobScan  = "scan"
	jobCrawl = "crawl"
)

// maxLoss is the part of a master's files that may vanish between two scans
// before a person has to say that this is meant.
const maxLoss = 0.3

// A crawlOrder is the payload of a crawl.
type crawlOrder struct {
	Mode crawl.Mode `json:"mode"`
	Only []string   `json:"only,omitempty"` // directories; empty: all
}

// schedule queues what is due, every half minute.
func (s *Service) schedule(ctx context.Context) {
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		s.trouble(s.queue(ctx, time.Now()))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// queue queues the scans and crawls that are due at now.
func (s *Service) queue(ctx context.Context, now time.Time) error {
	scans, err := s.store.Scans(ctx)
	if err != nil {
		return err
	}
	var tasks []store.Task
	for _, m := range s.config.Masters {
		if at, ok := scans[m.Category]; !ok || now.Sub(at) >= s.config.ScanEvery {
			tasks = append(tasks, store.Task{Kind: jobScan, Key: m.Category, Payload: "{}", Attempts: 1})
		}
	}
	world, _, err := s.store.World(ctx)
	if err != nil {
		return err
	}
	plan := crawl.Plan{Every: s.config.CrawlEvery, Jitter: 0.1}
	for _, h := range registry.All[*registry.Host](world) {
		for _, carry := range h.Carries {
			if _, scanned := scans[carry.Category]; !scanned || !s.crawlable(h, carry, now) {
				continue
			}
			seen, err := s.seen(ctx, h.Key(), carry.Category)
			if err != nil {
				return err
			}
			if !plan.Next(seen, 0, rand.Float64()).After(now) { //nolint:gosec // jitter
				tasks = append(tasks, store.Task{Kind: jobCrawl, Key: h.Key() + " " + carry.Category, Payload: "{}", Attempts: 1})
			}
		}
	}
	return s.store.Enqueue(ctx, tasks...)
}

// crawlable reports whether a host's category is to be crawled at all.
func (s *Service) crawlable(h *registry.Host, carry registry.Carry, now time.Time) bool {
	return h.State.Published() && h.On() && !h.Private && !h.NoCrawl && !h.Resting(now) && !carry.AlwaysUpToDate
}

// seen returns when a host's category was last crawled.
func (s *Service) seen(ctx context.Context, host, category string) (time.Time, error) {
	l, err := s.store.Listing(ctx, host, category)
	if errors.Is(err, store.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	return l.Seen, nil
}

// do does one job.
func (s *Service) do(ctx context.Context, j store.Job) (string, error) {
	switch j.Kind {
	case jobScan:
		return s.scan(ctx, j.Key)
	case jobCrawl:
		var order crawlOrder
		if err := json.Unmarshal([]byte(j.Payload), &order); err != nil {
			return "", fmt.Errorf("reading the payload of a crawl: %w", err)
		}
		host, category, _ := strings.Cut(j.Key, " ")
		return s.crawl(ctx, host, category, order)
	}
	return "", fmt.Errorf("no such kind of job: %s", j.Kind)
}

// scan scans a master and keeps what it holds.
func (s *Service) scan(ctx context.Context, category string) (string, error) {
	i := slices.IndexFunc(s.config.Masters, func(m scan.Config) bool { return m.Category == category })
	world, _, err := s.store.World(ctx)
	if err != nil {
		return "", err
	}
	c, ok := registry.Find[*registry.Category](world, category)
	if i < 0 || !ok {
		return "", fmt.Errorf("category %s: want it in the registry, and among the masters of this process", category)
	}
	scanner, err := scan.New(s.config.Masters[i], c.Path)
	if err != nil {
		return "", err
	}
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	result, err := scanner.Scan(ctx, scan.Request{Last: s.scans[category], Now: time.Now()})
	if err != nil {
		return "", err
	}
	if err = s.keepScan(ctx, c, result); err != nil {
		return "", err
	}
	s.scans[category] = result.State
	s.publishSoon()
	return fmt.Sprintf("%d directories, %d repositories", len(result.Tree.Directories), len(result.Found.Repositories)), nil
}

// keepScan keeps a scan, unless too much has vanished.
func (s *Service) keepScan(ctx context.Context, c *registry.Category, r *scan.Result) error {
	old, err := s.store.Tree(ctx, c.Name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if old != nil {
		change := scan.Compare(old, &r.Tree)
		if lost := float64(change.LostFiles); lost > maxLoss*float64(change.OldFiles) && change.LostFiles > 100 {
			return fmt.Errorf("the master of %s has lost %d of %d files; the scan is not believed", c.Name, change.LostFiles, change.OldFiles)
		}
	}
	if err = s.store.PutTree(ctx, &r.Tree); err != nil {
		return err
	}
	for file, versions := range r.Metadata {
		for _, v := range slices.Backward(versions) {
			f := registry.File{Size: v.Size, Changed: v.MTime, Hashes: (*registry.Hashes)(&v.Hashes)}
			if v.Hashes[snapshot.SHA256] == nil {
				continue
			}
			if err = s.store.NoteFile(ctx, path.Join(c.Path, file), f, time.Unix(v.Seen, 0)); err != nil {
				return err
			}
		}
	}
	return s.addRepositories(ctx, r)
}

// addRepositories adds the repositories that the registry does not have.
func (s *Service) addRepositories(ctx context.Context, r *scan.Result) error {
	world, _, err := s.store.World(ctx)
	if err != nil {
		return err
	}
	for _, found := range r.Found.Repositories {
		if _, ok := registry.Find[*registry.Repository](world, found.Key()); ok {
			continue
		}
		if _, err = s.store.Apply(ctx, "scan", store.Put(&found, 0)); err != nil && !errors.Is(err, store.ErrConflict) {
			s.log.Warn("a repository that was found is not added", "repository", found.Key(), "error", err)
		}
	}
	return nil
}

// crawl looks at what a host holds of a category, and keeps it.
func (s *Service) crawl(ctx context.Context, host, category string, order crawlOrder) (string, error) {
	job, err := s.crawlJob(ctx, host, category)
	if err != nil {
		return "", err
	}
	job.Mode, job.Only = order.Mode, order.Only
	found, report, err := crawl.Crawl(ctx, job, crawl.Limits{Shared: s.limiter, Private: s.config.CrawlPrivate})
	if err != nil {
		return "", err
	}
	result := fmt.Sprintf("%s by %s: %d held, %d lacked, %d unknown", report.Outcome, report.Method,
		report.Directories.Held, report.Directories.Lacked, report.Directories.Unknown)
	if report.Held != "" {
		return "", fmt.Errorf("%s; not believed: %s", result, report.Held)
	}
	merged := crawl.Merge(job.Previous, found)
	if report.Outcome == crawl.Failed || report.Outcome == crawl.TimedOut {
		merged = registry.Listing{Host: host, Category: category, Seen: found.Seen}
		result += ": " + report.Reason
	}
	if err = s.store.PutListing(ctx, &merged); err != nil {
		return "", err
	}
	s.publishSoon()
	return result, nil
}

// crawlJob reads all that a crawl needs.
func (s *Service) crawlJob(ctx context.Context, host, category string) (job crawl.Job, err error) {
	world, _, err := s.store.World(ctx)
	if err != nil {
		return job, err
	}
	h, ok := registry.Find[*registry.Host](world, host)
	c, known := registry.Find[*registry.Category](world, category)
	if !ok || !known {
		return job, fmt.Errorf("crawling %s on %s: the registry has no such host or category", category, host)
	}
	i := slices.IndexFunc(h.Carries, func(x registry.Carry) bool { return x.Category == category })
	if i < 0 {
		return job, fmt.Errorf("crawling %s on %s: the host does not carry it", category, host)
	}
	if job.Tree, err = s.store.Tree(ctx, category); err != nil {
		return job, err
	}
	paths := make([]string, len(job.Tree.Directories))
	for at, d := range job.Tree.Directories {
		paths[at] = path.Join(c.Path, d.Path)
	}
	if job.Numbers, err = s.store.Numbers(ctx, paths); err != nil {
		return job, err
	}
	history, err := s.store.History(ctx)
	if err != nil {
		return job, err
	}
	job.Host, job.Carry, job.Log = *h, h.Carries[i], s.log
	job.Older = func(file string) (versions []snapshot.Version) {
		for _, v := range history[path.Join(c.Path, file)] {
			versions = append(versions, v.Version())
		}
		return versions
	}
	previous, err := s.store.Listing(ctx, host, category)
	if err == nil {
		job.Previous = *previous
	} else if !errors.Is(err, store.ErrNotFound) {
		return job, err
	}
	return job, nil
}
