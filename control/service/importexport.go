package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/control/importer"
	"github.com/waypost/waypost/control/publish"
	"github.com/waypost/waypost/control/publish/export"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/catalog"
	"github.com/waypost/waypost/edge/snapshot/mirrormanager"
)

// ImportCommand is waypost import.
type ImportCommand struct {
	What string `arg:"" enum:"mirrormanager,mirrorbits,catalog" help:"What FILE is: mirrormanager (a mirrorlist_cache), mirrorbits (its JSON or what its show prints) or catalog."`
	File string `arg:"" type:"existingfile" help:"The file."`

	Config   string `short:"c" required:"" type:"path" help:"Configuration file, with a control section."`
	Site     string `help:"The site that hosts without one belong to." default:"imported"`
	Category string `help:"For mirrorbits: the category that its mirrors carry." default:"mirrorbits"`
	Path     string `help:"For mirrorbits: that category's top directory."`
	DryRun   bool   `help:"Say what would be imported and what would be left out; change nothing."`
}

// Run imports a file into the database of a control plane. Nothing is changed
// where the file cannot be read or its objects contradict those that are there.
func (c *ImportCommand) Run(ctx context.Context, out io.Writer) error {
	db, err := openFor(ctx, c.Config)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // all that counts was committed
	result, err := c.read()
	if err != nil {
		return err
	}
	for _, p := range result.Left {
		fmt.Fprintln(out, "left out or changed:", p)
	}
	fmt.Fprintf(out, "%d objects, %d directories, %d listings\n", len(result.Objects), len(result.Paths), len(result.Listings))
	if c.DryRun {
		return registry.NewWorld(slices.Values(result.Objects)).Check().Err()
	}
	return keep(ctx, db, "import of "+c.File, result)
}

func (c *ImportCommand) read() (*importer.Result, error) {
	if c.What == "mirrormanager" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // only read
		return importer.MirrorManagerCache(c.File, f, c.Site)
	}
	data, err := os.ReadFile(c.File)
	if err != nil {
		return nil, err
	}
	if c.What == "catalog" {
		return importer.Catalog(c.File, data, c.Site)
	}
	return importer.Mirrorbits(c.File, data, importer.MirrorbitsOptions{Site: c.Site, Category: c.Category, Path: c.Path})
}

// keep keeps what was imported: the objects at once, or none.
func keep(ctx context.Context, db *store.Store, who string, r *importer.Result) error {
	changes := make([]store.Change, 0, len(r.Objects))
	for _, o := range r.Objects {
		revision := int64(0)
		e, err := db.Get(ctx, o.Kind(), o.Key())
		switch {
		case err == nil:
			revision = e.Revision // importing again brings it up to date
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		changes = append(changes, store.Put(o, revision))
	}
	if _, err := db.Apply(ctx, who, changes...); err != nil {
		return err
	}
	numbers, err := db.Numbers(ctx, r.Paths)
	if err != nil {
		return err
	}
	if err = r.Renumber(numbers); err != nil {
		return err
	}
	for _, t := range r.Trees {
		if err = db.PutTree(ctx, t); err != nil {
			return err
		}
	}
	for _, l := range r.Listings {
		if err = db.PutListing(ctx, l); err != nil {
			return err
		}
	}
	return keepOlder(ctx, db, r)
}

// keepOlder keeps the versions of metadata, the oldest first.
func keepOlder(ctx context.Context, db *store.Store, r *importer.Result) error {
	for path, versions := range r.Older {
		for i, v := range slices.Backward(versions) {
			if v.Hashes[snapshot.SHA256] == nil {
				continue
			}
			f := registry.File{Size: v.Size, Changed: v.MTime, Hashes: (*registry.Hashes)(&v.Hashes)}
			since := time.Now().Add(-time.Duration(i+1) * time.Hour)
			if err := db.NoteFile(ctx, path, f, since); err != nil {
				return err
			}
		}
	}
	return nil
}

// ExportCommand is waypost export.
type ExportCommand struct {
	What   string `arg:"" enum:"catalog,mirrormanager,json,text,html,nginx,apache,haproxy,varnish,squid-refresh,squid-storeid,rsync-acl,rsync-filter" help:"What to write: catalog, mirrormanager (a mirrorlist_cache), json, text, html, nginx, apache, haproxy, varnish, squid-refresh, squid-storeid, rsync-acl, rsync-filter."`
	Config string `short:"c" required:"" type:"path" help:"Configuration file, with a control section."`
	Out    string `short:"o" type:"path" help:"Write into this file, whole or not at all. Default: print."`

	Upstream string `help:"For rsync-acl: the host that is pulled from; default: the master."`
	Since    int64  `help:"For rsync-filter: only directories changed since this time, in Unix seconds."`
	Strip    string `help:"For rsync-filter: the prefix that is stripped."`
}

// Run writes what the control plane knows in the words of another program.
func (c *ExportCommand) Run(ctx context.Context, out io.Writer) error {
	db, err := openFor(ctx, c.Config)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // only read
	in, err := (&publish.Publisher{Store: db, Now: time.Now}).Inputs(ctx)
	if err != nil {
		return err
	}
	var text strings.Builder
	notes, err := c.write(&text, in)
	for _, note := range notes {
		fmt.Fprintln(os.Stderr, "waypost export:", note)
	}
	if err != nil {
		return err
	}
	if c.Out == "" {
		_, err = io.WriteString(out, text.String())
		return err
	}
	partial := c.Out + ".partial"
	if err = os.WriteFile(partial, []byte(text.String()), 0o644); err != nil { //nolint:gosec // others read it
		return err
	}
	return os.Rename(partial, c.Out)
}

// write writes the export, and returns notes of what it cannot say.
func (c *ExportCommand) write(w io.Writer, in publish.Inputs) (notes []string, err error) {
	switch c.What {
	case "rsync-acl":
		text, left := export.RsyncACL(in.World, c.Upstream, in.Resolve)
		_, err = io.WriteString(w, text)
		return left, err
	case "rsync-filter":
		return nil, export.RsyncFilter(w, in.World, in.Trees, c.Since, c.Strip)
	}
	snap, notes := publish.Build(in)
	snap.Version = uint64(max(in.Now.UnixMilli(), 1))
	switch c.What {
	case "catalog":
		more, err := catalog.Encode(w, snap, in.Now)
		return append(notes, more...), err
	case "mirrormanager":
		report, err := mirrormanager.Encode(w, snap, in.Now)
		return append(notes, report.String()), err
	}
	write := map[string]func(io.Writer, *snapshot.Snapshot, time.Time) error{
		"json": export.JSON, "text": export.Text, "html": export.HTML, "nginx": export.Nginx, "apache": export.Apache,
		"haproxy": export.HAProxy, "varnish": export.Varnish, "squid-refresh": export.SquidRefresh, "squid-storeid": export.SquidStoreID,
	}[c.What]
	return notes, write(w, snap, in.Now)
}

// openFor opens the database that a configuration names.
func openFor(ctx context.Context, path string) (*store.Store, error) {
	c, err := ReadConfig(path)
	if err == nil && c == nil {
		err = fmt.Errorf("%s configures no control plane", path)
	}
	if err != nil {
		return nil, err
	}
	if err = os.MkdirAll(c.DataDir, 0o750); err != nil {
		return nil, err
	}
	return store.Open(ctx, store.Config{Database: c.Database})
}
