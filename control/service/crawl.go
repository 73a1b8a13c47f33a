package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/waypost/waypost/control/crawl"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
	"github.com/waypost/waypost/edge/snapshot"
)

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
