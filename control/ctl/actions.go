package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/alecthomas/kong"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

// A waiter waits for the jobs of an action.
type waiter struct {
	Wait patience `help:"Wait until it is done; at most 10m, or as long as a value such as 5m says. Default: it is only queued." placeholder:"5m"`
}

// A patience is how long to wait. The flag may stand without a value: that is
// [enough].
type patience time.Duration

// enough is how long --wait alone waits.
const enough = patience(10 * time.Minute)

// Decode reads the flag: --wait, --wait=5m or --wait 5m.
func (p *patience) Decode(k *kong.DecodeContext) error {
	*p = enough
	next := k.Scan.Peek()
	text, ok := next.Value.(string)
	given := next.Type == kong.FlagValueToken // after =
	if !ok || !given && next.Type != kong.UntypedToken {
		return nil
	}
	d, err := time.ParseDuration(text)
	switch {
	case err == nil && d > 0:
		k.Scan.Pop()
		*p = patience(d)
	case given || err == nil:
		return fmt.Errorf("want a time such as 5m, got %q", text)
	}
	return nil
}

type crawlCommand struct {
	Host     string `arg:"" help:"The host, SITE/NAME."`
	Category string `arg:"" optional:"" help:"Default: all that it carries."`
	Mode     string `help:"How much to look at: full, quick, metadata or canary." enum:"full,quick,metadata,canary" default:"full"`
	Accept   bool   `name:"accept-loss" help:"Believe it even if the host seems to have lost very much."`
	waiter
}

// Run asks for a crawl.
func (k *crawlCommand) Run(ctx context.Context, c *client, p *printer) error {
	return k.act(ctx, c, p, "crawl", web.Crawl{Host: k.Host, Category: k.Category, Mode: k.Mode, AcceptLoss: k.Accept})
}

type scanCommand struct {
	Category string `arg:"" optional:"" help:"Default: all."`
	Accept   bool   `name:"accept-loss" help:"Believe it even if very much has vanished from the master."`
	waiter
}

// Run asks for a scan.
func (s *scanCommand) Run(ctx context.Context, c *client, p *printer) error {
	return s.act(ctx, c, p, "scan", web.Scan{Category: s.Category, AcceptLoss: s.Accept})
}

type publishCommand struct{ waiter }

// Run asks for a snapshot.
func (k *publishCommand) Run(ctx context.Context, c *client, p *printer) error {
	return k.act(ctx, c, p, "publish", web.Publish{})
}

type rollbackCommand struct {
	Version uint64 `arg:"" help:"The version, as waypost ctl snapshots lists it."`
	waiter
}

// Run asks for an old snapshot.
func (r *rollbackCommand) Run(ctx context.Context, c *client, p *printer) error {
	return r.act(ctx, c, p, "rollback", web.Rollback{Version: r.Version})
}

// act asks for an action, and waits for its jobs if that is wanted.
func (w waiter) act(ctx context.Context, c *client, p *printer, action string, document any) error {
	var queued web.Enqueued
	a, err := c.into(ctx, http.MethodPost, "/v1/actions/"+action, document, &queued)
	if err != nil {
		return err
	}
	switch {
	case len(queued.Jobs) == 0:
		return errors.New(action + ": nothing is queued: there is no category for it (a host carries one with a URL: waypost ctl url add)")
	case w.Wait > 0:
		return w.await(ctx, c, p, queued.Jobs)
	case p.json:
		return p.raw(a.body)
	}
	for _, name := range queued.Jobs {
		if _, err = fmt.Fprintf(p.out, "%s: queued\n", jobName(name)); err != nil {
			return err
		}
	}
	return nil
}

// await waits for jobs and prints what came of each; as JSON, of all in the end.
func (w waiter) await(ctx context.Context, c *client, p *printer, names []web.JobName) error {
	var all web.Jobs
	var failures []error
	for _, name := range names {
		j, err := w.done(ctx, c, name)
		all.Jobs = append(all.Jobs, j)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		if p.json {
			continue
		}
		if _, err = fmt.Fprintf(p.out, "%s: %s %s\n", jobName(name), j.State, j.Result); err != nil {
			return err
		}
	}
	if p.json {
		doc, err := json.Marshal(all)
		if err == nil {
			err = p.raw(doc)
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

func jobName(j web.JobName) string {
	if j.Key == "" {
		return j.Kind
	}
	return j.Kind + " " + j.Key
}

// betweenLooks is how often a job that is waited for is looked at.
const betweenLooks = 500 * time.Millisecond

// done waits until no job of the name is left to be done, and returns the last
// one, or with an error the one that was waited for.
func (w waiter) done(ctx context.Context, c *client, name web.JobName) (web.Job, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(w.Wait))
	defer cancel()
	path := query("/v1/jobs", "kind", name.Kind, "key", name.Key, "limit", "5")
	for last := (web.Job{Kind: name.Kind, Key: name.Key, State: store.Queued}); ; {
		var got web.Jobs
		if _, err := c.into(ctx, http.MethodGet, path, nil, &got); err != nil && ctx.Err() == nil {
			return last, err
		}
		got.Jobs = slices.DeleteFunc(got.Jobs, forLater)
		pending := len(got.Jobs) == 0
		for _, j := range got.Jobs {
			if j.State == store.Queued || j.State == store.Running {
				pending, last = true, j
			}
		}
		switch {
		case !pending && got.Jobs[0].State == store.Failed:
			return got.Jobs[0], fmt.Errorf("%s: failed: %s", jobName(name), got.Jobs[0].Result)
		case !pending:
			return got.Jobs[0], nil
		}
		select {
		case <-ctx.Done():
			return last, fmt.Errorf("%s: not done in %s: %s %s", jobName(name), time.Duration(w.Wait), last.State, last.Result)
		case <-time.After(betweenLooks):
		}
	}
}

// forLater reports whether a job waits for its time, as a scan that is to look
// again at what was too young: nobody asked for that one just now.
func forLater(j web.Job) bool {
	return j.State == store.Queued && j.Attempt == 0 && time.Until(j.At) > 10*time.Second
}

type passwordCommand struct {
	Kind string `arg:"" enum:"user,site" help:"user or site."`
	Name string `arg:"" help:"Its name."`
	File string `short:"f" help:"File with the password; - is the standard input." default:"-"`
}

// Run sets a password.
func (k *passwordCommand) Run(ctx context.Context, c *client, p *printer) error {
	word, err := readWord(k.File)
	if err != nil {
		return fmt.Errorf("reading the password: %w", err)
	}
	kind := registry.Kind(k.Kind)
	a, err := c.ask(ctx, http.MethodPost, "/v1/actions/password", web.Password{Kind: kind, Key: k.Name, Password: word})
	if err != nil {
		return err
	}
	return written(p, a, kind, k.Name)
}

type pullSecretCommand struct {
	Host string `arg:"" help:"The host, SITE/NAME."`
	File string `short:"f" help:"File with the secret; - is the standard input." default:"-"`
}

// Run sets a host's secret.
func (k *pullSecretCommand) Run(ctx context.Context, c *client, p *printer) error {
	word, err := readWord(k.File)
	if err != nil {
		return fmt.Errorf("reading the secret: %w", err)
	}
	a, err := c.ask(ctx, http.MethodPost, "/v1/actions/pull-secret", web.PullSecret{Host: k.Host, Secret: word})
	if err != nil {
		return err
	}
	return written(p, a, registry.KindHost, k.Host)
}
