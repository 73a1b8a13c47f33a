package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"time"

	"github.com/waypost/waypost/control/crawl"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
	"github.com/waypost/waypost/edge/snapshot"
)

// jobs are the kinds of jobs that are done here.
func jobs() []string { return []string{web.JobScan, web.JobCrawl, web.JobPublish, web.JobRollback} }

// maxLoss is the part of a master's files or directories that may vanish
// between two scans before a person has to say that this is meant.
const maxLoss = 0.3

// A crawlOrder is the payload of a crawl.
type crawlOrder struct {
	web.Crawl
	Only []string `json:"only,omitempty"` // directories; empty: all
}

// crawlTask returns the task of a crawl.
func crawlTask(o crawlOrder) (store.Task, error) {
	payload, err := json.Marshal(o)
	return store.Task{Kind: web.JobCrawl, Key: o.Host + " " + o.Category, Payload: string(payload), Attempts: 2}, err
}

// mode returns the mode of a name; "" is full.
func mode(name string) crawl.Mode {
	for m := crawl.Full; m <= crawl.Canary; m++ {
		if m.String() == name {
			return m
		}
	}
	return crawl.Full
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
			tasks = append(tasks, store.Task{Kind: web.JobScan, Key: m.Category, Payload: "{}", Attempts: 1})
		}
	}
	world, _, err := s.store.World(ctx)
	if err != nil {
		return err
	}
	for _, h := range registry.All[*registry.Host](world) {
		due, err := s.dueCrawls(ctx, h, scans, now)
		if err != nil {
			return err
		}
		tasks = append(tasks, due...)
	}
	return s.store.Enqueue(ctx, tasks...)
}

// dueCrawls returns the crawls of a host that are due at now.
func (s *Service) dueCrawls(ctx context.Context, h *registry.Host, scans map[string]time.Time, now time.Time) (due []store.Task, err error) {
	plan := crawl.Plan{Every: s.config.CrawlEvery, Jitter: 0.1}
	for _, carry := range h.Carries {
		if _, scanned := scans[carry.Category]; !scanned || !s.crawlable(h, carry, now) {
			continue
		}
		seen, err := s.seen(ctx, h.Key(), carry.Category)
		if err != nil {
			return nil, err
		}
		if plan.Next(seen, 0, rand.Float64()).After(now) { //nolint:gosec // jitter
			continue
		}
		task, err := crawlTask(crawlOrder{Crawl: web.Crawl{Host: h.Key(), Category: carry.Category}})
		if err != nil {
			return nil, err
		}
		due = append(due, task)
	}
	return due, nil
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
	var order struct {
		crawlOrder
		web.Rollback
	}
	if err := json.Unmarshal([]byte(j.Payload), &order); err != nil {
		return "", fmt.Errorf("reading the payload of %s %s: %w", j.Kind, j.Key, err)
	}
	switch j.Kind {
	case web.JobScan:
		return s.scan(ctx, j.Key)
	case web.JobCrawl:
		return s.crawl(ctx, order.crawlOrder)
	case web.JobPublish:
		return s.publishNow(ctx)
	case web.JobRollback:
		return s.rollback(ctx, order.Version)
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
	for _, w := range result.Report.Warnings {
		s.log.Warn("scan", "category", category, "warning", w)
	}
	if result.Unsettled() { // something was too young to be believed
		soon := store.Task{Kind: web.JobScan, Key: category, Payload: "{}", At: time.Now().Add(time.Minute), Attempts: 1}
		if err = s.store.Enqueue(ctx, soon); err != nil {
			return "", err
		}
	}
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
		if change.Loss() > maxLoss {
			return fmt.Errorf("the master of %s has lost %d of %d files and %d of %d directories; the scan is not believed",
				c.Name, change.LostFiles, change.OldFiles, change.LostDirectories+change.Closed, change.OldDirectories)
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
func (s *Service) crawl(ctx context.Context, order crawlOrder) (string, error) {
	job, err := s.crawlJob(ctx, order.Host, order.Category)
	if err != nil {
		return "", err
	}
	job.Mode, job.Only = mode(order.Mode), order.Only
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
		merged = registry.Listing{Host: order.Host, Category: order.Category, Seen: found.Seen}
		result += ": " + report.Reason
	}
	if len(order.Only) > 0 { // the whole is due when it was due before
		merged.Seen = job.Previous.Seen
		if merged.Seen.IsZero() {
			merged.Seen = longAgo()
		}
	}
	if err = s.store.PutListing(ctx, &merged); err != nil {
		return "", err
	}
	s.publishSoon()
	return result, nil
}

// longAgo is when a host was seen that was never seen whole: a crawl is due.
func longAgo() time.Time { return time.Unix(1, 0) }

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
