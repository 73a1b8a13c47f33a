package speaker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Config is what the process of a speaker needs.
type Config struct {
	// Socket is where it listens for orders; Socket.lock is held while it runs.
	Socket string

	// Idle is how long it waits without orders before it ends; 0: 5m.
	Idle time.Duration

	Log *slog.Logger

	// LogFile is the file behind Log; nil: none. It is emptied when it has more
	// than MaxLog bytes.
	LogFile *os.File
}

// MaxLog is how large a log file may become, in bytes.
const MaxLog = 4 << 20

// ErrTaken says that another speaker runs on the socket.
var ErrTaken = errors.New("another speaker runs there")

// A message is an order and where its report goes.
type message struct {
	order  Order
	report chan<- Report
}

// Run listens for orders and carries them out, until nobody has given one for
// Config.Idle, the local ASN changes, or ctx ends; and after that, while an
// order lives: a service manager that stops all processes at once must not
// cut short the edge's draining. At last all is withdrawn.
func Run(ctx context.Context, c Config) error {
	if c.Idle == 0 {
		c.Idle = 5 * time.Minute
	}
	unlock, err := lock(c.Socket + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	listener, err := listen(c.Socket)
	if err != nil {
		return err
	}
	defer listener.Close() //nolint:errcheck // at the end
	messages := make(chan message)
	ended := make(chan struct{})
	defer close(ended)
	go accept(listener, messages, ended, c.Log)
	l := loop{config: c, orders: orders{}, started: time.Now()}
	l.beat.Store(&l.started)
	go watch(ended, l.beat.Load, func() {
		c.Log.Error("the BGP library hangs: the sessions drop, and the routes with them")
		os.Exit(1)
	})
	return l.run(ctx, messages)
}

// lock takes the lock file, which the kernel releases when the process dies.
func lock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Clean(name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("locking %s: %w", name, ErrTaken)
	}
	return func() { _ = f.Close() }, nil
}

// listen opens the socket for this user alone. One that is there is left from a
// speaker that was killed: the lock says so.
func listen(socket string) (*net.UnixListener, error) {
	_ = os.Remove(socket)
	before := unix.Umask(0o077) // the process does nothing else yet
	defer unix.Umask(before)
	return net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
}

// accept serves connections until the listener is closed. One that cannot be
// accepted, as when there are no file descriptors left, is no reason to end: an
// edge that connects later must be heard.
func accept(l net.Listener, to chan<- message, ended <-chan struct{}, log *slog.Logger) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			log.Error("an edge's connection could not be accepted; it is tried again", "error", err)
			select {
			case <-ended:
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		go func() {
			if err := talk(conn, to, ended); err != nil {
				log.Warn("an edge's connection", "error", err)
			}
		}()
	}
}

// talk answers the orders of one connection, each within the lease.
func talk(conn net.Conn, to chan<- message, ended <-chan struct{}) error {
	defer conn.Close() //nolint:errcheck // nothing is lost
	in, out := json.NewDecoder(conn), json.NewEncoder(conn)
	for {
		var o Order
		switch err := in.Decode(&o); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading an order: %w", err)
		}
		answer := make(chan Report, 1)
		select {
		case to <- message{o, answer}:
		case <-ended:
			return nil
		}
		if err := errors.Join(conn.SetWriteDeadline(time.Now().Add(Lease)), out.Encode(<-answer)); err != nil {
			return fmt.Errorf("writing a report: %w", err)
		}
	}
}

// A loop carries out orders, one at a time.
type loop struct {
	config  Config
	orders  orders
	started time.Time
	heard   time.Time // when the last order came
	bgp     *bgp      // nil before the first order
	said    string    // the last error of expire

	beat atomic.Pointer[time.Time] // when it was last seen to work
}

// hung is how long the loop may take for one thing. Withdrawals would wait.
const hung = 2 * Lease

// watch calls abort if the last beat is too long ago: a speaker that hangs must
// not keep its sessions, and the routes with them. It ends with ended.
func watch(ended <-chan struct{}, beat func() *time.Time, abort func()) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case now := <-tick.C:
			if now.Sub(*beat()) > hung {
				abort()
				return
			}
		}
	}
}

// trim empties a log file that has become too large. Its writers append.
func trim(f *os.File) {
	if f == nil {
		return
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() > MaxLog {
		_ = f.Truncate(0)
	}
}

func (l *loop) run(ctx context.Context, messages <-chan message) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	l.heard = time.Now()
	end := context.WithoutCancel(ctx)
	trimming := time.NewTicker(time.Minute)
	defer trimming.Stop()
	for {
		now := time.Now()
		l.beat.Store(&now)
		select {
		case <-trimming.C:
			trim(l.config.LogFile)
		case m := <-messages:
			report, err := l.obey(end, m.order, time.Now())
			m.report <- report
			if errors.Is(err, errRestart) {
				return errors.Join(err, l.stop(end))
			}
		case now := <-tick.C:
			if l.expire(end, now) && (ctx.Err() != nil || now.Sub(l.heard) > l.config.Idle) {
				return l.stop(end)
			}
		}
	}
}

// obey carries out an order and reports.
func (l *loop) obey(ctx context.Context, o Order, now time.Time) (Report, error) {
	l.heard = now
	r := Report{PID: os.Getpid(), Started: l.started, Superseded: !l.orders.hear(o, now)}
	var err error
	if l.bgp == nil {
		if l.bgp, err = newBGP(ctx, o.Sessions, l.config.Log); err != nil {
			err = fmt.Errorf("%w: %w", errRestart, err) // what there is has no policies, or does not run
		}
	}
	if rules, ok := l.orders.ruling(now); ok && err == nil {
		err = l.bgp.apply(ctx, &rules)
	}
	if l.bgp != nil {
		r.Routes = l.bgp.list()
		var bad error
		r.Peers, bad = l.bgp.peers(ctx)
		err = errors.Join(err, bad)
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r, err
}

// expire obeys what still lives at now, and withdraws all if nothing does; it
// reports whether nothing does. A failure is tried again at the next tick.
func (l *loop) expire(ctx context.Context, now time.Time) (idle bool) {
	rules, ok := l.orders.ruling(now)
	if l.bgp == nil {
		return !ok
	}
	if !ok {
		if len(l.bgp.routes) > 0 {
			l.config.Log.Warn("no edge has renewed its lease: all is withdrawn", "lease", Lease)
		}
		rules = Order{Sessions: l.bgp.sessions}
	}
	said := l.said
	l.said = ""
	if err := l.bgp.apply(ctx, &rules); err != nil {
		if l.said = err.Error(); l.said != said {
			l.config.Log.Error("carrying out an order; it is tried again", "error", err)
		}
	}
	return !ok
}

func (l *loop) stop(ctx context.Context) error {
	if l.bgp == nil {
		return nil
	}
	return l.bgp.stop(ctx)
}
