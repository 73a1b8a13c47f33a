package service

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/control/publish"
	"github.com/waypost/waypost/control/publish/export"
	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/edge/snapshot/wire/durable"
)

// ExportCommand is waypost export.
type ExportCommand struct {
	What   string `arg:"" enum:"catalog,mirrormanager,json,text,html,mirrorlists,nginx,apache,haproxy,varnish,squid-refresh,squid-storeid,rsync-acl,rsync-filter" help:"What to write: catalog, mirrormanager (a mirrorlist_cache), json, text, html, mirrorlists (a tar archive), nginx, apache, haproxy, varnish, squid-refresh, squid-storeid, rsync-acl, rsync-filter."`
	Config string `short:"c" required:"" type:"path" help:"Configuration file, with a control section."`
	Out    string `short:"o" type:"path" help:"Write into this file, whole or not at all. Default: print."`

	Upstream string `help:"For rsync-acl: the host that is pulled from; default: the master."`
	Since    int64  `help:"For rsync-filter: only directories changed since this time, in Unix seconds."`
	Strip    string `help:"For rsync-filter: the prefix that is stripped."`

	Categories []string `name:"category" help:"For rsync-filter: only these categories; default: all."`
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
	if c.Out == "" {
		return c.print(out, in)
	}
	var text bytes.Buffer
	if err = c.print(&text, in); err != nil {
		return err
	}
	return durable.WriteFile(c.Out, text.Bytes(), 0o644)
}

// print writes the export, and its notes to standard error.
func (c *ExportCommand) print(to io.Writer, in publish.Inputs) error {
	w := bufio.NewWriterSize(to, 1<<20)
	notes, err := c.write(w, in)
	for _, note := range notes {
		fmt.Fprintln(os.Stderr, "waypost export:", note)
	}
	return errors.Join(err, w.Flush())
}

// write writes the export, and returns notes of what it cannot say.
func (c *ExportCommand) write(w io.Writer, in publish.Inputs) (notes []string, err error) {
	switch c.What {
	case "rsync-acl":
		if _, ok := registry.Find[*registry.Host](in.World, c.Upstream); c.Upstream != "" && !ok {
			return nil, fmt.Errorf("--upstream: there is no host %s", c.Upstream)
		}
		text, left := export.RsyncACL(in.World, c.Upstream, in.Resolve)
		_, err = io.WriteString(w, text)
		return left, err
	case "rsync-filter":
		trees := slices.DeleteFunc(in.Trees, func(t *registry.Tree) bool {
			return len(c.Categories) > 0 && !slices.Contains(c.Categories, t.Category)
		})
		return nil, export.RsyncFilter(w, in.World, trees, c.Since, strings.Trim(c.Strip, "/"))
	}
	format, ok := export.Find(c.What)
	if !ok {
		return nil, fmt.Errorf("there is no export %s", c.What)
	}
	snap, notes := publish.Build(in)
	snap.Version = uint64(max(in.Now.UnixMilli(), 1))
	more, err := format.Write(w, snap, in.Now)
	return append(notes, more...), err
}
