// Waypost sends every download to the right mirror. See README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/control/ctl"
	"github.com/waypost/waypost/control/report"
	"github.com/waypost/waypost/control/service"
	"github.com/waypost/waypost/demo"
	"github.com/waypost/waypost/edge/handover"
	"github.com/waypost/waypost/edge/node"
)

// commands are the subcommands.
type commands struct {
	Run              runCommand                   `cmd:"" help:"Run the edge, the control plane, or both, as a configuration file says."`
	Demo             demo.Command                 `cmd:"" help:"Run both halves on loopback with bundled data: nothing to install."`
	Check            checkCommand                 `cmd:"" help:"Check a configuration and all data it names; say what would be loaded."`
	Explain          node.ExplainCommand          `cmd:"" help:"Say why a client gets these mirrors, and why not the others."`
	Ctl              ctl.Command                  `cmd:"" help:"Look at and change what a control plane knows, by its API."`
	MirrorlistServer node.MirrorlistServerCommand `cmd:"" name:"mirrorlist-server" help:"Run in the place of Fedora's mirrorlist-server: same flags, files and answers."`
	Report           report.Command               `cmd:"" help:"On a mirror: tell the control plane what is here; report_mirror.conf is read too."`
	Import           service.ImportCommand        `cmd:"" help:"Take over a registry: MirrorManager's database or cache, mirrorbits' mirrors, or a catalogue."`
	Export           service.ExportCommand        `cmd:"" help:"Write what the control plane knows for other programs."`
	Key              service.KeyCommand           `cmd:"" help:"Make a key that signs snapshots, or read it, and print its public half."`
	Snapshot         node.SnapshotCommand         `cmd:"" help:"Look at published snapshots."`
	Anycast          node.AnycastCommand          `cmd:"" help:"Look at the prefixes that an edge announces; drain them for maintenance, and resume."`
	Cluster          node.ClusterCommand          `cmd:"" help:"Look at the cluster of edges, drain mirrors, and change its keys."`
	AnycastSpeaker   node.SpeakerCommand          `cmd:"" hidden:"" help:"Announce what an edge orders; the edge starts it."`
	Upgrade          node.UpgradeCommand          `cmd:"" help:"Have a running edge hand everything over to a new process of the binary on disk, losing nothing."`
	Ready            node.ReadyCommand            `cmd:"" help:"Say whether an edge or a control plane takes clients: exit 0 or 1, for health checks."`
	Version          versionCommand               `cmd:"" help:"Print the version."`
}

type runCommand struct {
	Config string `short:"c" required:"" type:"path" help:"Configuration file."`
}

// Run runs the halves that the file configures until ctx ends.
func (c *runCommand) Run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	p, err := handover.Begin(node.Version(), log)
	if err != nil {
		return err
	}
	return p.Finish(p.Work(func() error { return c.run(ctx, p, log) }))
}

func (c *runCommand) run(ctx context.Context, p *handover.Process, log *slog.Logger) error {
	edge, control, err := read(c.Config)
	if err != nil {
		return err
	}
	return run(ctx, edge, control, p, log)
}

// run runs two halves, one of which may be nil, until ctx ends or the next
// process has taken over.
func run(ctx context.Context, edge *node.Config, control *service.Config, p *handover.Process, log *slog.Logger) error {
	var n *node.Node
	var err error
	if edge != nil {
		node.SpareProcs()
		edge.Process = p
		if n, err = node.New(edge, log); err != nil { // before there are jobs that would be cut off
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	if control != nil {
		s, err := service.New(ctx, *control, log)
		if err == nil {
			err = s.ListenBy(ctx, p.ListenPassing)
		}
		if err != nil {
			return err
		}
		group.Go(func() error { return s.Run(ctx) })
	}
	if edge != nil {
		group.Go(func() error { return n.Run(ctx) })
		group.Go(func() error { return p.ReadyAfter(ctx, n.Listened()) })
	} else {
		p.Ready()
	}
	group.Go(func() error { return p.Run(ctx) })
	return group.Wait()
}

// read reads both halves of a configuration file.
func read(path string) (*node.Config, *service.Config, error) {
	control, err := service.ReadConfig(path)
	if err != nil && control == nil {
		return nil, nil, err // the file as a whole
	}
	edge, bad := node.ReadConfig(path)
	return edge, control, errors.Join(err, bad)
}

type checkCommand struct{ node.CheckCommand }

// Run checks both halves.
func (c *checkCommand) Run(out io.Writer) error {
	_, control, err := read(c.Config)
	if err != nil && control != nil {
		return err
	}
	if err = c.CheckCommand.Run(out); err == nil && control != nil {
		_, err = fmt.Fprintf(out, "the control half of %s is good: %d masters\n", c.Config, len(control.Masters))
		for _, what := range control.Missing() {
			fmt.Fprintln(out, "not there now:", what)
		}
	}
	return err
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(out io.Writer) error {
	_, err := fmt.Fprintln(out, "waypost", node.Version())
	return err
}

// exit ends the program. Kong says 80 where the command line is wrong; others say 2.
func exit(code int) {
	if code > 2 {
		code = 2
	}
	os.Exit(code)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once: draining takes minutes
	var c commands
	k := kong.Parse(&c,
		kong.Name("waypost"),
		kong.Description("Waypost sends every download to the right mirror."),
		kong.UsageOnError(),
		kong.Exit(exit),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.BindTo(os.Stdout, (*io.Writer)(nil)),
	)
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "waypost:", err)
		os.Exit(1)
	}
}
