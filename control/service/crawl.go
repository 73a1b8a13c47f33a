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
	"github.com/waypost/waypost/control/scan"
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

// unitedCrawl returns the payload of a crawl that does what a queued one would,
// and what an order says. Of two that look at different things the one that
// looks at more does: a quick crawl looks at all that a check-in may claim.
func unitedCrawl(queued string, order crawlOrder) (string, error) {
	var before crawlOrder
	if err := json.Unmarshal([]byte(queued), &before); err != nil {
		return "", fmt.Errorf("reading what is queued: %w", err)
	}
	out := order
	if before.breadth() > order.breadth() {
		out = before
	}
	if len(before.Only) > 0 && len(order.Only) > 0 {
		out.Only = slices.Concat(before.Only, order.Only)
		slices.Sort(out.Only)
		out.Only = slices.Compact(out.Only)
	}
	out.AcceptLoss = before.AcceptLoss || order.AcceptLoss
	payload, err := json.Marshal(out)
	return string(payload), err
}

// breadth says how much an order looks at, as a number to compare.
func (o crawlOrder) breadth() int {
	switch m := mode(o.Mode); {
	case len(o.Only) > 0:
		return 2
	case m == crawl.Full:
		return 4
	case m == crawl.Quick:
		return 3
	default:
		return -int(m) // metadata before canary
	}
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

// claimed is the mode, by name, of crawls that look only at what a check-in
// claimed. They tell nothing of the host as a whole.
const claimed = "claimed"

// A crawling is a crawl under way.
type crawling struct {
	order  crawlOrder
	job    crawl.Job
	world  *registry.World
	site   *registry.Site
	before store.Standing
	past   []store.Crawl // the newest first
}

// mode returns the name of the mode.
func (k *crawling) mode() string {
	if len(k.order.Only) > 0 {
		return claimed
	}
	return k.job.Mode.String()
}

// crawl looks at what a host holds of a category, and keeps what becomes of it.
func (s *Service) crawl(ctx context.Context, order crawlOrder) (string, error) {
	k, err := s.newCrawling(ctx, order)
	if err != nil {
		return "", err
	}
	if k.job.Host.Private || k.site.Private {
		return "not crawled: a private host is listed by its check-ins alone", nil
	}
	update, done := s.board.begin(order.Host + " " + order.Category)
	defer done()
	k.job.Progress = func(p crawl.Progress) { update(p.Done, p.Directories) }
	defer s.openContent(k)()
	found, report, err := crawl.Crawl(ctx, k.job, s.limits(order.AcceptLoss))
	if ctx.Err() != nil {
		return "", err
	}
	if order.AcceptLoss {
		report.Held, report.Fake = "", false
	}
	return s.settle(ctx, k, &found, &report, err)
}

// openContent lets a crawl compare samples with the master's files, if those are
// in a directory of this machine. The function it returns closes them.
func (s *Service) openContent(k *crawling) (end func()) {
	i := s.master(k.order.Category)
	if i < 0 {
		return func() {} // another process has the master
	}
	pieces, err := scan.OpenPieces(s.config.Masters[i])
	if err != nil {
		s.log.Warn("samples are not compared with the master", "error", err)
	}
	if pieces == nil {
		return func() {}
	}
	k.job.Content = pieces
	return pieces.Close
}

// settle keeps what became of a crawl. broken says why we could not crawl, nil
// if we could.
func (s *Service) settle(ctx context.Context, k *crawling, found *registry.Listing, r *crawl.Report, broken error) (string, error) {
	now := time.Now()
	decision := crawl.Decide(k.counted(r), s.config.Crawl.DisableAfter, !k.before.Suspended.IsZero())
	after := k.standing(r, decision, now)
	notices, err := s.tellOf(ctx, k, r, decision, after, now)
	if err != nil {
		return "", err
	}
	record, err := k.record(r)
	if err != nil {
		return "", err
	}
	err = s.store.Settle(ctx, store.Settlement{
		Crawl: record, Standing: after, Merge: k.merge(found, r), Notices: notices, Keep: s.config.Crawl.Keep,
	})
	if err = errors.Join(broken, err); err != nil {
		return "", err
	}
	s.metrics.crawl(r)
	s.publishSoon()
	return crawlResult(r, after), nil
}

// crawlResult says what came of a crawl.
func crawlResult(r *crawl.Report, after store.Standing) string {
	result := fmt.Sprintf("%s by %s: %d held, %d lacked, %d unknown", r.Outcome, r.Method,
		r.Directories.Held, r.Directories.Lacked, r.Directories.Unknown)
	if r.Method == "" {
		result = r.Outcome.String()
	}
	if r.Reason != "" {
		result += ": " + r.Reason
	}
	switch {
	case r.Held != "":
		result += "; not believed: " + r.Held + " (--accept-loss believes it)"
	case !after.Suspended.IsZero():
		result += "; suspended until a crawl is good"
	case !after.Out.IsZero():
		result += "; out of all lists until a crawl is good"
	}
	return result
}

// merge returns how the listing changes; nil: not at all. What a host held stays
// known while it cannot be reached: it is only in no list meanwhile. What a
// check-in said during the crawl is in the newest listing.
func (k *crawling) merge(found *registry.Listing, r *crawl.Report) func(registry.Listing) *registry.Listing {
	told := r.Outcome == crawl.OK || r.Outcome == crawl.Empty || r.Outcome == crawl.TimedOut
	if !told || r.Held != "" || r.Mode == crawl.Canary {
		return nil
	}
	whole := r.Outcome != crawl.TimedOut && r.Mode <= crawl.Quick && len(k.order.Only) == 0
	return func(newest registry.Listing) *registry.Listing {
		out := crawl.Update(k.job.Previous, newest, *found, k.job.Numbers)
		out.Host, out.Category = k.order.Host, k.order.Category
		if !whole {
			out.Seen = newest.Seen
		}
		if out.Seen.IsZero() {
			out.Seen = longAgo()
		}
		return &out
	}
}

// longAgo is when a host was seen that was never seen whole.
func longAgo() time.Time { return time.Unix(1, 0) }

// newCrawling reads all that a crawl needs.
func (s *Service) newCrawling(ctx context.Context, order crawlOrder) (*crawling, error) {
	k := &crawling{order: order}
	var err error
	if k.world, _, err = s.store.World(ctx); err != nil {
		return nil, err
	}
	what := fmt.Sprintf("crawling %s on %s", order.Category, order.Host)
	h, ok := registry.Find[*registry.Host](k.world, order.Host)
	c, known := registry.Find[*registry.Category](k.world, order.Category)
	if !ok || !known {
		return nil, fmt.Errorf("%s: the registry has no such host or category", what)
	}
	if k.site, ok = registry.Find[*registry.Site](k.world, h.Site); !ok {
		return nil, fmt.Errorf("%s: the registry has no site %s", what, h.Site)
	}
	i := slices.IndexFunc(h.Carries, func(x registry.Carry) bool { return x.Category == order.Category })
	if i < 0 {
		return nil, fmt.Errorf("%s: the host does not carry it", what)
	}
	k.job = crawl.Job{Host: *h, Carry: h.Carries[i], Mode: mode(order.Mode), Only: order.Only, Log: s.log}
	if err = s.readContent(ctx, &k.job, c); err != nil {
		return nil, err
	}
	previous, err := s.store.Listing(ctx, order.Host, order.Category)
	if err == nil {
		k.job.Previous = *previous
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if k.before, err = s.store.Standing(ctx, order.Host, order.Category); err != nil {
		return nil, err
	}
	k.past, err = s.store.Crawls(ctx, order.Host, order.Category, s.config.Crawl.Keep)
	return k, err
}

// readContent reads what the master holds.
func (s *Service) readContent(ctx context.Context, job *crawl.Job, c *registry.Category) (err error) {
	if job.Tree, err = s.store.Tree(ctx, c.Name); err != nil {
		return err
	}
	paths := make([]string, len(job.Tree.Directories))
	for at, d := range job.Tree.Directories {
		paths[at] = path.Join(c.Path, d.Path)
	}
	if job.Numbers, err = s.store.Numbers(ctx, paths); err != nil {
		return err
	}
	history, err := s.store.HistoryBelow(ctx, c.Path)
	if err != nil {
		return err
	}
	job.Older = func(file string) (versions []snapshot.Version) {
		for _, v := range history[path.Join(c.Path, file)] {
			versions = append(versions, v.Version())
		}
		return versions
	}
	return nil
}
