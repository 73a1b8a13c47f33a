// Waypost sends every download to the right mirror. See README.md.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/waypost/waypost/control/report"
	"github.com/waypost/waypost/edge/node"
)

// commands are the subcommands.
type commands struct {
	Run              node.RunCommand              `cmd:"" help:"Run the edge that a configuration file describes."`
	Demo             node.DemoCommand             `cmd:"" help:"Run an edge on loopback with bundled data: nothing to install, nothing to write."`
	Check            node.CheckCommand            `cmd:"" help:"Check a configuration and all data it names; say what would be loaded."`
	Explain          node.ExplainCommand          `cmd:"" help:"Say why a client gets these mirrors, and why not the others."`
	MirrorlistServer node.MirrorlistServerCommand `cmd:"" name:"mirrorlist-server" help:"Run in the place of Fedora's mirrorlist-server: same flags, files and answers."`
	Report           report.Command               `cmd:"" help:"On a mirror: tell the control plane what is here; report_mirror.conf is read too."`
	Snapshot         node.SnapshotCommand         `cmd:"" help:"Look at published snapshots."`
	Version          versionCommand               `cmd:"" help:"Print the version."`
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
