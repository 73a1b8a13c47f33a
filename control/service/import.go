package service

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/waypost/waypost/control/importer"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/store/postgres"
	"github.com/waypost/waypost/edge/snapshot"
)

// ImportCommand is waypost import.
type ImportCommand struct {
	What string `arg:"" enum:"mirrormanager,mirrormanager-db,mirrorbits,catalog" help:"What FROM is: mirrormanager (a mirrorlist_cache), mirrormanager-db (the PostgreSQL database of a MirrorManager2), mirrorbits (its JSON or what its show prints) or catalog."`
	From string `arg:"" help:"The file; for mirrormanager-db postgres://USER@HOST/DATABASE. PGPASSWORD or ~/.pgpass may have the password."`

	Config   string `short:"c" required:"" type:"path" help:"Configuration file, with a control section."`
	Site     string `help:"The site that hosts without one belong to." default:"imported"`
	Category string `help:"For mirrorbits: the category that its mirrors carry." default:"mirrorbits"`
	Path     string `help:"For mirrorbits: that category's top directory."`
	DryRun   bool   `help:"Say what would be imported and what would be left out; change nothing."`
}

// Run imports into the database of a control plane. Nothing is changed where
// what is imported cannot be read or its objects contradict those that are there.
func (c *ImportCommand) Run(ctx context.Context, out io.Writer) error {
	db, err := openFor(ctx, c.Config)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // all that counts was committed
	result, err := c.read(ctx)
	if err != nil {
		return err
	}
	older := 0
	for _, versions := range result.Older {
		for _, v := range versions {
			if v.Hashes[snapshot.SHA256] == nil {
				older++
			}
		}
	}
	for _, p := range result.Left {
		fmt.Fprintln(out, "left out or changed:", p)
	}
	if older > 0 {
		fmt.Fprintf(out, "left out or changed: %d older versions of files left out: they have no SHA-256\n", older)
	}
	fmt.Fprintf(out, "%d objects, %d directories, %d listings\n", len(result.Objects), len(result.Paths), len(result.Listings))
	if c.DryRun {
		return contradictions(ctx, db, result)
	}
	return keep(ctx, db, "import of "+c.name(), result)
}

// contradictions returns all that is wrong between what was imported and what
// is there.
func contradictions(ctx context.Context, db *store.Store, r *importer.Result) error {
	world, _, err := db.World(ctx)
	if err != nil {
		return err
	}
	var changes []registry.Change
	for _, o := range r.Objects {
		changes = append(changes, registry.Change{Object: o})
	}
	return world.With(changes...).Check().Err()
}

// name returns where it is imported from, without a password.
func (c *ImportCommand) name() string {
	if c.What == "mirrormanager-db" {
		return postgres.Name(c.From)
	}
	return c.From
}

func (c *ImportCommand) read(ctx context.Context) (*importer.Result, error) {
	switch c.What {
	case "mirrormanager-db":
		return c.readDatabase(ctx)
	case "mirrormanager":
		f, err := os.Open(c.From)
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // only read
		return importer.MirrorManagerCache(c.From, f, c.Site)
	}
	data, err := os.ReadFile(c.From)
	if err != nil {
		return nil, err
	}
	if c.What == "catalog" {
		return importer.Catalog(c.From, data, c.Site)
	}
	return importer.Mirrorbits(c.From, data, importer.MirrorbitsOptions{Site: c.Site, Category: c.Category, Path: c.Path})
}

// readDatabase reads a MirrorManager2 as it is at one moment, though it may
// change meanwhile.
func (c *ImportCommand) readDatabase(ctx context.Context) (*importer.Result, error) {
	db, err := postgres.Open(ctx, c.From)
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // only read
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("importing %s: %w", c.name(), err)
	}
	defer tx.Rollback() //nolint:errcheck // only read
	return importer.MirrorManagerDB(ctx, c.name(), tx, time.Now())
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

// Import keeps what was imported; who is for the audit log.
func (s *Service) Import(ctx context.Context, who string, r *importer.Result) error {
	if err := keep(ctx, s.store, who, r); err != nil {
		return err
	}
	s.publishSoon()
	return nil
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
