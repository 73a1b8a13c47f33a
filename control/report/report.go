// Package report is the side of a mirror: the command `waypost report`, which
// tells a control plane what a mirror holds. It takes the place of MirrorManager's
// report_mirror, whose configuration it reads and whose protocol it speaks.
//
//	configuration ─► walk the categories ─► document ─► send until it is taken
//
// Package checkin is the other side.
package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Command is waypost report.
type Command struct {
	Config string `short:"c" type:"path" default:"/etc/mirrormanager-client/report_mirror.conf" placeholder:"FILE" help:"Configuration: YAML, or a report_mirror.conf as it is."`

	DryRun bool `short:"n" aliases:"no-send" help:"Walk, print what would be sent, and send nothing. Passwords are not printed."`
	Debug  bool `short:"d" help:"Say on standard error what is done."`
	Quiet  bool `short:"q" help:"No progress, and no answer of a server that accepts."`

	Protocol    string        `enum:"json,xmlrpc," default:"" help:"json: with the host's token. xmlrpc: with the site's password, to MirrorManager as well. Default: what the configuration says; else xmlrpc for a report_mirror.conf and json for YAML."`
	Files       bool          `help:"Send a full file list, so that single files that are missing or old are known, too. For json."`
	ExcludeFrom string        `type:"path" placeholder:"FILE" help:"Leave out directories whose full path with a slash at its end contains a line of FILE. Lines that begin with # are comments."`
	Output      string        `short:"o" type:"path" placeholder:"FILE" help:"Write what was found into FILE, too, without passwords; with --dry-run it is only written. JSON, which report_mirror's pickle was not."`
	Input       string        `short:"i" type:"path" placeholder:"FILE" help:"Walk nothing: send what --output has written, perhaps on another machine."`
	AllowEmpty  bool          `help:"Report a category although its directory is empty. Without this that is an error: a disk may not be mounted."`
	Jobs        int           `short:"j" default:"8" help:"How many directories to read at a time."`
	Retries     int           `default:"5" help:"How often to try again when the server is not reached or has trouble: after 2 s, 4 s, 8 s and so on, or when it says."`
	Timeout     time.Duration `default:"5m" help:"How long one try may take."`

	// Notes is where progress and warnings go. Default: standard error.
	Notes io.Writer `kong:"-"`

	// Pause waits between tries. Default: by the clock.
	Pause func(context.Context, time.Duration) error `kong:"-"`
}

// Help is shown by waypost report --help.
func (*Command) Help() string {
	return `A mirror runs this after each synchronisation. Only directories are walked and sent, symbolic links are not
followed. Private mirrors are listed by this alone; public ones get crawled sooner, and a release under embargo is
known to be here before the public may see it. The exit status is 0 when the server has accepted all, and 1 with the
server's words when it has not.

A configuration in YAML (configs/report.yaml has all keys); paths are relative to it:

  server: https://control.example.org     # /v1/checkin or /xmlrpc is added if it has no path
  site: uni-x
  host: de1
  token_file: de1.token                   # for json; or for xmlrpc: password_file: site.password
  categories:
    os: /srv/mirror/os
    epel: /srv/mirror/epel
  # protocol: json                        # or xmlrpc
  # files: false                          # as --files
  # exclude: ["/.~tmp~/"]                 # as --exclude-from
  # stamp: /srv/mirror/.synced            # its time is that of the last synchronisation
  # user_active: true                     # false takes the host out of all lists

Examples:

  waypost report -c /etc/waypost/report.yaml
  waypost report --dry-run                # with /etc/mirrormanager-client/report_mirror.conf
  waypost report -c report.yaml --files --debug`
}

// Run runs the command.
func (c *Command) Run(ctx context.Context, out io.Writer) error {
	if c.Notes == nil {
		c.Notes = os.Stderr
	}
	if c.Pause == nil {
		c.Pause = pause
	}
	if c.Jobs < 1 || c.Retries < 0 {
		return errors.New("want --jobs of at least 1 and --retries of at least 0")
	}
	s, err := read(c.Config)
	if err != nil {
		return err
	}
	if err = c.adjust(s); err != nil {
		return err
	}
	d, err := c.document(ctx, s)
	if err != nil {
		return err
	}
	if c.Output != "" {
		if err = d.writeFound(c.Output); err != nil {
			return fmt.Errorf("writing what was found: %w", err)
		}
	}
	if c.DryRun && c.Output != "" {
		return nil
	}
	if c.DryRun {
		return d.show(out)
	}
	said, err := c.send(ctx, d)
	if said != "" && (err != nil || !c.Quiet) {
		_, printErr := fmt.Fprintln(out, said)
		err = cmp.Or(err, printErr)
	}
	return err
}

// adjust lets the command line override the configuration, and checks what is left.
func (c *Command) adjust(s *settings) error {
	if c.Protocol != "" {
		s.protocol = c.Protocol
	}
	s.files = s.files || c.Files
	if c.ExcludeFrom != "" {
		lines, err := readLines(c.ExcludeFrom)
		if err != nil {
			return fmt.Errorf("reading what to exclude: %w", err)
		}
		s.exclude = append(s.exclude, lines...)
	}
	return s.check(c.Config)
}

// document walks all categories, or reads what an earlier walk found.
func (c *Command) document(ctx context.Context, s *settings) (*document, error) {
	d := &document{settings: s}
	if c.Input != "" {
		return d, d.readFound(c.Input)
	}
	for _, category := range s.categories {
		started := time.Now()
		w := walker{root: category.path, exclude: s.exclude, files: s.files, jobs: c.Jobs}
		stop := c.progress(category.name, &w)
		err := w.walk(ctx)
		stop()
		if err != nil {
			return nil, fmt.Errorf("category %s: %w", category.name, err)
		}
		for _, warning := range w.warnings {
			fmt.Fprintf(c.Notes, "waypost: category %s: left out: %v\n", category.name, warning)
		}
		if w.empty && !c.AllowEmpty {
			return nil, fmt.Errorf("category %s: %s is empty: is its disk mounted? --allow-empty reports it all the same",
				category.name, category.path)
		}
		c.debug("category %s: %d directories in %s, %v", category.name, len(w.found), category.path, time.Since(started).Round(time.Millisecond))
		d.found = append(d.found, w.found)
	}
	return d, nil
}

// debug says something with --debug.
func (c *Command) debug(format string, args ...any) {
	if c.Debug {
		fmt.Fprintf(c.Notes, "waypost: "+format+"\n", args...)
	}
}

// progress shows how far w is until stop is called; only people see it.
func (c *Command) progress(name string, w *walker) (stop func()) {
	f, ok := c.Notes.(*os.File)
	if c.Quiet || !ok {
		return func() {}
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprintf(f, "\r%s: %d directories", name, w.count.Load())
			case <-end:
				fmt.Fprintf(f, "\r%s: %d directories\n", name, w.count.Load())
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
