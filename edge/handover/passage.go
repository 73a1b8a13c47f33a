package handover

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A Passage leads the connections of one kind of server to the next process.
// They move while they are between two requests, that is when the server waits
// for the first byte of one: then all there is of them is in the kernel. Make
// it with [Process.Passage]; its methods are for any goroutine.
type Passage struct {
	process  *Process
	kind     string
	arrivals chan net.Conn

	until atomic.Pointer[time.Time] // for how long requests may come; nil: nobody leaves
	moved atomic.Uint64
	lost  atomic.Uint64

	mu    sync.Mutex         // taken for each connection, not for each request
	conns map[*Conn]struct{} // guarded by mu: those that are open
	takes int                // guarded by mu: goroutines that wait for another one, and may have it in hand
	empty chan struct{}      // guarded by mu: closed when nothing is open or taken any more; nil: nobody waits
}

// Passage returns the passage for connections of a kind, such as http: only a
// server of the same kind will get them. It is called once for each kind,
// before [Process.Ready].
func (p *Process) Passage(kind string) *Passage {
	return &Passage{process: p, kind: kind, conns: map[*Conn]struct{}{}, arrivals: p.arrivalsOf(kind)}
}

func (p *Process) arrivalsOf(kind string) chan net.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.arrivals[kind]
	if c == nil {
		if p.arrivals == nil {
			p.arrivals = map[string]chan net.Conn{}
		}
		c = make(chan net.Conn)
		p.arrivals[kind] = c
	}
	return c
}

// takeWithin is for how long a connection waits for a server that would serve it.
const takeWithin = 5 * time.Second

// arrive gives a connection of the process before to whoever serves its kind.
func (p *Process) arrive(kind string, f *os.File) {
	c, err := net.FileConn(f)
	_ = f.Close() // it was duplicated
	if err != nil {
		p.log.Error("taking over a connection", "error", err)
		return
	}
	p.mu.Lock()
	to := p.arrivals[kind]
	p.mu.Unlock()
	within := takeWithin
	if to == nil {
		within = 0
	}
	select {
	case to <- c: // nil: never
	case <-time.After(within):
		p.log.Warn("a connection is closed: nothing serves its kind any more", "kind", kind)
		_ = c.Close()
	}
}

// Next waits for a connection of the process before. ok is false once ctx has
// ended.
func (g *Passage) Next(ctx context.Context) (c *Conn, ok bool) {
	c, err := g.take(func() (net.Conn, error) {
		select {
		case from := <-g.arrivals:
			return from, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	return c, err == nil
}

// take waits for a connection by a function. Whoever waits for the end of all
// waits for that, too: a connection may have come in the moment in which the
// listener was closed, and nobody has heard of it yet.
func (g *Passage) take(wait func() (net.Conn, error)) (c *Conn, err error) {
	g.mu.Lock()
	g.takes++
	g.mu.Unlock()
	from, err := wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.takes--
	if err == nil {
		c = g.add(from)
	}
	g.tell()
	return c, err
}

func (g *Passage) conn(from net.Conn) *Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.add(from)
}

// add notes a connection, under mu.
func (g *Passage) add(from net.Conn) *Conn {
	c := &Conn{passage: g, between: true}
	c.TCPConn, _ = from.(*net.TCPConn)
	if c.TCPConn == nil {
		panic("handover: want a TCP connection")
	}
	g.conns[c] = struct{}{}
	return c
}

// tell tells who waits if nothing is open or taken any more, under mu.
func (g *Passage) tell() {
	if g.empty != nil && len(g.conns)+g.takes == 0 {
		close(g.empty)
		g.empty = nil
	}
}

// lastRequest is for how long a request may still come over a connection that is
// about to be closed: the client may have sent it already.
const lastRequest = time.Second

// Leave has connections leave from now on, each as soon as it is between two
// requests: its reader then gets [io.EOF], and when it is closed it moves. If there
// is no next process, its reader gets EOF a second later, for a request may be on
// its way, and it is closed.
func (g *Passage) Leave() {
	if g.process.takenOver() {
		g.leave(time.Unix(1, 0))
		return
	}
	g.leave(time.Now().Add(lastRequest))
}

// leave has connections leave that are between two requests at a time.
func (g *Passage) leave(until time.Time) {
	g.until.Store(&until)
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		c.wake()
	}
}

// Wait waits until no connection is open any more and none is taken, or ctx ends.
// It reports how many still are. Call it after Leave, when the listeners are
// closed, or about to be.
func (g *Passage) Wait(ctx context.Context) (open int) {
	g.mu.Lock()
	empty := g.empty
	switch {
	case len(g.conns)+g.takes == 0:
		empty = closed
	case empty == nil:
		empty = make(chan struct{})
		g.empty = empty
	}
	g.mu.Unlock()
	select {
	case <-empty:
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns) + g.takes
}

// Log says what became of the connections.
func (g *Passage) Log(log *slog.Logger, open int) {
	log.Info("connections were handed over", "kind", g.kind, "moved", g.moved.Load(), "lost", g.lost.Load(), "open", open)
}

// A Conn is a connection that can move. Like others it is read by one goroutine
// at a time; SetReadDeadline is for that one, too.
type Conn struct {
	*net.TCPConn

	passage *Passage
	leaves  atomic.Bool // it moves when it is closed

	mu       sync.Mutex // nobody else wants it but [Passage.Leave]
	waiting  bool       // guarded by mu: the reader waits for the first byte of a request
	deadline time.Time  // guarded by mu: that for reading which the server has set

	between bool // two requests, or before the first one; of the reader
	begun   bool // a byte has come; of the reader
}

// Between tells that a request has been answered, and that no byte of the next
// one was read.
func (c *Conn) Between() { c.between = true }

// Busy tells that a request is being read, though its bytes came together with
// the one before. Before the first byte it does nothing.
func (c *Conn) Busy() { c.between = c.between && !c.begun }

// Read reads. Between requests, it returns [io.EOF] once the connection leaves.
func (c *Conn) Read(b []byte) (int, error) {
	if !c.between {
		return c.TCPConn.Read(b)
	}
	c.wait()
	n, err := c.TCPConn.Read(b)
	leaving := c.woke(n > 0)
	if n > 0 {
		c.between, c.begun = false, true
		return n, err
	}
	if leaving && errors.Is(err, os.ErrDeadlineExceeded) {
		c.leaves.Store(c.passage.process.takenOver())
		return 0, io.EOF
	}
	return n, err
}

// wait notes that the reader waits for a request, no longer than one may come.
func (c *Conn) wait() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = true
	c.hurry()
}

// hurry has the reader wait no longer than a request may come, under mu.
func (c *Conn) hurry() {
	if until := c.passage.until.Load(); until != nil {
		_ = c.TCPConn.SetReadDeadline(*until) // one that has passed ends a Read before it takes a byte
	}
}

// woke notes that the reader has something to do. If a request has begun to come
// in, the rest may take as long as before, also where wake was called meanwhile.
func (c *Conn) woke(begun bool) (leaving bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = false
	leaving = c.passage.until.Load() != nil
	if begun && leaving {
		_ = c.TCPConn.SetReadDeadline(c.deadline) // else the next Read has an error
	}
	return leaving
}

// wake hurries a reader that waits. Deadlines of a request that has begun to come
// in are left alone.
func (c *Conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting {
		c.hurry()
	}
}

// SetReadDeadline implements [net.Conn].
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return c.TCPConn.SetReadDeadline(t)
}

// SetDeadline implements [net.Conn].
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Close closes the connection, or moves it, if it leaves.
func (c *Conn) Close() error {
	g := c.passage
	if c.leaves.CompareAndSwap(true, false) {
		if err := g.process.pass(g.kind, c.TCPConn); err != nil {
			g.lost.Add(1)
			g.process.log.Error("a connection could not be handed over", "kind", g.kind, "error", err)
		} else {
			g.moved.Add(1)
		}
	}
	err := c.TCPConn.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
	g.tell()
	return err
}

// pass sends a connection to the next process.
func (p *Process) pass(kind string, c *net.TCPConn) error {
	p.mu.Lock()
	next := p.next
	p.mu.Unlock()
	if next == nil {
		return errors.New("there is no next process")
	}
	return next.pass(kind, c)
}
