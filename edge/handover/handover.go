// Package handover lets a process hand its sockets to the next one, so that a
// new binary takes the place of the old one and no client notices.
//
//	old process                            new process
//	Upgrade: starts the binary on disk ──► Begin: has sockets and state
//	  and goes on answering                reads its data, Listen, serves
//	                               ◄────── Ready
//	stops reading, answers what it read
//	connections between requests ────────► Passage: goes on with them
//	ends what only one may do: Free ─────► Alone: gossip, sessions, snapshots
//	answers its last clients, ends ──────► Gone: counts of answers
//
// The very sockets are handed over, not only their addresses: what waits in
// them, be it packets or connections that nobody has accepted, waits for the
// new process. For a moment both read them, and each packet and each connection
// goes to exactly one. Connections that are kept alive move while they are
// between two requests, so none has to be closed.
//
// Until the new process says that it is ready, the old one is in charge: if the
// new one cannot start, with a bad configuration or a bad binary, it is killed,
// the old one says why, and nothing has happened. After that the old one takes
// no more work. Whoever of them is killed at whatever time leaves nothing behind
// that a start would stumble over: no file takes part in this.
//
// What only one process of a name may do (gossip, hold BGP sessions, write
// snapshots) waits for [Process.Alone]. The old process ends that first: a slow
// client may keep it for many seconds, and other edges and routers would take the
// edge for lost. What has to do with its answers waits for [Process.Gone]. A
// process that is killed, or does not end what it does in time, frees all by its
// end ([Process.Work]).
//
// A process that systemd starts may get its sockets from there
// (sd_listen_fds(3)), and it tells systemd how it does (sd_notify(3)), also
// which process is the main one after an upgrade. Sockets are told apart by
// their addresses; names of systemd's are only for the log.
//
// # Protocol
//
// Between the two there is a pair of Unix sockets that keep messages apart
// (SOCK_SEQPACKET). Its end in the new process is the descriptor that the
// environment variable WAYPOST_HANDOVER names. A message is one byte and what
// belongs to it; one of an unknown kind is passed over, for either side may be
// the newer one:
//
//	S, with descriptors        old → new  sockets
//	D, bytes                   old → new  a piece of the state, which is JSON of the callers
//	B                          old → new  begin: that was all
//	R, JSON of [Successor]     new → old  ready
//	E, text                    new → old  why it cannot start
//	C, kind, with a descriptor old → new  a connection between two requests
//	F                          old → new  free: what only one may do is yours; the old one may yet answer clients
package handover

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// ErrTakenOver is the cause with which work ends that the next process goes on
// with: sessions are not closed with a farewell, nothing is withdrawn. It is
// the cause of the context of all parts ([context.Cause]).
var ErrTakenOver = errors.New("the next process has taken over")

// TakenOver reports whether a context has ended since the next process has
// taken over.
func TakenOver(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrTakenOver) }

// A Process is this process, between the one before and the next one. The zero
// value has inherited nothing and cannot be upgraded, which is what tests want.
// Its methods are for any goroutine.
type Process struct {
	log     *slog.Logger
	version string
	program program

	before *link         // to the process before; nil: there was none
	state  []byte        // what it told
	alone  chan struct{} // closed once it has freed what only one may have
	gone   chan struct{} // closed once it has ended

	contained bool // a container ends with this process, which is not its first one

	mu       sync.Mutex
	given    given                       // guarded by mu: inherited, and not yet asked for
	open     []syscall.Conn              // guarded by mu: what goes on to the next process
	tell     func() ([]byte, error)      // guarded by mu: what the next process is told; nil: nothing
	self     string                      // guarded by mu: what the process before is told
	heir     Successor                   // guarded by mu: who has taken over; zero: nobody
	ready    bool                        // guarded by mu
	arrivals map[string]chan net.Conn    // guarded by mu: connections of the process before, by kind
	passing  []*Passage                  // guarded by mu: of [Process.ListenPassing]
	trial    trial                       // guarded by mu: the process that starts; zero: none does
	next     *link                       // guarded by mu: to the next process, once it is ready
	requests chan request                // upgrades that Run is to do
	left     chan struct{}               // closed once the next process has taken over
	notify   func(lines ...string) error // tells systemd; nil: not there
}

// Begin finds out what this process inherited. It is called once, at the start
// of the program, and changes its environment.
func Begin(version string, log *slog.Logger) (*Process, error) {
	p := &Process{
		log: log, version: version, alone: make(chan struct{}), gone: make(chan struct{}),
		requests: make(chan request), left: make(chan struct{}), notify: notifier(os.Getenv("NOTIFY_SOCKET")),
	}
	var err error
	if p.program, err = thisProgram(); err != nil {
		return nil, err
	}
	if err = p.inherit(); err != nil {
		return nil, err
	}
	if p.before == nil {
		close(p.alone)
		close(p.gone)
		p.contained = endsContainer(os.Getppid(), os.Getenv("NOTIFY_SOCKET"), firstProgram())
	}
	return p, nil
}

// State returns what the process before told of itself, nil if there was none.
func (p *Process) State() []byte { return p.state }

// Tell sets what the next process is told, as it is when an upgrade begins.
func (p *Process) Tell(state func() ([]byte, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell = state
}

// Introduce sets what the process before is told of this one, with [Process.Ready]:
// see [Successor].
func (p *Process) Introduce(self string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.self = self
}

// Next returns the process that has taken over; zero: none has.
func (p *Process) Next() Successor {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heir
}

// Alone is closed once no other process of this name is there, or the one
// before has freed what only one may have.
func (p *Process) Alone() <-chan struct{} {
	if p.alone == nil {
		return closed
	}
	return p.alone
}

// Gone is closed once the process before has ended, if there was one: it answers
// nobody any more. That is not before Alone, and may be a minute after it.
func (p *Process) Gone() <-chan struct{} {
	if p.gone == nil {
		return closed
	}
	return p.gone
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }() //nolint:gochecknoglobals // never changed

// Run upgrades at each SIGUSR2, and when [Process.Upgrade] is called. It returns
// [ErrTakenOver] once the next process is ready, and nil when ctx ends: that
// ends an upgrade that is under way, too.
func (p *Process) Run(ctx context.Context) error {
	usr2 := make(chan os.Signal, 1)
	signal.Notify(usr2, syscall.SIGUSR2)
	defer signal.Stop(usr2)
	for {
		var r request
		select {
		case <-ctx.Done():
			p.Notify("STOPPING=1")
			return nil
		case <-usr2:
			r = request{Order{Within: Within}, make(chan result, 1)}
		case r = <-p.requests:
		}
		s, err := p.upgrade(ctx, r.Order)
		r.done <- result{s, err}
		if err == nil {
			close(p.left)
			p.log.Info("the next process has taken over", "pid", s.PID, "version", s.Version, "was", p.version)
			return ErrTakenOver
		}
		p.log.Error("upgrade failed, this process goes on", "error", err)
	}
}

// Ready says that all listeners are open and served: to the process before,
// which then takes no more work, or to systemd. Sockets that were inherited and
// not asked for are closed.
func (p *Process) Ready() {
	if p.alone == nil {
		return
	}
	p.mu.Lock()
	p.given.close(p.log)
	p.ready = true
	before, self := p.before, p.self
	p.mu.Unlock()
	if before == nil {
		p.Notify("READY=1")
		return
	}
	if err := before.sendJSON(kindReady, Successor{PID: os.Getpid(), Version: p.version, Self: self}); err != nil {
		p.log.Warn("the process before has gone already", "error", err)
	}
	go p.receive(before)
}

// ReadyAfter is Ready once a channel is closed; it does nothing if ctx ends first.
func (p *Process) ReadyAfter(ctx context.Context, listening <-chan struct{}) error {
	select {
	case <-listening:
		p.Ready()
	case <-ctx.Done():
	}
	return nil
}

// Free tells the next process, if there is one, that what only one may have is its
// own: this one has ended that. It may go on answering clients, as long as
// [Process.Work] lets it.
func (p *Process) Free() {
	p.mu.Lock()
	next := p.next
	p.mu.Unlock()
	if next == nil {
		return
	}
	if err := next.send(kindFree, nil); err != nil {
		p.log.Error("the next process has gone", "error", err)
	}
}

// endWithin is how long a process may go on once the next one has taken over.
const endWithin = time.Minute

// errLate is why a process ends before its work has. What it has not freed, its
// end does.
var errLate = errors.New("the next process has taken over, and this one did not end in time")

// Work does the work of the process, and returns its error. It does not wait
// without bound for work that is to end for the next process, which may do only
// part of its own meanwhile, and could not be upgraded.
func (p *Process) Work(work func() error) error { return p.work(work, endWithin) }

func (p *Process) work(work func() error, within time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		return err
	case <-p.left:
	}
	select {
	case err := <-done:
		return err
	case <-time.After(within):
		return errLate
	}
}

// Finish is the end of the process: of err, for which it ends, it returns what
// is an error. The process before learns of one that comes before Ready.
func (p *Process) Finish(err error) error {
	if errors.Is(err, ErrTakenOver) {
		p.settle()
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.before != nil && !p.ready && err != nil {
		_ = p.before.send(kindError, []byte(cut(err.Error()))) // else it learns that we are gone
	}
	return err
}

// cut returns what a message has room for.
func cut(text string) string { return text[:min(len(text), piece)] }
