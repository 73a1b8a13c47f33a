package service

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/waypost/waypost/control/crawl"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

// schedule queues what is due, every half minute and when the registry has
// changed: a new category is scanned at once.
func (s *Service) schedule(ctx context.Context) {
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		s.trouble(s.queue(ctx, time.Now()))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.changed:
		}
	}
}

// queue queues the scans and crawls that are due at now.
func (s *Service) queue(ctx context.Context, now time.Time) error {
	scans, err := s.store.Scans(ctx)
	if err != nil {
		return err
	}
	world, _, err := s.store.World(ctx)
	if err != nil {
		return err
	}
	var tasks []store.Task
	for _, m := range s.config.Masters {
		if _, known := registry.Find[*registry.Category](world, m.Category); !known {
			continue // it is scanned as soon as somebody has made it
		}
		if at, ok := scans[m.Category]; !ok || now.Sub(at) >= s.config.ScanEvery {
			task, bad := scanTask(web.Scan{Category: m.Category})
			if bad != nil {
				return bad
			}
			tasks = append(tasks, task)
		}
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
