package handover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Successor is the next process.
type Successor struct {
	PID     int    `json:"pid"`
	Version string `json:"version"`
	Self    string `json:"self,omitempty"` // who it is to others, in words of the callers; "": it does not say
}

// Errors of upgrades that did not begin.
var (
	ErrBusy     = errors.New("an upgrade is under way")
	ErrStarting = errors.New("the process has yet to start answering")
	ErrFirst    = errors.New("the process is the first one of a container, which ends with it: replace the container")
	ErrInit     = errors.New("the process was started by the init of a container, which ends with it: replace the container, or force the upgrade if it does not")
	ErrCannot   = errors.New("this command cannot be upgraded")
)

// An Order says how to upgrade.
type Order struct {
	Within time.Duration // how long the next process may take to be ready
	Force  bool          // also where [ErrInit] says no
}

// Within is how long the next process is usually given to be ready.
const Within = 2 * time.Minute

// A request is an upgrade that somebody asks for.
type request struct {
	Order

	done chan<- result
}

type result struct {
	next Successor
	err  error
}

// Upgrade has [Process.Run] start the binary on disk, with the arguments of this
// process, and hand everything over to it. An error says why the new process
// could not start in time: this one goes on as if nothing had been.
// Without one, this process takes no more work, and ends. [ErrTakenOver] says
// that it does so already: the next process is the one to ask.
func (p *Process) Upgrade(ctx context.Context, o Order) (Successor, error) {
	if p.requests == nil {
		return Successor{}, ErrCannot
	}
	done := make(chan result, 1)
	select {
	case p.requests <- request{o, done}:
	case <-p.left:
		return Successor{}, ErrTakenOver
	case <-time.After(busy):
		return Successor{}, p.whyBusy()
	case <-ctx.Done():
		return Successor{}, ctx.Err()
	}
	select {
	case r := <-done:
		return r.next, r.err
	case <-ctx.Done(): // it goes on without who asked
		return Successor{}, ctx.Err()
	}
}

// busy is how long Run may take to be there for an upgrade.
const busy = time.Second

// A trial is a process that starts, to take the place of this one.
type trial struct {
	pid   int
	since time.Time
}

// whyBusy returns ErrBusy, with what is known of the upgrade that is under way.
func (p *Process) whyBusy() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trial.pid == 0 {
		return ErrBusy
	}
	return fmt.Errorf("%w: process %d was started at %s", ErrBusy, p.trial.pid, p.trial.since.UTC().Format(time.RFC3339))
}

// try notes which process starts.
func (p *Process) try(t trial) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trial = t
}

func (p *Process) upgrade(ctx context.Context, o Order) (s Successor, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.Within)
	defer cancel()
	if err = p.mayUpgrade(o.Force); err != nil {
		return s, err
	}
	select {
	case <-p.gone: // else what it has to pass on would find nobody
	case <-ctx.Done():
		return s, errors.New("the process before has not ended yet")
	}
	p.Notify("RELOADING=1", "MONOTONIC_USEC="+monotonic(), "STATUS=upgrading")
	next, s, err := p.start(ctx, o.Within)
	if err != nil {
		p.Notify("READY=1", "STATUS=upgrade failed: "+firstLine(err.Error()))
		return s, err
	}
	p.mu.Lock()
	p.next, p.heir = next, s
	p.mu.Unlock()
	p.Notify("MAINPID="+strconv.Itoa(s.PID), "READY=1", "STATUS=upgraded to "+s.Version)
	return s, nil
}

// mayUpgrade says why no upgrade can begin now.
func (p *Process) mayUpgrade(force bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case os.Getpid() == 1:
		return ErrFirst
	case p.contained && !force:
		return ErrInit
	case !p.ready:
		return ErrStarting
	}
	return nil
}

// monotonic is the time as sd_notify(3) wants it for RELOADING.
func monotonic() string {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // never fails
	return strconv.FormatInt(t.Nano()/1000, 10)
}

// A child is the next process while it starts.
type child struct {
	cmd   *exec.Cmd
	link  *link
	ended chan struct{} // closed once it has ended
}

// start starts the next process and waits until it is ready. If it will not be,
// it is gone when start returns.
func (p *Process) start(ctx context.Context, within time.Duration) (next *link, s Successor, err error) {
	c, err := p.launch()
	if err != nil {
		return nil, s, err
	}
	p.log.Info("upgrade: the next process starts, this one goes on until it is ready", "pid", c.cmd.Process.Pid, "within", within)
	p.try(trial{c.cmd.Process.Pid, time.Now()})
	defer p.try(trial{})
	defer func() {
		if err != nil {
			_ = c.link.conn.Close()
			_ = c.cmd.Process.Kill()
			<-c.ended
		}
	}()
	defer context.AfterFunc(ctx, func() { _ = c.link.conn.SetDeadline(time.Unix(1, 0)) })()
	defer c.listenToTheEnd()()
	if err = p.instruct(c.link); err != nil {
		err = fmt.Errorf("handing over to process %d: %w", c.cmd.Process.Pid, err)
		return nil, s, errors.Join(err, c.why())
	}
	for {
		m, bad := c.link.receive()
		switch {
		case ctx.Err() != nil:
			return nil, s, fmt.Errorf("process %d was not ready in time: %w", c.cmd.Process.Pid, ctx.Err())
		case bad != nil:
			return nil, s, c.why()
		case m.kind == kindError:
			return nil, s, fmt.Errorf("process %d cannot start: %s", c.cmd.Process.Pid, m.payload)
		case m.kind == kindReady:
			if err = json.Unmarshal(m.payload, &s); err != nil {
				return nil, s, fmt.Errorf("hearing that process %d is ready: %w", c.cmd.Process.Pid, err)
			}
			return c.link, s, nil
		}
		m.close()
	}
}

// launch starts the binary.
func (p *Process) launch() (*child, error) {
	l, other, err := newPair()
	if err != nil {
		return nil, err
	}
	defer other.Close()                                 //nolint:errcheck // the new process has it
	cmd := exec.Command(p.program.path, os.Args[1:]...) //nolint:gosec // what was started before
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = p.program.dir, os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{other}
	cmd.Env = append(os.Environ(), descriptor+"="+strconv.Itoa(firstDescriptor))
	if err = cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the next process: %w", err), l.conn.Close())
	}
	c := &child{cmd, l, make(chan struct{})}
	go func() {
		defer close(c.ended)
		_ = cmd.Wait()
	}()
	return c, nil
}

// listenToTheEnd has the link end soon after the process, for something that it
// has started may hold the other end, too. What was sent is heard. It lasts until
// stop is called.
func (c *child) listenToTheEnd() (stop func()) {
	stopped := make(chan struct{})
	go func() {
		select {
		case <-c.ended:
			_ = c.link.conn.SetReadDeadline(time.Now().Add(lastWords))
		case <-stopped:
		}
	}()
	return func() { close(stopped) }
}

// lastWords is how long what an ended process has sent may take to be read.
const lastWords = 100 * time.Millisecond

// why says how a process has ended that did not say so itself.
func (c *child) why() error {
	select {
	case <-c.ended:
		return fmt.Errorf("process %d ended before it was ready: %s", c.cmd.Process.Pid, c.cmd.ProcessState)
	case <-time.After(time.Second):
		return fmt.Errorf("process %d stopped talking before it was ready", c.cmd.Process.Pid)
	}
}

// instruct gives the next process sockets and state.
func (p *Process) instruct(to *link) error {
	p.mu.Lock()
	open, tell := slices.Clone(p.open), p.tell
	p.mu.Unlock()
	for some := range slices.Chunk(open, maxDescriptors) {
		if err := withAll(some, nil, func(fds []int) error { return to.send(kindSockets, nil, fds...) }); err != nil {
			return err
		}
	}
	if tell != nil {
		state, err := tell()
		if err != nil {
			return err
		}
		for part := range slices.Chunk(state, piece) {
			if err := to.send(kindState, part); err != nil {
				return err
			}
		}
	}
	return to.send(kindBegin, nil)
}

// withAll calls do with the descriptors of all sockets.
func withAll(sockets []syscall.Conn, fds []int, do func([]int) error) error {
	if len(sockets) == 0 {
		return do(fds)
	}
	return control(sockets[0], func(fd int) error { return withAll(sockets[1:], append(fds, fd), do) })
}

func firstLine(text string) string {
	for i, r := range text {
		if r == '\n' {
			return text[:i]
		}
	}
	return text
}
