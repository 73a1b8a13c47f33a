package node

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waypost/waypost/edge/cluster"
	"github.com/waypost/waypost/edge/health/probe"
)

// ClusterCommand is waypost cluster.
type ClusterCommand struct {
	Members ClusterMembersCommand `cmd:"" help:"Show the edges of the cluster, what is down, and what is drained."`
	Votes   ClusterVotesCommand   `cmd:"" help:"Show what each observer says of a mirror."`
	Drain   ClusterDrainCommand   `cmd:"" help:"Take a mirror, or the votes of an edge, out for some time, at all edges."`
	Undrain ClusterUndrainCommand `cmd:"" help:"Take it back in."`
	Keys    ClusterKeysCommand    `cmd:"" help:"Look at the keys that encrypt gossip, and change them."`
}

// ClusterKeysCommand is waypost cluster keys.
type ClusterKeysCommand struct {
	List     ClusterKeysListCommand     `cmd:"" default:"withargs" help:"Show the keys by their IDs, and which edges know them."`
	Generate ClusterKeysGenerateCommand `cmd:"" help:"Print a new key, for a key file."`
	Use      ClusterKeysUseCommand      `cmd:"" help:"Have the edge encrypt with a key, until its key files change."`
	Remove   ClusterKeysRemoveCommand   `cmd:"" help:"Have the edge no longer accept a key, until its key files change."`
}

// ClusterMembersCommand is waypost cluster members.
type ClusterMembersCommand struct{ askFlags }

// Run runs the command.
func (c *ClusterMembersCommand) Run(ctx context.Context, out io.Writer) error {
	var s cluster.Status
	if err := c.ask(ctx, out, http.MethodGet, "/cluster", nil, &s); err != nil || c.JSON {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "EDGE\tSTATE\tADDRESS\tREGION\tCOUNTRY\tSNAPSHOT\tDATA AGE\tABSTAINS FROM")
	for _, m := range s.Members {
		age := "-"
		if !m.Data.IsZero() {
			age = time.Since(m.Data).Round(time.Second).String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", m.Name, memberState(&m), m.Address, cmp.Or(m.Region, "-"),
			cmp.Or(m.Country, "-"), m.Snapshot, age, cmp.Or(strings.Join(m.Abstains, ", "), "-"))
	}
	fmt.Fprintf(w, "\n%d mirrors, %d ways to them are down\n", s.Hosts, len(s.Down))
	for _, t := range s.Down {
		fmt.Fprintln(w, "down:", t)
	}
	for _, t := range s.Kept {
		fmt.Fprintln(w, "fails, and is kept up by max_down:", t)
	}
	if s.Closed != "" {
		fmt.Fprintln(w, "this edge is a cluster of its own, and tries again each second:", s.Closed)
	}
	for _, a := range s.Absent {
		fmt.Fprintln(w, "cannot be joined:", a.Address+":", a.Error)
	}
	for _, d := range s.Drained {
		fmt.Fprintln(w, "drained:", d.Name+",", map[bool]string{true: "an edge", false: "a mirror"}[d.Edge]+", for", d.Left, "more, by order at", d.By)
	}
	return w.Flush()
}

// memberState returns a word for how a member is.
func memberState(m *cluster.Member) string {
	switch {
	case !m.Alive:
		return "gone"
	case m.Drained:
		return "drained"
	case m.Leaving:
		return "leaving"
	case m.OverTCP:
		return "alive, over TCP only"
	case !m.Probes:
		return "alive, without a vote"
	}
	return "alive"
}

// ClusterVotesCommand is waypost cluster votes.
type ClusterVotesCommand struct {
	askFlags

	Host string `arg:"" help:"The mirror's name."`
}

// Run runs the command.
func (c *ClusterVotesCommand) Run(ctx context.Context, out io.Writer) error {
	var v cluster.HostVotes
	if err := c.ask(ctx, out, http.MethodGet, "/cluster/votes", url.Values{"host": {c.Host}}, &v); err != nil || c.JSON {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "OBSERVER\tKIND\tSTATE\tLAST PROBE\tTOOK\tCOUNTS")
	for _, vote := range v.Votes {
		if len(vote.Sights) == 0 {
			fmt.Fprintf(w, "%s\t-\tunseen\t-\t-\t-\n", vote.Observer)
		}
		for _, s := range vote.Sights {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d ms\t%s\n", vote.Observer, s.Kind, s.State, probe.Verdict(s.Verdict), s.RoundTrip, yesNo(s.Counts))
		}
	}
	fmt.Fprintf(w, "\ndown: %s\n", cmp.Or(strings.Join(v.Down, ", "), "-"))
	if len(v.Kept) > 0 {
		fmt.Fprintf(w, "kept up by max_down: %s\n", strings.Join(v.Kept, ", "))
	}
	if v.Drained {
		fmt.Fprintln(w, "drained: by order")
	}
	return w.Flush()
}

// drainFlags name what is drained.
type drainFlags struct {
	askFlags

	Name string `arg:"" help:"The mirror's name, or with --edge the edge's."`
	Edge bool   `help:"It is an edge: its votes do not count, it is not ready, and its anycast prefixes are drained."`
}

// query returns the parameters.
func (f *drainFlags) query() url.Values {
	if f.Edge {
		return url.Values{"edge": {f.Name}}
	}
	return url.Values{"host": {f.Name}}
}

// run gives an order and prints what is drained then.
func (f *drainFlags) run(ctx context.Context, out io.Writer, path string, q url.Values) error {
	var drained []cluster.Drained
	if err := f.ask(ctx, out, http.MethodPost, path, q, &drained); err != nil || f.JSON {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "DRAINED\tEDGE\tFOR\tBY ORDER AT")
	for _, d := range drained {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.Name, yesNo(d.Edge), d.Left, d.By)
	}
	return w.Flush()
}

// ClusterDrainCommand is waypost cluster drain.
type ClusterDrainCommand struct {
	drainFlags

	For   period `help:"For how long, such as 6h or 2d, at most 30d; it ends by itself." default:"24h"`
	Force bool   `help:"Also the last edge that is alive and not drained."`
}

// Run runs the command.
func (c *ClusterDrainCommand) Run(ctx context.Context, out io.Writer) error {
	q := c.query()
	q.Set("for", time.Duration(c.For).String())
	if c.Force {
		q.Set("force", "1")
	}
	return c.run(ctx, out, "/cluster/drain", q)
}

// ClusterUndrainCommand is waypost cluster undrain.
type ClusterUndrainCommand struct{ drainFlags }

// Run runs the command.
func (c *ClusterUndrainCommand) Run(ctx context.Context, out io.Writer) error {
	return c.run(ctx, out, "/cluster/undrain", c.query())
}

// ClusterKeysGenerateCommand is waypost cluster keys generate.
type ClusterKeysGenerateCommand struct{}

// Run runs the command.
func (ClusterKeysGenerateCommand) Run(out io.Writer) error {
	_, err := fmt.Fprintln(out, cluster.GenerateKey())
	return err
}

// ClusterKeysListCommand is waypost cluster keys list.
type ClusterKeysListCommand struct{ askFlags }

// Run runs the command.
func (c *ClusterKeysListCommand) Run(ctx context.Context, out io.Writer) error {
	return c.keys(ctx, out, http.MethodGet, "/cluster/keys", nil)
}

// keys prints the keys, after what is asked for.
func (f *askFlags) keys(ctx context.Context, out io.Writer, method, path string, q url.Values) error {
	var keys []cluster.Key
	if err := f.ask(ctx, out, method, path, q, &keys); err != nil || f.JSON {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tENCRYPTS HERE\tENCRYPTS AT\tACCEPTED BY\tUNKNOWN TO")
	for _, k := range keys {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", k.ID, yesNo(k.Primary), cmp.Or(strings.Join(k.Uses, " "), "-"),
			strconv.Itoa(len(k.Accepts))+" edges", cmp.Or(strings.Join(k.Lacks, " "), "-"))
	}
	return w.Flush()
}

// keyFlags name a key.
type keyFlags struct {
	askFlags

	Key   string `arg:"" help:"The ID of a key, as list shows it."`
	Force bool   `help:"Also where other edges would then not be understood."`
}

func (f *keyFlags) query() url.Values {
	q := url.Values{"key": {f.Key}}
	if f.Force {
		q.Set("force", "1")
	}
	return q
}

// ClusterKeysUseCommand is waypost cluster keys use.
type ClusterKeysUseCommand struct{ keyFlags }

// Run runs the command.
func (c *ClusterKeysUseCommand) Run(ctx context.Context, out io.Writer) error {
	return c.keys(ctx, out, http.MethodPost, "/cluster/keys/use", c.query())
}

// ClusterKeysRemoveCommand is waypost cluster keys remove.
type ClusterKeysRemoveCommand struct{ keyFlags }

// Run runs the command.
func (c *ClusterKeysRemoveCommand) Run(ctx context.Context, out io.Writer) error {
	return c.keys(ctx, out, http.MethodPost, "/cluster/keys/remove", c.query())
}
