package demo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	catalogue "github.com/waypost/waypost/configs/demo"
	"github.com/waypost/waypost/control/importer"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/scan"
	"github.com/waypost/waypost/control/service"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// The sites of the demo.
const (
	here = "here" // the three mirrors on this machine
	real = "real" // those of the catalogue
)

// A plane is the control half.
type plane struct {
	*service.Service

	mirrors    []mirror
	adminToken string // a file
	edgeToken  string // a file
	password   string // of the user admin
}

// newPlane makes the control plane with its registry, and opens its listener.
func newPlane(ctx context.Context, listen netip.AddrPort, dir string, mirrors []mirror) (*plane, error) {
	data := filepath.Join(dir, "control")
	config := service.Config{
		DataDir: data, Listen: listen,
		Masters:      []scan.Config{{Category: "demo", Type: scan.Directory, Path: filepath.Join(dir, "master"), Settle: -1}},
		CrawlPrivate: true, // its own mirrors are on loopback
		CrawlEvery:   time.Minute, ScanEvery: time.Minute,
	}
	config.Resolve(dir)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := service.New(ctx, config, log)
	if err != nil {
		return nil, err
	}
	p := &plane{
		Service: s, mirrors: mirrors,
		adminToken: filepath.Join(data, "admin.token"), edgeToken: filepath.Join(dir, "edge.token"),
		password: strings.ToLower(rand.Text()[:8]),
	}
	result, err := p.registry()
	if err == nil {
		err = s.Import(ctx, "waypost demo", result)
	}
	if err == nil {
		err = s.Listen(ctx)
	}
	return p, err
}

// registry returns all that the control plane is to know at first.
func (p *plane) registry() (*importer.Result, error) {
	result, err := importer.Catalog(catalogue.Name, []byte(catalogue.Catalog), real)
	if err != nil {
		return nil, err
	}
	for _, o := range result.Objects {
		if h, ok := o.(*registry.Host); ok {
			for i := range h.Carries {
				h.Carries[i].AlwaysUpToDate = true // nobody shall crawl them from here
			}
		}
	}
	result.Listings = nil
	secret := rand.Text()
	if err = os.WriteFile(p.edgeToken, []byte(secret+"\n"), 0o600); err != nil {
		return nil, err
	}
	hash, err := registry.HashPassword(p.password)
	if err != nil {
		return nil, err
	}
	on := registry.Activity{AdminActive: true, UserActive: true}
	result.Objects = append(result.Objects,
		&registry.User{Name: "admin", Admin: true, PasswordHash: hash},
		&registry.Token{Name: "edge", Edge: "demo", Hash: registry.HashToken(secret), Scopes: []registry.Scope{registry.ScopeEdge}},
		&registry.Site{Name: here, Admins: []string{"admin"}, State: registry.Approved, Activity: on},
		&registry.Category{Name: "demo", Path: top},
	)
	for _, m := range p.mirrors {
		result.Objects = append(result.Objects, &registry.Host{
			Name: m.name, Site: here, Country: m.country, Bandwidth: 1000, State: registry.Approved, Activity: on,
			Carries: []registry.Carry{{Category: "demo", URLs: []registry.URL{{URL: m.url}}}},
		})
	}
	return result, nil
}

// publish scans the master, crawls the mirrors, and waits until what was found
// is published.
func (p *plane) publish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := p.work(ctx, web.JobScan, task(web.JobScan, "demo", web.Scan{Category: "demo"}))
	if err != nil {
		return err
	}
	var crawls []store.Task
	for _, m := range p.mirrors {
		host := registry.HostKey(here, m.name)
		crawls = append(crawls, task(web.JobCrawl, host+" demo", web.Crawl{Host: host, Category: "demo"}))
	}
	if err = p.work(ctx, web.JobCrawl, crawls...); err != nil {
		return err
	}
	last := &registry.Repository{Name: "demo-1", Arch: "x86_64", Path: top + "/releases/1/x86_64", Category: "demo"}
	if err = p.Import(ctx, "waypost demo", &importer.Result{Objects: []registry.Object{last}}); err != nil {
		return err
	}
	return until(ctx, func() (bool, error) { return p.published(ctx, last.Name) })
}

// published reports whether the last snapshot has a repository, and so all that
// was there before it.
func (p *plane) published(ctx context.Context, repository string) (bool, error) {
	last, err := p.Store().LastManifest(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	m, _, err := wire.OpenUnverified(last.Data) // it is our own
	if err != nil {
		return false, err
	}
	snap, err := wire.Decode(m, func(h wire.Hash) ([]byte, error) { return p.Store().Section(ctx, h.String()) })
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(snap.Repositories, func(r snapshot.Repository) bool { return r.Name == repository }), nil
}

func task(kind, key string, order any) store.Task {
	payload, err := json.Marshal(order)
	if err != nil {
		panic(err) // plain structs
	}
	return store.Task{Kind: kind, Key: key, Payload: string(payload), Attempts: 1}
}

// work has tasks of a kind done.
func (p *plane) work(ctx context.Context, kind string, tasks ...store.Task) error {
	if err := p.Store().Enqueue(ctx, tasks...); err != nil {
		return err
	}
	return until(ctx, func() (bool, error) {
		jobs, err := p.Store().Jobs(ctx, store.JobFilter{Kind: kind, Limit: 10})
		if err != nil {
			return false, err
		}
		for _, t := range tasks {
			i := slices.IndexFunc(jobs, func(j store.Job) bool { return j.Key == t.Key })
			if i < 0 || jobs[i].State == store.Queued || jobs[i].State == store.Running {
				return false, nil
			}
			if jobs[i].State == store.Failed {
				return false, fmt.Errorf("%s %s: %s", kind, t.Key, jobs[i].Result)
			}
		}
		return true, nil
	})
}

// until waits until something is so.
func until(ctx context.Context, so func() (bool, error)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := so(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the control plane: %w", ctx.Err())
		}
	}
}
