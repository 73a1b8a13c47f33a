package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waypost/waypost/edge/answer"
	edgedns "github.com/waypost/waypost/edge/dns"
	"github.com/waypost/waypost/edge/dns/zone"
	"github.com/waypost/waypost/edge/index"
)

// ExplainCommand is waypost explain.
type ExplainCommand struct {
	IP   string `arg:"" help:"Address of the client."`
	Path string `arg:"" help:"Path that it asks for, such as pub/os/f.iso."`

	adminFlag

	Config  string `short:"c" type:"path" help:"Instead of asking a running edge, read the data that this configuration names, and take all mirrors as up."`
	Country string `help:"As country= does: a list of countries, or global."`
	Avoid   string `help:"As avoid_country= does: a list of countries."`
	Family  string `help:"Explain a DNS answer with A (4) or AAAA (6) records." enum:",4,6" default:""`
	JSON    bool   `help:"Print JSON."`
}

// Run runs the command.
func (c *ExplainCommand) Run(ctx context.Context, out io.Writer) error {
	p := url.Values{"ip": {c.IP}, "path": {c.Path}, "country": {c.Country}, "avoid_country": {c.Avoid}, "family": {c.Family}}
	if c.Config == "" {
		return c.ask(ctx, out, p)
	}
	v, err := loadView(c.Config)
	if err != nil {
		return err
	}
	q, err := ExplainQuery(v, p)
	if err != nil {
		return err
	}
	x := v.Explain(q)
	if c.JSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(x)
	}
	WriteExplanation(out, x, time.Now())
	return nil
}

// ask asks a running edge.
func (c *ExplainCommand) ask(ctx context.Context, out io.Writer, p url.Values) error {
	if c.JSON {
		p.Set("json", "1")
	}
	response, err := c.send(ctx, http.MethodGet, "/explain", p)
	if err != nil {
		return fmt.Errorf("%w; without a running edge, name its configuration with -c", err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
		return errors.New(string(text))
	}
	_, err = io.Copy(out, response.Body)
	return err
}

// loadView reads and compiles the data that a configuration names.
func loadView(path string) (*answer.View, error) {
	c, err := ReadConfig(path)
	if err == nil && c == nil {
		err = errors.New(path + " configures no edge")
	}
	if err != nil {
		return nil, err
	}
	s, err := c.sourceAtRest(newLogger(os.Stderr))
	if err != nil {
		return nil, err
	}
	in, err := s.Load(time.Now())
	if err != nil {
		return nil, err
	}
	return &answer.View{Index: index.Compile(in)}, nil
}

// WriteExplanation writes an explanation for people to read.
func WriteExplanation(out io.Writer, x *answer.Explanation, now time.Time) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("client", "%s, in the class of %s", x.Client, x.Prefix)
	row("country", "%s", known(x.Country)+from(x.Database)+override(x.Override))
	row("AS", "%s", known(x.ASN.Value)+from(x.ASN))
	for _, p := range x.Netblocks {
		row("netblock", "%s, declared by hosts", p)
	}
	row("path", "%s", x.Path)
	row("category", "%s (%s)", x.Category, x.Policy)
	row("directory", "%s", known(x.Directory))
	if x.File != "" {
		row("file", "%s", x.File)
	}
	row("data", "version %d, %s old", x.Version, now.Sub(x.Created).Round(time.Second))
	explainBands(w, x)
	if len(x.Rejected) > 0 {
		fmt.Fprintf(w, "\nnot eligible\n")
	}
	for _, r := range x.Rejected {
		fmt.Fprintf(w, "  %s\t%s\n", r.Name, r.Reason)
	}
	_ = w.Flush()
}

func explainBands(w io.Writer, x *answer.Explanation) {
	switch {
	case x.AllDown:
		fmt.Fprintf(w, "\nall eligible hosts are down; they are given all the same, or the origin\n")
	case len(x.Bands) == 0:
		fmt.Fprintf(w, "\nno host is eligible\n")
	}
	if x.AvoidIgnored {
		fmt.Fprintf(w, "\navoid_country would have left no host, so it is ignored\n")
	}
	n := 0
	for _, b := range x.Bands {
		fmt.Fprintf(w, "\nband %s %s\n", b.Name, b.Prefix)
		for _, h := range b.Hosts {
			if h.Down && !x.AllDown {
				fmt.Fprintf(w, "  -  %s\t%s\tdown\n", h.Name, known(h.Country))
				continue
			}
			n++
			fmt.Fprintf(w, "  %d  %s\t%s\t%s\t%s\n", n, h.Name, known(h.Country), first(h.URLs), h.Distance)
		}
	}
}

func known(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}

func first(urls []string) string {
	if len(urls) == 0 {
		return ""
	}
	return urls[0]
}

func from(r answer.Row) string {
	if r.Value == "" {
		return ""
	}
	if r.Source != "" {
		return fmt.Sprintf(" (%s → %s, by %s)", r.Prefix, r.Value, r.Source)
	}
	return fmt.Sprintf(" (%s → %s)", r.Prefix, r.Value)
}

func override(country string) string {
	if country == "" {
		return ""
	}
	return ", by an override of the catalogue"
}

// CheckCommand is waypost check.
type CheckCommand struct {
	Config string `short:"c" required:"" type:"path" help:"Configuration file."`
}

// Run runs the command.
func (c *CheckCommand) Run(out io.Writer) error {
	config, err := ReadConfig(c.Config)
	if config == nil {
		return err
	}
	if err != nil && config.Source.Control != nil {
		return err
	}
	s, sourceErr := config.sourceAtRest(newLogger(out))
	if sourceErr != nil {
		return errors.Join(err, sourceErr)
	}
	in, dataErr := s.Load(time.Now())
	if err = errors.Join(err, dataErr); err != nil {
		return err
	}
	ix := index.Compile(in)
	fmt.Fprintf(out, "%s is good. It would load\n", c.Config)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(n int, what string) { fmt.Fprintf(w, "  %d\t%s\n", n, what) }
	row(ix.Hosts(), "hosts")
	row(len(ix.Categories()), "categories")
	row(ix.Directories(), "directories")
	row(ix.Files().Len(), "files")
	row(in.Countries.Len(), "networks with a country")
	if in.Places != nil {
		row(in.Places.Classes()-1, "places of clients")
	}
	row(in.ASNs.Len(), "prefixes with an AS")
	row(ix.Map().Classes(), "classes of clients")
	if config.DNS != nil {
		row(len(config.DNS.Zones), "DNS zones")
	}
	_ = w.Flush()
	for _, note := range s.Notes() {
		fmt.Fprintln(out, "  "+note)
	}
	for _, warning := range slices.Concat(dnsWarnings(config, ix), config.controlWarnings(), config.clusterWarnings()) {
		fmt.Fprintln(out, "  warning:", warning)
	}
	return nil
}

// dnsWarnings says which tailored names would have no good answers.
func dnsWarnings(c *Config, ix *index.Index) (warnings []string) {
	if c.DNS == nil {
		return nil
	}
	zones, err := zone.Compile(c.DNS.Zones)
	if err == nil {
		err = edgedns.Check(zones, ix)
	}
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			warnings = append(warnings, strings.TrimSpace(line))
		}
	}
	return warnings
}
