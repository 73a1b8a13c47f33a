package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/waypost/waypost/control/registry"
)

// urls are the commands for a host's URLs.
type urls struct {
	Add    urlAdd    `cmd:"" help:"Add URLs, and the category where the host does not carry it yet."`
	Delete urlDelete `cmd:"" help:"Delete URLs."`
}

type urlAdd struct {
	Host     string   `arg:"" help:"The host, SITE/NAME."`
	Category string   `arg:"" help:"The category."`
	URLs     []string `arg:"" name:"url" help:"URLs of the category's top directory."`
	Private  bool     `help:"They are for other mirrors, never for clients."`
}

// Run adds URLs.
func (u *urlAdd) Run(ctx context.Context, c *client, p *printer) error {
	return edit(ctx, c, p, u.Host, func(h *registry.Host) error {
		i := slices.IndexFunc(h.Carries, func(carry registry.Carry) bool { return carry.Category == u.Category })
		if i < 0 {
			h.Carries, i = append(h.Carries, registry.Carry{Category: u.Category}), len(h.Carries)
		}
		for _, url := range u.URLs {
			h.Carries[i].URLs = append(h.Carries[i].URLs, registry.URL{URL: url, Private: u.Private})
		}
		return nil
	})
}

type urlDelete struct {
	Host string   `arg:"" help:"The host, SITE/NAME."`
	URLs []string `arg:"" name:"url" help:"The URLs."`
}

// Run deletes URLs.
func (u *urlDelete) Run(ctx context.Context, c *client, p *printer) error {
	return edit(ctx, c, p, u.Host, func(h *registry.Host) error {
		for _, url := range u.URLs {
			found := false
			for i := range h.Carries {
				before := len(h.Carries[i].URLs)
				h.Carries[i].URLs = slices.DeleteFunc(h.Carries[i].URLs, func(other registry.URL) bool { return other.URL == url })
				found = found || len(h.Carries[i].URLs) < before
			}
			if !found {
				return fmt.Errorf("%s has no URL %s", u.Host, url)
			}
		}
		return nil
	})
}

// netblocks are the commands for a host's netblocks.
type netblocks struct {
	Add    netblockAdd    `cmd:"" help:"Add netblocks."`
	Delete netblockDelete `cmd:"" help:"Delete netblocks."`
}

type netblockAdd struct {
	Host      string   `arg:"" help:"The host, SITE/NAME."`
	Netblocks []string `arg:"" name:"netblock" help:"Prefixes, addresses, ranges FIRST-LAST or DNS names."`
}

// Run adds netblocks.
func (n *netblockAdd) Run(ctx context.Context, c *client, p *printer) error {
	return edit(ctx, c, p, n.Host, func(h *registry.Host) error {
		h.Netblocks = append(h.Netblocks, n.Netblocks...)
		return nil
	})
}

type netblockDelete struct {
	Host      string   `arg:"" help:"The host, SITE/NAME."`
	Netblocks []string `arg:"" name:"netblock" help:"The netblocks."`
}

// Run deletes netblocks.
func (n *netblockDelete) Run(ctx context.Context, c *client, p *printer) error {
	return edit(ctx, c, p, n.Host, func(h *registry.Host) error {
		for _, text := range n.Netblocks {
			i := slices.Index(h.Netblocks, text)
			if i < 0 {
				return fmt.Errorf("%s has no netblock %s", n.Host, text)
			}
			h.Netblocks = slices.Delete(h.Netblocks, i, i+1)
		}
		return nil
	})
}

// edit reads a host, changes it and writes it back, again if somebody else has
// changed it in between.
func edit(ctx context.Context, c *client, p *printer, host string, change func(*registry.Host) error) error {
	for try := 1; ; try++ {
		var h registry.Host
		path := pathOf(registry.KindHost, host)
		before, err := c.into(ctx, http.MethodGet, path, nil, &h)
		if err != nil {
			return err
		}
		if err = change(&h); err != nil {
			return err
		}
		patch := map[string]any{"carries": h.Carries, "netblocks": h.Netblocks}
		a, err := c.ask(ctx, http.MethodPatch, path, patch, "If-Match", before.etag)
		var no refused
		switch {
		case errors.As(err, &no) && (no.status == http.StatusPreconditionFailed || no.status == http.StatusConflict) && try < 5:
			continue
		case err != nil:
			return err
		}
		return written(p, a, registry.KindHost, host)
	}
}
