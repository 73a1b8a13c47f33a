package node

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waypost/waypost/edge/anycast"
	"github.com/waypost/waypost/edge/anycast/speaker"
)

// SpeakerCommand is waypost anycast-speaker, which an edge starts.
type SpeakerCommand struct {
	Socket string `arg:"" type:"path" help:"Where to take orders."`
}

// Run announces what the edge orders.
func (c *SpeakerCommand) Run(ctx context.Context) error {
	return speaker.Run(ctx, speaker.Config{Socket: c.Socket, Log: newLogger(os.Stderr), LogFile: os.Stderr})
}

// AnycastCommand is waypost anycast.
type AnycastCommand struct {
	Status AnycastStatusCommand `cmd:"" help:"Show which service prefixes this edge announces, to whom, and why not the others."`
	Drain  AnycastDrainCommand  `cmd:"" help:"Ask neighbours to prefer other edges, then withdraw; until resume, over restarts too."`
	Resume AnycastResumeCommand `cmd:"" help:"Announce again what was drained."`
}

// AnycastStatusCommand is waypost anycast status.
type AnycastStatusCommand struct{ askFlags }

// Run runs the command.
func (c *AnycastStatusCommand) Run(ctx context.Context, out io.Writer) error {
	return c.anycast(ctx, out, http.MethodGet, "/anycast", nil)
}

// AnycastDrainCommand is waypost anycast drain.
type AnycastDrainCommand struct {
	askFlags

	Prefixes []netip.Prefix `arg:"" optional:"" help:"Which service prefixes; none: all."`
	Force    bool           `help:"Also where no other edge announces a prefix."`
}

// Run runs the command.
func (c *AnycastDrainCommand) Run(ctx context.Context, out io.Writer) error {
	q := named(c.Prefixes)
	if c.Force {
		q.Set("force", "1")
	}
	return c.anycast(ctx, out, http.MethodPost, "/anycast/drain", q)
}

// AnycastResumeCommand is waypost anycast resume.
type AnycastResumeCommand struct {
	askFlags

	Prefixes []netip.Prefix `arg:"" optional:"" help:"Which service prefixes; none: all."`
}

// Run runs the command.
func (c *AnycastResumeCommand) Run(ctx context.Context, out io.Writer) error {
	return c.anycast(ctx, out, http.MethodPost, "/anycast/resume", named(c.Prefixes))
}

// anycast asks a running edge, and prints the status that it answers with.
func (f *askFlags) anycast(ctx context.Context, out io.Writer, method, path string, q url.Values) error {
	var status anycast.Status
	if err := f.ask(ctx, out, method, path, q, &status); err != nil || f.JSON {
		return err
	}
	return printAnycast(out, &status)
}

// named returns a query that names prefixes.
func named(prefixes []netip.Prefix) url.Values {
	q := url.Values{}
	for _, p := range prefixes {
		q.Add("prefix", p.String())
	}
	return q
}

// printAnycast prints a status for people.
func printAnycast(out io.Writer, s *anycast.Status) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "PREFIX\tSTATE\tANNOUNCED\tSINCE\tREASON")
	for _, p := range s.Prefixes {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", p.Prefix, p.State, yesNo(p.Announced), p.Since.UTC().Format(time.RFC3339), p.Reason)
	}
	fmt.Fprintln(w, "\nNEIGHBOUR\tAS\tSESSION\tSINCE\tTOLD")
	for _, p := range s.Peers {
		since := "-"
		if !p.Since.IsZero() {
			since = p.Since.UTC().Format(time.RFC3339)
		}
		var told []string
		for _, prefix := range p.Prefixes {
			told = append(told, prefix.String())
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", p.Address, p.ASN, p.State, since, cmp.Or(strings.Join(told, " "), "-"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var notes []string
	for _, p := range s.Peers {
		if p.Trouble != "" {
			notes = append(notes, fmt.Sprintf("%s: %s", p.Address, p.Trouble))
		}
	}
	if s.Error != "" {
		notes = append(notes, "speaker: "+s.Error)
	}
	if s.Superseded {
		notes = append(notes, "another process of this edge, or one with the same data_dir, gives the speaker its orders")
	}
	for _, note := range notes {
		if _, err := fmt.Fprintf(out, "\n%s\n", note); err != nil {
			return err
		}
	}
	return nil
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
