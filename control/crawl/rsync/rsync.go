// Package rsync lists a tree with the rsync program.
//
// The program is run once for a whole tree; its lines are parsed as they come,
// so that a listing of any size needs the memory of one line. It is killed,
// with all its children, when it hangs or the caller gives up.
package rsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/waypost/waypost/control/scan/listing"
)

// Options say how the program is run. The zero value is usable.
type Options struct {
	// Program is the rsync program; default "rsync", found in PATH.
	Program string

	// Connect is the longest wait for a connection; default 30 s.
	Connect time.Duration

	// Idle is the longest time without a byte; default 5 min.
	Idle time.Duration
}

const maxStderr = 16 << 10 // of what the program complains of, this much is kept

// An Ending says how the program ended.
type Ending uint8

// The endings.
const (
	Whole   Ending = iota // all was listed
	Partial               // some could not be read or went away in the meantime (exit codes 23 to 25)
	Refused               // no listing at all: no connection, no such module, access denied, too many connections
	Broken                // it stopped in the middle: a timeout, a protocol error, killed
)

// A Result is what is left of a run.
type Result struct {
	Ending  Ending
	Code    int    // exit code; -1: killed
	Stderr  string // what the program complained of, at most 16 KiB
	Entries int
	Bytes   int64 // of the listing
}

// List lists all that is below url, which begins with rsync://, and calls f
// for each line in the program's order: a directory before what it holds. An
// error of f ends the listing. The error tells of what kept the program from
// being run, of ctx, of f, or of a line that makes no sense; how the program
// ended is in the Result.
func List(ctx context.Context, url string, o Options, f func(listing.Entry) error) (Result, error) {
	if !strings.HasPrefix(url, "rsync://") {
		return Result{}, fmt.Errorf("listing %q: expected a URL that begins with rsync://", url)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := command(ctx, strings.TrimSuffix(url, "/")+"/", o)
	var complaints head
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		return Result{}, fmt.Errorf("listing %s: %w", url, err)
	}
	if err = cmd.Start(); err != nil {
		return Result{}, fmt.Errorf("running the rsync program: %w", err)
	}
	r := Result{}
	parseErr := listing.ParseRsync(&counter{out, &r.Bytes}, func(e listing.Entry) error {
		r.Entries++
		return f(e)
	})
	if errors.Is(parseErr, listing.ErrIncomplete) {
		parseErr = nil // the program ended first, and its exit code says why
	}
	if parseErr != nil {
		cancel() // nobody reads on: without this the program would wait for us
	}
	waitErr := cmd.Wait()
	r.Stderr, r.Code = complaints.String(), cmd.ProcessState.ExitCode()
	r.Ending = ending(r.Code, r.Entries)
	switch exit := (*exec.ExitError)(nil); {
	case parseErr != nil:
		return r, fmt.Errorf("listing %s: %w", url, parseErr)
	case ctx.Err() != nil:
		return r, fmt.Errorf("listing %s: %w", url, context.Cause(ctx))
	case waitErr != nil && !errors.As(waitErr, &exit):
		return r, fmt.Errorf("running the rsync program: %w", waitErr)
	}
	return r, nil
}

// command prepares the program. It gets no terminal to ask for a password at,
// and of our environment only what it needs: RSYNC_RSH and the like could make
// it run something else.
func command(ctx context.Context, url string, o Options) *exec.Cmd {
	program := o.Program
	if program == "" {
		program = "rsync"
	}
	//nolint:gosec // the program is the operator's choice; the URL is behind "--" and begins with rsync://
	cmd := exec.CommandContext(ctx, program, "--recursive", "--list-only", "--no-motd", "--no-human-readable",
		"--exclude=.snapshot", "--exclude=.~tmp~", "--exclude=*.~tmp~",
		"--contimeout="+seconds(o.Connect, 30*time.Second), "--timeout="+seconds(o.Idle, 5*time.Minute), "--", url)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TZ=UTC", "LC_ALL=C", "RSYNC_PASSWORD=", "RSYNC_PROXY=" + os.Getenv("RSYNC_PROXY")}
	if os.Getenv("RSYNC_PROXY") == "" {
		cmd.Env = cmd.Env[:4]
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// seconds returns d, or def where it is unset, in whole seconds.
func seconds(d, def time.Duration) string {
	if d <= 0 {
		d = def
	}
	return strconv.Itoa(max(1, int(d.Seconds())))
}

// ending judges an exit code, as rsync(1) lists them.
func ending(code, entries int) Ending {
	switch code {
	case 0:
		return Whole
	case 23, 24, 25: // partial transfer, vanished files, too many deletions
		return Partial
	case 5, 10, 35: // starting the protocol, socket, connecting
		if entries == 0 {
			return Refused
		}
	}
	return Broken
}

// A counter counts the bytes that are read.
type counter struct {
	r io.Reader
	n *int64
}

// Read reads and counts.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	*c.n += int64(n)
	return n, err
}

// A head keeps the beginning of what is written and drops the rest.
type head struct{ buf bytes.Buffer }

// Write never fails.
func (t *head) Write(p []byte) (int, error) {
	t.buf.Write(p[:min(len(p), max(0, maxStderr-t.buf.Len()))])
	return len(p), nil
}

// String returns what was kept.
func (t *head) String() string { return strings.TrimSpace(t.buf.String()) }
