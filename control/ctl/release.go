package ctl

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/web"
)

// releases are the commands for releases.
type releases struct {
	List   list[*registry.Release]   `cmd:"" help:"List all."`
	Show   show[*registry.Release]   `cmd:"" help:"Show one, as set -f reads it."`
	Set    set[*registry.Release]    `cmd:"" help:"Change one, or make it. Mirrors that carry it are told, unless it is quiet."`
	Delete remove[*registry.Release] `cmd:"" help:"Delete one. Mirrors that wait for it are told."`

	Announce       announceCommand `cmd:"" help:"Tell mirrors of one now, or once more."`
	Status         releaseStatus   `cmd:"" help:"Say which mirrors have one."`
	Move           moveRelease     `cmd:"" help:"Make a version in development a release: repositories lead to its new directory, all at once."`
	Archive        archiveRelease  `cmd:"" help:"Move an old version's repositories to the archive, all at once."`
	ExpireMetadata expireMetadata  `cmd:"" help:"Emergency: take old metadata out of metalinks at once."`
}

type announceCommand struct {
	Name string `arg:"" help:"The release."`
	waiter
}

// Run asks for an announcement.
func (k *announceCommand) Run(ctx context.Context, c *client, p *printer) error {
	return k.act(ctx, c, p, "announce", web.Announce{Release: k.Name})
}

type releaseStatus struct {
	Name string `arg:"" help:"The release."`
}

// Run says which mirrors have a release.
func (k *releaseStatus) Run(ctx context.Context, c *client, p *printer) error {
	var got web.ReleaseStatus
	a, err := c.into(ctx, http.MethodGet, query("/v1/release-status", "name", k.Name), nil, &got)
	if err != nil {
		return err
	}
	if p.json {
		return p.raw(a.body)
	}
	lift, announced := "is public from", "not announced"
	if got.Lifted {
		lift = "is public since"
	}
	if !got.Announced.IsZero() {
		announced = "announced " + when(got.Announced)
	}
	fmt.Fprintf(p.out, "%s %s %s; %s\n", got.Release, lift, when(got.LiftAt), announced)
	fmt.Fprintf(p.out, "the master has %d directories, %d files, %d bytes\n", got.Directories, got.Files, got.Bytes)
	fmt.Fprintf(p.out, "%d of %d mirrors are ready: %.0f %% of the bandwidth\n", got.Ready, len(got.Hosts), got.Percent)
	var rows [][]string
	for _, h := range got.Hosts {
		rows = append(rows, []string{
			h.Host, h.State, fmt.Sprintf("%d/%d", h.Held, h.Directories), h.Country, fmt.Sprint(h.Bandwidth), yes(h.Private), yes(h.AutoCarry), when(h.Seen),
		})
	}
	return p.table(a, []string{"HOST", "STATE", "HELD", "COUNTRY", "MBIT/S", "PRIVATE", "AUTO CARRY", "SEEN"}, rows)
}

// moveOptions are how careful a move is.
type moveOptions struct {
	DryRun  bool `help:"Only say what would be moved." short:"n"`
	Partial bool `help:"Leave what cannot be moved where it is, and move the others."`
	Force   bool `help:"Move also where no public mirror holds the new directory yet."`
}

func (o moveOptions) options() web.MoveOptions {
	return web.MoveOptions{DryRun: o.DryRun, Partial: o.Partial, Force: o.Force}
}

type moveRelease struct {
	Category    string `arg:"" help:"The category."`
	Version     string `arg:"" help:"The version, as its directory is called."`
	Development string `help:"The directory in which it was developed." default:"development"`
	Releases    string `help:"The directory of releases." default:"releases"`
	moveOptions
}

// Run moves a version to the releases.
func (k *moveRelease) Run(ctx context.Context, c *client, p *printer) error {
	return moved(ctx, c, p, "release-move", web.MoveRelease{
		Category: k.Category, Version: k.Version, Development: k.Development, Releases: k.Releases, MoveOptions: k.options(),
	})
}

type archiveRelease struct {
	Category string `arg:"" help:"The category."`
	Version  string `arg:"" help:"The version, as its directory is called."`
	Archive  string `arg:"" help:"The category that is the archive."`
	moveOptions
}

// Run moves a version to the archive.
func (k *archiveRelease) Run(ctx context.Context, c *client, p *printer) error {
	return moved(ctx, c, p, "release-archive", web.ArchiveRelease{
		Category: k.Category, Version: k.Version, Archive: k.Archive, MoveOptions: k.options(),
	})
}

// moved asks for moves and says which were made.
func moved(ctx context.Context, c *client, p *printer, action string, document any) error {
	var got web.Moves
	a, err := c.into(ctx, http.MethodPost, "/v1/actions/"+action, document, &got)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, m := range got.Moves {
		what := m.Problem
		if what == "" && got.Done {
			what = "moved"
		} else if what == "" {
			what = "would be moved"
		}
		rows = append(rows, []string{m.Repository, m.From, m.To, fmt.Sprint(m.HeldBy), what})
	}
	return p.table(a, []string{"REPOSITORY", "FROM", "TO", "MIRRORS", ""}, rows)
}

type expireMetadata struct {
	Target string `arg:"" name:"repository|path" help:"A repository, NAME or NAME+ARCH, or a directory or file by its path; / is everything."`
	Keep   int    `help:"How many older versions of each file stay good. Default: none." placeholder:"N"`
}

// Run expires metadata.
func (k *expireMetadata) Run(ctx context.Context, c *client, p *printer) error {
	var got web.Expired
	a, err := c.into(ctx, http.MethodPost, "/v1/actions/expire-metadata", web.ExpireMetadata{Target: k.Target, Keep: k.Keep}, &got)
	if err != nil {
		return err
	}
	for i, path := range got.Paths {
		if path == "" {
			got.Paths[i] = "/"
		}
	}
	return p.answer(a, "%d old versions are good no more, below %s", got.Forgotten, strings.Join(got.Paths, ", "))
}
