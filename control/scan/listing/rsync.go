package listing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// An Rsync lists what an rsync server, or a directory, holds, by the rsync
// program. The zero value of each field but URL is its default.
type Rsync struct {
	// URL is rsync://HOST/MODULE/PATH/, or what else rsync takes as a source.
	// End it with a slash: else the list is of the directory's name. Take it
	// from strangers only if it begins with rsync://: rsync runs programs for
	// some others.
	URL string

	// Program is the program; default rsync.
	Program string

	// Options are passed on; take them from the operator only.
	Options []string

	// Excludes are patterns for --exclude.
	Excludes []string

	// Password is for the server, if it asks for one.
	Password string

	// Timeout is for the whole list; default 4 hours.
	Timeout time.Duration

	// Idle is how long the program may print nothing; default 15 minutes. A
	// server that first looks through millions of files is silent for long.
	Idle time.Duration

	// MaxEntries is the most entries accepted; default 50 million.
	MaxEntries int
}

// Defaults of Rsync.
const (
	defaultTimeout    = 4 * time.Hour
	defaultIdle       = 15 * time.Minute
	defaultMaxEntries = 50_000_000
)

// ErrIdle is wrapped by the errors of programs that printed nothing for
// [Rsync.Idle] and were killed.
var ErrIdle = errors.New("nothing came for too long")

// List runs rsync and calls f with each entry as it comes; an error of f stops
// the program and is returned. When ctx ends, the time is over or nothing
// comes, the program is killed with all its children.
//
// Without an error, the list is complete but for what warnings name: rsync
// exited with 23 or 24 and explained each missing file as vanished or closed to it. All
// other failures, a list without even its top, and more entries than allowed
// are errors; what f was called with is then worth nothing.
func (r Rsync) List(ctx context.Context, f func(Entry) error) (warnings []string, err error) {
	if r.URL == "" || strings.HasPrefix(r.URL, "-") {
		return nil, fmt.Errorf("listing by rsync: want a URL, got %q", r.URL)
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(r.Timeout, defaultTimeout))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	cmd, complaints := r.command(ctx)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", r.URL, err)
	}
	if err = cmd.Start(); err != nil {
		return nil, fmt.Errorf("listing %s: %w", r.URL, err)
	}
	idle := cmp.Or(r.Idle, defaultIdle)
	timer := time.AfterFunc(idle, func() { stop(fmt.Errorf("killed after %s: %w", idle, ErrIdle)) })
	defer timer.Stop()

	entries := 0
	parseErr := ParseRsync(&watched{out, timer, idle}, func(e Entry) error {
		if entries++; entries > cmp.Or(r.MaxEntries, defaultMaxEntries) {
			return fmt.Errorf("more than %d entries", entries-1)
		}
		return f(e)
	})
	ended := context.Cause(ctx)                                 // before our own stop
	if parseErr != nil && !errors.Is(parseErr, ErrIncomplete) { // else rsync ended first, and says why
		stop(parseErr)
	}
	waitErr := cmd.Wait()
	if ended == nil {
		ended = context.Cause(ctx)
	}
	warnings, err = r.verdict(ended, parseErr, waitErr, complaints)
	switch {
	case err != nil:
		return nil, fmt.Errorf("listing %s: %w", r.URL, err)
	case entries == 0:
		return nil, fmt.Errorf("listing %s: rsync listed nothing, not even the top%s", r.URL, complaints.tail())
	}
	return warnings, nil
}

// command returns the program ready to start, and what will hold its complaints.
func (r Rsync) command(ctx context.Context) (*exec.Cmd, *complaints) {
	args := []string{"--recursive", "--links", "--list-only", "--no-h", "--no-motd"}
	for _, pattern := range r.Excludes {
		args = append(args, "--exclude="+pattern)
	}
	args = append(append(args, r.Options...), "--", r.URL)
	cmd := exec.CommandContext(ctx, cmp.Or(r.Program, "rsync"), args...) //nolint:gosec // the operator's program; the URL stands behind --
	// C: bytes beyond ASCII come escaped; UTC: times do not jump in autumn.
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	if r.Password != "" {
		cmd.Env = append(cmd.Env, "RSYNC_PASSWORD="+r.Password)
	}
	c := &complaints{}
	cmd.Stderr = c
	cmd.WaitDelay = 5 * time.Second
	killGroup(cmd)
	return cmd, c
}

// verdict says what became of the program: ended is why it was killed, if it was.
func (r Rsync) verdict(ended, parseErr, waitErr error, c *complaints) (warnings []string, err error) {
	var exit *exec.ExitError
	switch {
	case ended != nil:
		return nil, ended
	case waitErr == nil || errors.As(waitErr, &exit) && exit.Exited():
	default:
		return nil, fmt.Errorf("rsync: %w%s", waitErr, c.tail())
	}
	code := 0
	if exit != nil {
		code = exit.ExitCode()
	}
	switch {
	case code == 0:
		return nil, parseErr
	case code != 23 && code != 24:
		return nil, fmt.Errorf("rsync: %s%s", exitText(code), c.tail())
	case parseErr != nil:
		return nil, parseErr
	}
	if why := c.unexplained(); why != "" {
		return nil, fmt.Errorf("rsync: %s: %s", exitText(code), why)
	}
	return c.lines(), nil
}

// exitText explains the exit codes of rsync(1) that mirrors give.
func exitText(code int) string {
	text := map[int]string{
		1: "syntax or usage error", 2: "protocol incompatibility", 5: "error starting the client-server protocol",
		10: "error in socket I/O, as when a connection is refused", 11: "error in file I/O",
		12: "error in the protocol data stream", 20: "interrupted", 23: "partial list because of errors",
		24: "files vanished", 30: "timeout in sending or receiving", 35: "timeout waiting for the connection",
	}[code]
	if text == "" {
		return fmt.Sprintf("exit code %d", code)
	}
	return fmt.Sprintf("exit code %d, %s", code, text)
}

// watched puts a timer off with each read.
type watched struct {
	io.Reader
	timer *time.Timer
	idle  time.Duration
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.timer.Reset(w.idle)
	return n, err
}
