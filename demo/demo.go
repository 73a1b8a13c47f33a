// Package demo is waypost demo: both halves of the program on loopback, with
// bundled data and nothing to install.
//
//	master/  a small tree, made here ──scan──► control plane ──publish──► edge ──► curl, dig
//	mirrors  three file servers here ──crawl─►   ▲
//	configs/demo: fifty real mirrors ──import────┘
//
// It starts within a few seconds. What it writes is in one folder, which is
// removed at the end unless the user named it.
package demo

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/edge/dns/zone"
	"github.com/waypost/waypost/edge/health/probe"
	"github.com/waypost/waypost/edge/node"
)

// Command is waypost demo.
type Command struct {
	HTTP    netip.AddrPort `help:"Where the edge answers HTTP." default:"127.0.0.1:8080"`
	DNS     netip.AddrPort `help:"Where the edge answers DNS, over UDP and TCP." default:"127.0.0.1:5300"`
	Admin   netip.AddrPort `help:"Where the edge has its pages for operators." default:"127.0.0.1:9090"`
	Control netip.AddrPort `help:"Where the control plane is: API and pages." default:"127.0.0.1:8081"`
	Dir     string         `help:"Keep all data here, to look at. Default: a new temporary folder, removed at the end." type:"path"`
	Probe   bool           `help:"Probe the mirrors. Most are real ones, so this needs the Internet."`
}

// Run runs the command until ctx ends.
func (c *Command) Run(ctx context.Context, out io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal was closed
	defer stop()
	dir, err := c.folder()
	if err != nil {
		return err
	}
	err = c.run(ctx, out, dir)
	if c.Dir == "" {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

func (c *Command) folder() (string, error) {
	if c.Dir == "" {
		return os.MkdirTemp("", "waypost-demo-")
	}
	return c.Dir, os.MkdirAll(c.Dir, 0o750)
}

// run runs both halves until ctx ends, with all their files in dir. The edge
// ends before what it follows.
func (c *Command) run(ctx context.Context, out io.Writer, dir string) error {
	behind, end := context.WithCancel(context.WithoutCancel(ctx))
	group, behind := errgroup.WithContext(behind)
	err := c.serve(ctx, behind, group, out, dir)
	end()
	if ctx.Err() != nil {
		err = nil // this is how it ends
	}
	return errors.Join(err, group.Wait())
}

// serve starts mirrors and control plane in group, where they run until behind
// ends, and then runs the edge.
func (c *Command) serve(ctx, behind context.Context, group *errgroup.Group, out io.Writer, dir string) error {
	mirrors, err := startMirrors(behind, group, dir)
	if err != nil {
		return err
	}
	p, err := newPlane(ctx, c.Control, dir, mirrors)
	if err != nil {
		return err
	}
	group.Go(func() error { return p.Run(behind) })
	if err = p.publish(ctx); err != nil {
		return err
	}
	n, err := node.New(c.edge(dir, p), slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	go func() {
		select {
		case <-n.Listened():
			greet(out, p, n)
		case <-ctx.Done():
		}
	}()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(behind, stop)() // the control plane failed
	return n.Run(ctx)
}

// edge is the configuration of the edge. configs/edge.yaml says the same and
// more, with comments.
func (c *Command) edge(dir string, p *plane) *node.Config {
	config := &node.Config{
		Name:    "demo",
		DataDir: filepath.Join(dir, "edge"),
		Source: node.SourceConfig{Control: &node.ControlConfig{
			URL: "http://" + p.Addr().String(), TokenFile: p.edgeToken, PublicKeys: []string{p.PublicKey()},
		}},
		HTTP: &node.HTTPConfig{
			Listen:         []netip.AddrPort{c.HTTP},
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		},
		DNS: &node.DNSConfig{
			Listen: []netip.AddrPort{c.DNS},
			Zones: []zone.Config{{
				Name:    "m.test",
				NS:      map[string][]netip.Addr{"ns1.m.test": {c.DNS.Addr()}},
				Records: `hello 3600 IN TXT "static records live beside tailored ones"`,
				Mirrors: []zone.Mirror{
					{Name: "linux", Path: "pub/linux/kernel", Answer: "cname"},
					{Name: "fedora", Path: "pub/fedora/linux", Answer: "cname"},
				},
			}},
		},
		Admin: &node.AdminConfig{Listen: c.Admin},
	}
	if c.Probe {
		config.Health = &probe.Config{}
	}
	return config
}
