package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/control/notify"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

// A newsOrder is the payload of an announcement: of a release that the registry
// has, by its name, or of one that it has no longer.
type newsOrder struct {
	web.Announce

	Once bool              `json:"once,omitempty"` // nobody asked for it: what was told is not told again
	Gone *registry.Release `json:"gone,omitempty"`
}

// watchReleases looks, every few seconds, what is to be told of releases.
func (s *Service) watchReleases(ctx context.Context) {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		s.trouble(s.queueNews(ctx, time.Now()))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// queueNews queues what is to be told of releases at now, but for what is queued
// or told already: one that failed is tried again when its time comes. It goes by
// what is in the database alone, so that it does not matter which process looks.
func (s *Service) queueNews(ctx context.Context, now time.Time) error {
	world, _, err := s.store.World(ctx)
	if err != nil {
		return err
	}
	pending, err := s.store.Pending(ctx, web.JobAnnounce)
	if err != nil {
		return err
	}
	var tasks []store.Task
	for _, r := range registry.All[*registry.Release](world) {
		news := r.News(now)
		if news == registry.NoNews || r.Quiet && news == registry.IsNew || pending[r.Name] {
			continue
		}
		tasks = append(tasks, newsTask(r.Name, newsOrder{Announce: web.Announce{Release: r.Name}, Once: true}))
	}
	gone, err := s.goneReleases(ctx, now)
	if tasks = append(tasks, gone...); err != nil || len(tasks) == 0 {
		return err
	}
	return s.store.Enqueue(ctx, tasks...)
}

func newsTask(key string, o newsOrder) store.Task {
	return store.Task{Kind: web.JobAnnounce, Key: key, Payload: encode(o)}
}

// goneIsNews is for how long it is looked whether the end of a release is told:
// less than records of jobs are kept.
const goneIsNews = 30 * time.Minute

// goneReleases returns the tasks of telling that releases were called off: the
// audit log has those that were deleted just now, and the queue what was told.
func (s *Service) goneReleases(ctx context.Context, now time.Time) (tasks []store.Task, err error) {
	events, err := s.store.Audit(ctx, store.EventFilter{Kind: registry.KindRelease, Since: now.Add(-goneIsNews)})
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if e.After != "" {
			continue
		}
		var r registry.Release
		if err = json.Unmarshal([]byte(e.Before), &r); err != nil || r.Gone(e.At) == registry.NoNews {
			continue // the log of a newer version, or nobody waits for it
		}
		key := fmt.Sprintf("%s, deleted by change %d", r.Name, e.Change)
		done, err := s.store.Jobs(ctx, store.JobFilter{Kind: web.JobAnnounce, Key: key, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(done) == 0 {
			tasks = append(tasks, newsTask(key, newsOrder{Gone: &r}))
		}
	}
	return tasks, nil
}

// announce tells what is to be told of a release: mirrors, before the lift;
// operators always. One that somebody asked for repeats the announcement where
// there is no news. It is noted after it was queued: who dies between tells twice
// rather than never.
func (s *Service) announce(ctx context.Context, o newsOrder) (string, error) {
	world, _, err := s.store.World(ctx)
	if err != nil {
		return "", err
	}
	now := time.Now()
	if o.Gone != nil {
		return s.tellMirrors(ctx, world, o.Gone, registry.IsCancelled, web.ReleaseStatus{Release: o.Gone.Name})
	}
	entry, err := s.store.Get(ctx, registry.KindRelease, o.Release)
	if errors.Is(err, store.ErrNotFound) {
		return "it is gone", nil
	}
	if err != nil {
		return "", err
	}
	r, ok := entry.Object.(*registry.Release)
	if !ok {
		return "", fmt.Errorf("%s is no release", o.Release)
	}
	status, err := web.StatusOf(ctx, s.store, world, r, now)
	if err != nil {
		return "", err
	}
	after, news := *r, r.News(now)
	var result string
	switch {
	case news == registry.NoNews && o.Once:
		return "it is told already", nil
	case news == registry.IsLifted:
		result, err = s.tellLifted(ctx, r, status)
		after.Lifted = now.UTC().Truncate(time.Second)
	case !r.LiftAt.After(now):
		return "its embargo has ended", nil
	default:
		if news == registry.NoNews { // an operator wants it told again
			news = registry.IsNew
		}
		result, err = s.tellMirrors(ctx, world, r, news, status)
		after.Announced = now.UTC().Truncate(time.Second)
		after.Told = &registry.Told{Paths: r.Paths, LiftAt: r.LiftAt}
	}
	if err != nil {
		return "", err
	}
	_, err = s.store.Apply(ctx, "announcement", store.Put(&after, entry.Revision))
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return result + "; it has changed meanwhile", nil // which is news again
	}
	return result, err
}

// tellMirrors tells the sites whose hosts carry a release, each once, and then
// the operators who was told.
func (s *Service) tellMirrors(ctx context.Context, w *registry.World, r *registry.Release, news registry.News, status web.ReleaseStatus) (string, error) {
	sites := audience(w, r)
	told, silent := 0, []string(nil)
	for _, a := range sites {
		if len(a.to)+len(a.hooks) == 0 {
			silent = append(silent, a.site.Name)
			continue
		}
		m := newsMessage(r, news, status, a)
		m.About = r.Name + " " + a.site.Name
		m.To, m.Webhooks = a.to, a.hooks
		if err := s.tellOnly(ctx, m); err != nil {
			return "", err
		}
		told++
	}
	m := newsMessage(r, news, status, recipients{})
	m.Text += fmt.Sprintf("\n%d sites are told.\n", told)
	if len(silent) > 0 {
		m.Text += "Sites without a contact, which are not told: " + strings.Join(silent, ", ") + "\n"
	}
	m.Data = map[string]any{"sites": told, "without_contact": silent, "paths": r.Paths, "lift_at": r.LiftAt, "bytes": status.Bytes, "files": status.Files}
	return fmt.Sprintf("%d sites told, %d without a contact", told, len(silent)), s.tell(ctx, m)
}

// tellLifted tells operators that an embargo has ended.
func (s *Service) tellLifted(ctx context.Context, r *registry.Release, status web.ReleaseStatus) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "The embargo of %s ended at %s. Edges list it since then, by their own clocks.\n\n", r.Name, moment(r.LiftAt))
	fmt.Fprintf(&b, "%d of %d mirrors hold all of it: %.0f %% of the bandwidth.\n", status.Ready, len(status.Hosts), status.Percent)
	var waiting []string
	for _, h := range status.Hosts {
		if h.State == web.StateReady {
			continue
		}
		waiting = append(waiting, h.Host)
		if len(waiting) <= 100 {
			fmt.Fprintf(&b, "- %s: %s, %d of %d directories\n", h.Host, h.State, h.Held, h.Directories)
		}
	}
	if len(waiting) > 0 {
		b.WriteString("\nThe others get no clients for what they lack until a crawl or a report of theirs says that it is there.\n")
	}
	m := notify.Message{
		Event: notify.ReleaseLifted, About: r.Name, At: time.Now().UTC(), Text: b.String(),
		Subject: fmt.Sprintf("%s is public; %d of %d mirrors have it", r.Name, status.Ready, len(status.Hosts)),
		Data:    map[string]any{"ready": status.Ready, "hosts": len(status.Hosts), "percent": status.Percent, "not_ready": waiting},
	}
	return fmt.Sprintf("lifted; %d of %d hosts are ready", status.Ready, len(status.Hosts)), s.tell(ctx, m)
}

// recipients are those of a site that are told of a release.
type recipients struct {
	site      *registry.Site
	hosts     []*registry.Host // that carry it
	to, hooks []string
}

// audience returns the sites with hosts that carry a release, and may be
// published, and their contacts.
func audience(w *registry.World, r *registry.Release) []recipients {
	var list []recipients
	categories := r.Categories(w)
	for _, site := range registry.All[*registry.Site](w) {
		if !site.State.Published() || !site.AdminActive {
			continue
		}
		a := recipients{site: site, hooks: site.Webhooks}
		for _, h := range registry.All[*registry.Host](w) {
			carries := slices.ContainsFunc(h.Carries, func(x registry.Carry) bool {
				return slices.ContainsFunc(categories, func(c *registry.Category) bool { return c.Name == x.Category })
			})
			if h.Site == site.Name && carries && h.State.Published() && h.AdminActive {
				a.hosts = append(a.hosts, h)
			}
		}
		a.to = contacts(w, site, a.hosts...)
		if len(a.hosts) > 0 {
			list = append(list, a)
		}
	}
	return list
}
