package service

import (
	"cmp"
	"context"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
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
	pending, err := s.pending(ctx)
	if err != nil {
		return err
	}
	standings, err := s.store.Standings(ctx)
	if err != nil {
		return err
	}
	scansDue, err := s.dueScans(ctx, world, scans, pending, now)
	if err != nil {
		return err
	}
	crawlsDue, err := s.dueCrawls(world, scans, standings, pending, now)
	if err != nil {
		return err
	}
	return s.store.Enqueue(ctx, append(scansDue, crawlsDue...)...)
}

// pending returns what is queued or under way, by kind and key: it is not queued
// again, for it may take longer than a tick, and what people asked for is not
// replaced.
func (s *Service) pending(ctx context.Context) (map[string]bool, error) {
	all := map[string]bool{}
	for _, kind := range []string{web.JobScan, web.JobCrawl} {
		keys, err := s.store.Pending(ctx, kind)
		if err != nil {
			return nil, err
		}
		for key := range keys {
			all[kind+" "+key] = true
		}
	}
	return all, nil
}

// dueScans returns the scans that are due at now.
func (s *Service) dueScans(ctx context.Context, world *registry.World, scans map[string]time.Time, pending map[string]bool, now time.Time) (due []store.Task, err error) {
	for _, m := range s.config.Masters {
		if _, known := registry.Find[*registry.Category](world, m.Category); !known {
			continue // it is scanned as soon as somebody has made it
		}
		at, scanned := scans[m.Category]
		if scanned && !astray(at, now) && now.Sub(at) < s.config.ScanEvery || pending[web.JobScan+" "+m.Category] {
			continue
		}
		failed, err := s.failedLately(ctx, m.Category, now)
		if err != nil {
			return nil, err
		}
		if failed && scanned {
			continue
		}
		task, err := scanTask(web.Scan{Category: m.Category})
		if err != nil {
			return nil, err
		}
		due = append(due, task)
	}
	return due, nil
}

// failedLately reports whether a scan failed so short a time ago that another
// one would hardly do better.
func (s *Service) failedLately(ctx context.Context, category string, now time.Time) (bool, error) {
	last, err := s.store.Jobs(ctx, store.JobFilter{Kind: web.JobScan, Key: category, Limit: 1})
	return err == nil && len(last) == 1 && last[0].State == store.Failed && now.Sub(last[0].Changed) < s.config.ScanEvery/3, err
}

// A dueCrawl is a crawl that is to be queued.
type dueCrawl struct {
	order crawlOrder
	every time.Duration // between those of its mode
	draw  float64
}

// dueCrawls returns the crawls that are due at now: as many as there are workers
// at once, the others one after another. After a pause of all processes, or an
// import, thousands are due together.
func (s *Service) dueCrawls(world *registry.World, scans map[string]time.Time, standings map[store.Place]store.Standing, pending map[string]bool, now time.Time) ([]store.Task, error) {
	var due []dueCrawl
	for _, h := range registry.All[*registry.Host](world) {
		for _, carry := range h.Carries {
			place := store.Place{Host: h.Key(), Category: carry.Category}
			_, scanned := scans[carry.Category]
			if !scanned || !crawlable(world, h, carry, now) || pending[web.JobCrawl+" "+place.Host+" "+place.Category] {
				continue
			}
			t := standings[place]
			if m, ok := s.config.dueMode(place, t, now); ok {
				order := crawlOrder{Crawl: web.Crawl{Host: place.Host, Category: place.Category, Mode: m.String()}}
				due = append(due, dueCrawl{order, s.config.every(m), draw(place, "spread", now)})
			}
		}
	}
	slices.SortFunc(due, func(a, b dueCrawl) int { return cmp.Compare(a.draw, b.draw) })
	tasks := make([]store.Task, len(due))
	for i, d := range due {
		task, err := crawlTask(d.order)
		if err != nil {
			return nil, err
		}
		if later := i + 1 - s.config.Workers; later > 0 {
			gap := min(spread, cmp.Or(d.every, s.config.CrawlEvery)/2/time.Duration(len(due)))
			task.At = now.Add(time.Duration(later) * gap)
		}
		tasks[i] = task
	}
	return tasks, nil
}

// spread is the time between the beginnings of crawls that are due together.
const spread = 5 * time.Second

// dueMode returns the mode in which a host's category is due at now, the largest
// if several are. One that failed is looked at by quick crawls, after longer and
// longer times.
func (c *Config) dueMode(place store.Place, t store.Standing, now time.Time) (crawl.Mode, bool) {
	for m, at := range t.Crawled {
		if astray(at, now) {
			t.Crawled[m] = time.Time{}
		}
	}
	if t.Failures > 0 || !t.Suspended.IsZero() {
		last := slices.MaxFunc(t.Crawled[:], time.Time.Compare)
		plan := crawl.Plan{Every: c.Crawl.RetryAfter, Most: 8 * c.CrawlEvery, Jitter: *c.Crawl.Jitter}
		return crawl.Quick, !plan.Next(last, max(0, t.Failures-1), draw(place, "retry", last)).After(now)
	}
	var last time.Time
	for m := crawl.Full; m <= crawl.Canary; m++ {
		if t.Crawled[m].After(last) {
			last = t.Crawled[m] // larger ones count for smaller ones
		}
		plan := crawl.Plan{Every: c.every(m), Jitter: *c.Crawl.Jitter}
		if plan.Every > 0 && !plan.Next(last, 0, draw(place, m.String(), last)).After(now) {
			return m, true
		}
		if m == crawl.Full && !t.Out.IsZero() { // it asked not to be crawled: does it still?
			return m, false
		}
	}
	return crawl.Full, false
}

// astray reports whether a time that is past was written by a clock that was
// wrong: nothing is put off until that time comes.
func astray(at, now time.Time) bool { return at.Sub(now) > time.Hour }

// draw returns a number in [0, 1) that is chance, but the same for all processes
// and whenever it is asked for: a new one at each tick would make the earliest
// of many draws count.
func draw(place store.Place, what string, at time.Time) float64 {
	h := fnv.New64a()
	for _, text := range []string{place.Host, place.Category, what, strconv.FormatInt(at.UnixMilli(), 10)} {
		_, _ = h.Write([]byte(text + "\x00")) // never fails
	}
	r := rand.New(rand.NewPCG(h.Sum64(), 1)) //nolint:gosec // jitter
	return r.Float64()
}

// crawlable reports whether a host's category is to be crawled at all. One that
// its administrators do not want crawled is looked at, too: the crawl sees that
// without asking the host, and takes it out of lists.
func crawlable(w *registry.World, h *registry.Host, carry registry.Carry, now time.Time) bool {
	site, ok := registry.Find[*registry.Site](w, h.Site)
	return ok && site.State.Published() && site.On() && !site.Private &&
		h.State.Published() && h.On() && !h.Private && !h.Resting(now) && !carry.AlwaysUpToDate
}
