package web

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
)

// An Event is a line of the audit log: what became of one object.
type Event struct {
	Change int64           `json:"change"` // what was changed at once has the same
	At     time.Time       `json:"at"`
	Who    string          `json:"who"`
	Kind   registry.Kind   `json:"kind"`
	Key    string          `json:"key"`
	Before json.RawMessage `json:"before,omitempty"` // none: it is new
	After  json.RawMessage `json:"after,omitempty"`  // none: it is gone
}

// Audit is the answer to GET /v1/audit: the newest first. For more, ask again
// with until= the last change.
type Audit struct {
	Events []Event `json:"events"`
}

// Most lines of an answer.
const (
	someLines = 100
	mostLines = 1000
)

// limit returns how many lines the caller wants.
func (c *call) limit() (int, error) {
	text := c.parameter("limit")
	if text == "" {
		return someLines, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > mostLines {
		return 0, fail(http.StatusBadRequest, "limit: want 1 to %d, got %.40q", mostLines, text)
	}
	return n, nil
}

func (s *server) audit(c *call) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	f := store.EventFilter{Kind: registry.Kind(c.parameter("kind")), Key: c.parameter("key"), Who: c.parameter("who"), Limit: limit}
	if text := c.parameter("until"); text != "" {
		if f.Until, err = strconv.ParseInt(text, 10, 64); err != nil || f.Until < 1 {
			return fail(http.StatusBadRequest, "until: want the number of a change, got %.40q", text)
		}
	}
	if f.Kind != "" && !slices.Contains(audited(), f.Kind) {
		return fail(http.StatusBadRequest, "kind: want one of %s, got %.40q", strings.Join(texts(audited()), ", "), f.Kind)
	}
	var since time.Time
	if text := c.parameter("since"); text != "" {
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			return fail(http.StatusBadRequest, "since: want a time such as 2026-01-02T03:04:05Z, got %.40q", text)
		}
	}
	if err = s.mayAudit(c, f); err != nil {
		return err
	}
	events, err := s.Store.Audit(c.Context(), f)
	if err != nil {
		return err
	}
	out := Audit{Events: []Event{}}
	for _, e := range events {
		if e.At.Before(since) {
			break
		}
		out.Events = append(out.Events, Event{e.Change, e.At, e.Who, e.Kind, e.Key, json.RawMessage(e.Before), json.RawMessage(e.After)})
	}
	return c.json(http.StatusOK, out)
}

// maintenance returns the end of the window that a host is in, nil if in none.
func maintenance(h *registry.Host, now time.Time) (end *time.Time) {
	for _, w := range h.Maintenance {
		if w.In(now) && (end == nil || w.To.After(*end)) {
			end = &w.To
		}
	}
	return end
}

// audited are the kinds of what the audit log tells: those of the registry, and
// old versions of files that somebody has expired.
func audited() []registry.Kind { return append(registry.Kinds(), store.KindFile) }

func texts(kinds []registry.Kind) (out []string) {
	for _, k := range kinds {
		out = append(out, string(k))
	}
	return out
}

// mayAudit lets others than administrators read only what became of one thing
// that they see.
func (s *server) mayAudit(c *call, f store.EventFilter) error {
	if c.caller.admin() {
		return nil
	}
	if f.Kind == "" || f.Key == "" {
		return fail(http.StatusForbidden, "only an administrator may read all of the audit log; give kind and key")
	}
	c.SetPathValue("key", f.Key)
	_, err := s.find(c, f.Kind)
	return err
}

// A Job is what is to be done, is being done or was done.
type Job struct {
	Kind     string         `json:"kind"`
	Key      string         `json:"key"`
	State    store.JobState `json:"state"`            // queued, running, done or failed
	At       time.Time      `json:"at"`               // queued: when it may start; running: when its lease ends
	Changed  time.Time      `json:"changed"`          // when its state changed last
	Attempt  int            `json:"attempt"`          // which one this is, from 1; 0: not tried yet
	Attempts int            `json:"attempts"`         // how often it is tried
	Worker   string         `json:"worker,omitempty"` // who does it, or did last
	Result   string         `json:"result,omitempty"` // of a failed attempt, its error
}

// Jobs is the answer to GET /v1/jobs: those first whose state changed last.
type Jobs struct {
	Jobs []Job `json:"jobs"`
}

func (s *server) jobs(c *call) error {
	f := store.JobFilter{Kind: c.parameter("kind"), Key: c.parameter("key"), State: store.JobState(c.parameter("state"))}
	if host := c.parameter("host"); host != "" {
		h, ok := registry.Find[*registry.Host](c.world, host)
		if !ok || !c.caller.sees(c.world, h) {
			return fail(http.StatusNotFound, "there is no host %.200q", host)
		}
		f.Kind, f.Keys = JobCrawl, crawlKeys(h)
	} else if !c.caller.admin() && (f.Kind != JobCrawl || !c.crawlsOwn(f.Key)) {
		return c.onlyAdmin()
	}
	var err error
	if f.Limit, err = c.limit(); err != nil {
		return err
	}
	list, err := s.Store.Jobs(c.Context(), f)
	if err != nil {
		return err
	}
	out := Jobs{Jobs: []Job{}}
	for _, j := range list {
		out.Jobs = append(out.Jobs, Job{j.Kind, j.Key, j.State, j.At, j.Changed, j.Attempt, j.Attempts, j.Worker, j.Result})
	}
	return c.json(http.StatusOK, out)
}

// crawlKeys returns the keys of the jobs that crawl a host.
func crawlKeys(h *registry.Host) []string {
	keys := make([]string, len(h.Carries))
	for i, carry := range h.Carries {
		keys[i] = h.Key() + " " + carry.Category
	}
	return keys
}

// crawlsOwn reports whether a job of a key crawls a host that the caller sees.
func (c *call) crawlsOwn(key string) bool {
	return slices.ContainsFunc(registry.All[*registry.Host](c.world), func(h *registry.Host) bool {
		return c.caller.sees(c.world, h) && slices.Contains(crawlKeys(h), key)
	})
}

// Status is the answer to GET /v1/status.
type Status struct {
	Change   int64                 `json:"change"`             // the registry's last one
	Snapshot *Snapshot             `json:"snapshot,omitempty"` // the last one; none: nothing is published yet
	Counts   map[registry.Kind]int `json:"counts"`             // of objects that the caller sees
	Scans    map[string]time.Time  `json:"scans"`              // by category: when the master was scanned last
	Held     map[string]string     `json:"held,omitempty"`     // by category: why the newest scan does not count
	Hosts    []HostStatus          `json:"hosts"`              // those that the caller sees

	// Jobs counts them by state; for administrators.
	Jobs map[store.JobState]int `json:"jobs,omitempty"`
}

// A HostStatus says how a host does.
type HostStatus struct {
	Host   string               `json:"host"` // its key
	State  registry.State       `json:"state"`
	Active bool                 `json:"active"`
	Reason string               `json:"reason,omitempty"` // why it is not, or is in no list
	Seen   map[string]time.Time `json:"seen"`             // by category: when it was last known what the host holds
	Crawls []CrawlStanding      `json:"crawls"`           // how it stands with the crawls, by category

	// MaintenanceUntil is the end of the maintenance that it is in, if it is in one.
	MaintenanceUntil *time.Time `json:"maintenance_until,omitempty"`
}

func (s *server) status(c *call) error {
	out := Status{Counts: map[registry.Kind]int{}, Scans: map[string]time.Time{}, Hosts: []HostStatus{}}
	world, change, err := s.Store.World(c.Context())
	if err != nil {
		return err
	}
	out.Change = change
	scans, err := s.Store.Scans(c.Context())
	if err != nil {
		return err
	}
	for category, at := range scans {
		if o, ok := registry.Find[*registry.Category](world, category); ok && c.caller.sees(world, o) {
			out.Scans[category] = at
		}
	}
	if out.Held, err = s.Store.HeldScans(c.Context()); err != nil {
		return err
	}
	maps.DeleteFunc(out.Held, func(category, _ string) bool { _, seen := out.Scans[category]; return !seen })
	list, err := s.Store.Manifests(c.Context())
	if err != nil {
		return err
	}
	if len(list) > 0 {
		out.Snapshot = &Snapshot{list[0].Version, list[0].Created}
	}
	for _, kind := range registry.Kinds() {
		entries, listErr := s.Store.List(c.Context(), kind)
		if listErr != nil {
			return listErr
		}
		for _, e := range entries {
			if c.caller.sees(world, e.Object) {
				out.Counts[kind]++
			}
		}
	}
	if out.Hosts, err = s.hosts(c, world); err != nil {
		return err
	}
	if c.caller.admin() {
		out.Jobs, err = s.jobCounts(c.Context())
	}
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, out)
}

// jobCounts counts the jobs in each state, also in those that none are in.
func (s *server) jobCounts(ctx context.Context) (map[store.JobState]int, error) {
	all, err := s.Store.JobCounts(ctx)
	counts := map[store.JobState]int{store.Queued: 0, store.Running: 0, store.Done: 0, store.Failed: 0}
	for of, n := range all {
		counts[of.State] += n
	}
	return counts, err
}

func (s *server) hosts(c *call, world *registry.World) ([]HostStatus, error) {
	places, err := s.Store.Seen(c.Context())
	if err != nil {
		return nil, err
	}
	seen := map[string]map[string]time.Time{}
	for place, at := range places {
		if seen[place.Host] == nil {
			seen[place.Host] = map[string]time.Time{}
		}
		seen[place.Host][place.Category] = at
	}
	standing, err := s.Store.Standings(c.Context())
	if err != nil {
		return nil, err
	}
	list := []HostStatus{}
	for _, h := range registry.All[*registry.Host](world) {
		if c.caller.sees(world, h) {
			status := HostStatus{h.Key(), h.State, h.On(), h.Reason, seen[h.Key()], standings(h, standing), maintenance(h, s.Now())}
			if status.Seen == nil {
				status.Seen = map[string]time.Time{}
			}
			if status.Reason == "" {
				status.Reason = standingReason(status.Crawls)
			}
			list = append(list, status)
		}
	}
	return list, nil
}

// ready answers whether the database does.
func (s *server) ready(c *call) error {
	if err := s.Store.Ping(c.Context()); err != nil {
		s.Log.Error("the database does not answer", "error", err)
		return fail(http.StatusServiceUnavailable, "the database does not answer")
	}
	return c.text("ready\n")
}

func (s *server) healthy(c *call) error { return c.text("ok\n") }

// text answers with plain text.
func (c *call) text(text string) error {
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = c.w.Write([]byte(text))
	return nil
}
