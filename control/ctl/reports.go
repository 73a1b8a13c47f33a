package ctl

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

type snapshotsCommand struct{}

// Run lists what was published.
func (snapshotsCommand) Run(ctx context.Context, c *client, p *printer) error {
	var got web.Snapshots
	a, err := c.into(ctx, http.MethodGet, "/v1/snapshots", nil, &got)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, s := range got.Snapshots {
		rows = append(rows, []string{fmt.Sprint(s.Version), when(s.Created)})
	}
	return p.table(a, []string{"VERSION", "CREATED"}, rows)
}

type auditCommand struct {
	Kind  string `arg:"" optional:"" help:"Only of this kind, such as host."`
	Key   string `arg:"" optional:"" help:"Only of this one."`
	Who   string `help:"Only by this user."`
	Since string `help:"Only since this time, such as 2026-01-02T03:04:05Z."`
	Until string `help:"Only before the change of this number."`
	Limit string `help:"How many lines at most." default:"100"`
}

// Run says who changed what.
func (k *auditCommand) Run(ctx context.Context, c *client, p *printer) error {
	var got web.Audit
	path := query("/v1/audit", "kind", k.Kind, "key", k.Key, "who", k.Who, "since", k.Since, "until", k.Until, "limit", k.Limit)
	a, err := c.into(ctx, http.MethodGet, path, nil, &got)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, e := range got.Events {
		rows = append(rows, []string{fmt.Sprint(e.Change), when(e.At), e.Who, string(e.Kind), e.Key, difference(e)})
	}
	return p.table(a, []string{"CHANGE", "AT", "WHO", "KIND", "KEY", "WHAT"}, rows)
}

// difference says what became of an object, in keys and their values.
func difference(e web.Event) string {
	switch {
	case e.Before == nil:
		return "made"
	case e.After == nil:
		return "deleted"
	}
	var before, after map[string]json.RawMessage
	if json.Unmarshal(e.Before, &before) != nil || json.Unmarshal(e.After, &after) != nil {
		return ""
	}
	var changes []string
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if string(before[key]) != string(after[key]) {
			changes = append(changes, key+"="+asWord(after[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, ok := after[key]; !ok {
			changes = append(changes, key+"=")
		}
	}
	return strings.Join(changes, " ")
}

// asWord returns a value, shortened.
func asWord(value json.RawMessage) string {
	text := []rune(string(value))
	if value[0] == '"' {
		text = []rune(asYAML(value))
	}
	if len(text) > 60 {
		return string(text[:60]) + "…"
	}
	return string(text)
}

type jobsCommand struct {
	Kind  string `arg:"" optional:"" help:"Only of this kind, such as crawl."`
	Key   string `arg:"" optional:"" help:"Only of this key."`
	Host  string `help:"Only the crawls of this host, SITE/NAME." placeholder:"HOST"`
	State string `help:"Only these: queued, running, done or failed." enum:",queued,running,done,failed" default:""`
	Limit string `help:"How many lines at most." default:"100"`
}

// Run lists jobs.
func (k *jobsCommand) Run(ctx context.Context, c *client, p *printer) error {
	var got web.Jobs
	a, err := c.into(ctx, http.MethodGet, query("/v1/jobs", "kind", k.Kind, "key", k.Key, "host", k.Host, "state", k.State, "limit", k.Limit), nil, &got)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, j := range got.Jobs {
		rows = append(rows, []string{j.Kind, j.Key, string(j.State), when(j.Changed), fmt.Sprintf("%d/%d", j.Attempt, j.Attempts), j.Worker, j.Result})
	}
	return p.table(a, []string{"KIND", "KEY", "STATE", "CHANGED", "ATTEMPT", "WORKER", "RESULT"}, rows)
}

type statusCommand struct{}

// Run says how the mirrors do.
func (statusCommand) Run(ctx context.Context, c *client, p *printer) error {
	var got web.Status
	a, err := c.into(ctx, http.MethodGet, "/v1/status", nil, &got)
	if err != nil {
		return err
	}
	if p.json {
		return p.raw(a.body)
	}
	var counts []string
	for _, kind := range registry.Kinds() {
		counts = append(counts, fmt.Sprintf("%s %d", kind, got.Counts[kind]))
	}
	fmt.Fprintf(p.out, "registry: change %d; %s\n", got.Change, strings.Join(counts, ", "))
	if got.Snapshot == nil {
		fmt.Fprintln(p.out, "snapshot: nothing is published yet")
	} else {
		fmt.Fprintf(p.out, "snapshot: version %d of %s\n", got.Snapshot.Version, when(got.Snapshot.Created))
	}
	glance(p, &got)
	for _, category := range slices.Sorted(maps.Keys(got.Scans)) {
		fmt.Fprintf(p.out, "master: %s was scanned %s\n", category, cmp.Or(when(got.Scans[category]), "never"))
	}
	var rows [][]string
	for _, h := range got.Hosts {
		var seen []string
		for _, category := range slices.Sorted(maps.Keys(h.Seen)) {
			seen = append(seen, strings.TrimSpace(category+" "+when(h.Seen[category])))
		}
		rows = append(rows, []string{h.Host, string(h.State), yes(h.Active), strings.Join(seen, ", "), standingOf(h)})
	}
	return p.table(a, []string{"HOST", "STATE", "ACTIVE", "SEEN", "REASON"}, rows)
}

// standingOf says why a host is in no list now.
func standingOf(h web.HostStatus) string {
	if h.MaintenanceUntil == nil {
		return h.Reason
	}
	return strings.TrimSuffix("in maintenance until "+when(*h.MaintenanceUntil)+"; "+h.Reason, "; ")
}

// glance says how many hosts and jobs are well, and how many are not.
func glance(p *printer, s *web.Status) {
	on, unseen, states := 0, 0, map[registry.State]int{}
	for _, h := range s.Hosts {
		states[h.State]++
		if h.State.Published() && h.Active {
			on++
			if len(h.Seen) == 0 {
				unseen++
			}
		}
	}
	fmt.Fprintf(p.out, "hosts: %d of %d are on, %d of these never looked at; %d pending, %d rejected\n",
		on, len(s.Hosts), unseen, states[registry.Pending], states[registry.Rejected])
	if s.Jobs != nil { // for administrators
		fmt.Fprintf(p.out, "jobs: %d running, %d queued, %d failed\n", s.Jobs[store.Running], s.Jobs[store.Queued], s.Jobs[store.Failed])
	}
}
