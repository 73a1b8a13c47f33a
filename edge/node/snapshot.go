package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
	"github.com/waypost/waypost/edge/snapshot/wire/diff"
	"github.com/waypost/waypost/edge/source"
)

// SnapshotCommand is waypost snapshot.
type SnapshotCommand struct {
	Inspect InspectCommand `cmd:"" help:"Say what a published snapshot has, and who signed it."`
	Diff    DiffCommand    `cmd:"" help:"Say what is different between two published snapshots."`
}

// snapshotFlags are those of all its subcommands.
type snapshotFlags struct {
	Key       []string `help:"Public key of the control plane, in base64. Without any, signatures are not verified." placeholder:"KEY"`
	TokenFile string   `type:"path" help:"File with the token for control planes that are asked." placeholder:"FILE"`
	JSON      bool     `help:"Print JSON."`
}

// InspectCommand is waypost snapshot inspect.
type InspectCommand struct {
	Snapshot string `arg:"" help:"A manifest, a folder DATA_DIR/snapshots of an edge, or the URL of a control plane."`
	Sections bool   `help:"List every section."`
	Check    bool   `help:"Read all sections too, and check them."`
	snapshotFlags
}

// DiffCommand is waypost snapshot diff.
type DiffCommand struct {
	From string `arg:"" help:"The old one: a manifest, a folder or a URL, as for inspect."`
	To   string `arg:"" help:"The new one."`
	snapshotFlags
}

// A publishedSnapshot is one that somebody looks at.
type publishedSnapshot struct {
	manifest *wire.Manifest
	keys     []string // IDs of the keys that are said to have signed it
	verified bool
	section  func(wire.Hash) ([]byte, error)
}

// open reads the manifest of what is at where.
func (f *snapshotFlags) open(ctx context.Context, where string) (*publishedSnapshot, error) {
	b, section, err := f.read(ctx, where)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	p := &publishedSnapshot{}
	if p.manifest, p.keys, err = wire.OpenUnverified(b); err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	if len(f.Key) > 0 {
		keys, err := parseKeys(f.Key)
		if err != nil {
			return nil, fmt.Errorf("--key: %w", err)
		}
		if p.manifest, err = wire.Open(b, keys); err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		p.verified = true
	}
	p.section = section(p.manifest)
	return p, nil
}

// read returns the bytes of a manifest and, of a manifest, where its sections are.
func (f *snapshotFlags) read(ctx context.Context, where string) ([]byte, func(*wire.Manifest) func(wire.Hash) ([]byte, error), error) {
	if strings.HasPrefix(where, "http://") || strings.HasPrefix(where, "https://") {
		b, from, err := source.Published(ctx, where, f.TokenFile)
		return b, func(m *wire.Manifest) func(wire.Hash) ([]byte, error) { return fetcher(ctx, from, m) }, err
	}
	if info, err := os.Stat(where); err != nil {
		return nil, nil, err
	} else if !info.IsDir() {
		where = filepath.Dir(where)
	}
	if _, err := os.Stat(filepath.Join(where, "sections")); err != nil {
		return nil, nil, fmt.Errorf("want a folder with a manifest and its sections: %w", err)
	}
	store, err := wire.OpenStore(where)
	if err != nil {
		return nil, nil, err
	}
	b, err := store.Manifest()
	return b, func(*wire.Manifest) func(wire.Hash) ([]byte, error) { return store.Section }, err
}

// fetcher returns what fetches the sections of m.
func fetcher(ctx context.Context, from source.SectionSource, m *wire.Manifest) func(wire.Hash) ([]byte, error) {
	byHash := map[wire.Hash]*wire.Section{}
	for i := range m.Sections {
		byHash[m.Sections[i].Hash] = &m.Sections[i]
	}
	return func(h wire.Hash) ([]byte, error) { return from.Section(ctx, byHash[h]) }
}

// decode reads all sections.
func (p *publishedSnapshot) decode() (*snapshot.Snapshot, error) {
	return wire.Decode(p.manifest, p.section)
}

// An inspection is what inspect prints.
type inspection struct {
	Version  uint64         `json:"version"`
	Created  time.Time      `json:"created"`
	SignedBy []string       `json:"signed_by"` // IDs of keys
	Verified bool           `json:"verified"`
	Checked  bool           `json:"checked"` // all sections were read
	Kinds    []kindSummary  `json:"kinds"`
	Files    int            `json:"files"`
	Sections []wire.Section `json:"sections,omitempty"`
}

type kindSummary struct {
	Kind     wire.Kind `json:"kind"`
	Sections int       `json:"sections"`
	Items    int       `json:"items"`
	Size     int       `json:"size"`
	Raw      int       `json:"raw"`
}

// Run runs the command.
func (c *InspectCommand) Run(ctx context.Context, out io.Writer) error {
	p, err := c.open(ctx, c.Snapshot)
	if err != nil {
		return err
	}
	x := inspect(p)
	if c.Sections {
		x.Sections = p.manifest.Sections
	}
	if c.Check {
		if _, err = p.decode(); err != nil {
			return err
		}
		x.Checked = true
	}
	if c.JSON {
		return writeJSON(out, x)
	}
	x.write(out, time.Now())
	return nil
}

func writeJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func inspect(p *publishedSnapshot) *inspection {
	m := p.manifest
	x := &inspection{Version: m.Version, Created: m.Created, SignedBy: p.keys, Verified: p.verified}
	place := map[wire.Kind]int{}
	for i := range m.Sections {
		s := &m.Sections[i]
		at, ok := place[s.Kind]
		if !ok {
			at = len(x.Kinds)
			place[s.Kind] = at
			x.Kinds = append(x.Kinds, kindSummary{Kind: s.Kind})
		}
		k := &x.Kinds[at]
		k.Sections, k.Items, k.Size, k.Raw = k.Sections+1, k.Items+s.Items, k.Size+s.Size, k.Raw+s.Raw
		if s.Kind == wire.Files {
			x.Files += s.Items
		}
	}
	return x
}

func (x *inspection) write(out io.Writer, now time.Time) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "version\t%d\n", x.Version)
	fmt.Fprintf(w, "created\t%s, %s ago\n", x.Created.Format(time.RFC3339), now.Sub(x.Created).Round(time.Second))
	fmt.Fprintf(w, "signed by\t%s\n", x.signature())
	if x.Checked {
		fmt.Fprintf(w, "sections\tall are there and good\n")
	}
	fmt.Fprintf(w, "\nKIND\tSECTIONS\tITEMS\tBYTES\tUNPACKED\n")
	for _, k := range x.Kinds {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\n", k.Kind, k.Sections, k.Items, k.Size, k.Raw)
	}
	if len(x.Sections) > 0 {
		fmt.Fprintf(w, "\nSECTION\tITEMS\tBYTES\tSHA-256\n")
	}
	for _, s := range x.Sections {
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", strings.TrimSpace(string(s.Kind)+" "+s.Name), s.Items, s.Size, s.Hash)
	}
	_ = w.Flush()
}

func (x *inspection) signature() string {
	switch {
	case len(x.SignedBy) == 0:
		return "nobody"
	case !x.Verified:
		return strings.Join(x.SignedBy, ", ") + ", so it says: not verified without --key"
	}
	return strings.Join(x.SignedBy, ", ") + ", verified"
}

// Run runs the command.
func (c *DiffCommand) Run(ctx context.Context, out io.Writer) error {
	var both [2]*snapshot.Snapshot
	var errs [2]error
	for i, where := range []string{c.From, c.To} {
		var p *publishedSnapshot
		if p, errs[i] = c.open(ctx, where); errs[i] == nil {
			both[i], errs[i] = p.decode()
		}
	}
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	d := diff.Of(both[0], both[1])
	if c.JSON {
		return writeJSON(out, d)
	}
	writeDifference(out, d)
	return nil
}

// shownNames is how many names of a kind a difference for people has.
const shownNames = 10

func writeDifference(out io.Writer, d *diff.Difference) {
	fmt.Fprintf(out, "version %d → %d\n", d.From, d.To)
	differs := len(d.HostsAdded)+len(d.HostsRemoved)+len(d.HostsChanged) > 0
	for _, name := range d.HostsAdded {
		fmt.Fprintf(out, "+ host %s\n", name)
	}
	for _, name := range d.HostsRemoved {
		fmt.Fprintf(out, "- host %s\n", name)
	}
	for i := range d.HostsChanged {
		fmt.Fprintf(out, "~ host %s: %s\n", d.HostsChanged[i].Name, hostChange(&d.HostsChanged[i]))
	}
	for _, k := range []struct {
		what    string
		changes *diff.Changes
	}{
		{"category", &d.Categories},
		{"directory", &d.Directories},
		{"file", &d.Files},
		{"repository", &d.Repositories},
		{"override", &d.Overrides},
		{"embargo", &d.Embargoes},
	} {
		differs = differs || k.changes.Any()
		writeNames(out, "+ "+k.what, &k.changes.Added)
		writeNames(out, "- "+k.what, &k.changes.Removed)
		writeNames(out, "~ "+k.what, &k.changes.Changed)
	}
	if !differs {
		fmt.Fprintln(out, "no difference")
	}
}

func hostChange(h *diff.Host) string {
	var parts []string
	if len(h.Fields) > 0 {
		parts = append(parts, strings.Join(h.Fields, ", "))
	}
	if h.Gained+h.Lost > 0 {
		parts = append(parts, fmt.Sprintf("directories +%d -%d", h.Gained, h.Lost))
	}
	if h.Found+h.Missing > 0 {
		parts = append(parts, fmt.Sprintf("files in them +%d -%d", h.Found, h.Missing))
	}
	if h.Outdated > 0 {
		parts = append(parts, fmt.Sprintf("older versions of %d files", h.Outdated))
	}
	return strings.Join(parts, "; ")
}

func writeNames(out io.Writer, what string, names *diff.Names) {
	shown := names.First[:min(len(names.First), shownNames)]
	for _, name := range shown {
		fmt.Fprintf(out, "%s %s\n", what, name)
	}
	if more := names.Count - len(shown); more > 0 {
		fmt.Fprintf(out, "%s … and %d more\n", what, more)
	}
}
