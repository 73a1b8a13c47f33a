package handover

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// A passing is a listener for servers that know nothing of passages, such as
// those of net/http.
type passing struct {
	net.Listener

	passage  *Passage
	accepted chan accepted
	done     chan struct{}
	once     sync.Once
}

type accepted struct {
	conn *Conn
	err  error
}

// ListenPassing is [Process.Listen] for a server that does not tell when a
// connection is between two requests. Those move that were accepted and never
// read from when the listener is closed; [Process.Finish] waits for the others.
func (p *Process) ListenPassing(ctx context.Context, network, address string) (net.Listener, error) {
	inner, err := p.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l := &passing{
		Listener: inner, passage: p.Passage(network + " " + address), accepted: make(chan accepted), done: make(chan struct{}),
	}
	p.mu.Lock()
	p.passing = append(p.passing, l.passage)
	p.mu.Unlock()
	go l.accept()
	return l, nil
}

// accept accepts until the listener is closed. What it has in hand then moves.
func (l *passing) accept() {
	for {
		c, err := l.passage.take(l.Listener.Accept)
		select {
		case l.accepted <- accepted{c, err}:
		case <-l.done:
			if c != nil {
				c.leaves.Store(l.passage.process.takenOver())
				_ = c.Close()
			}
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// Accept implements [net.Listener].
func (l *passing) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, net.ErrClosed
	case a := <-l.accepted:
		if a.err != nil {
			return nil, a.err
		}
		return a.conn, nil
	case c := <-l.passage.arrivals:
		return l.passage.conn(c), nil
	}
}

// Close closes the listener, and has connections move if there is where to.
func (l *passing) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		close(l.done)
		err = l.Listener.Close()
		if l.passage.process.takenOver() {
			l.passage.Leave()
		}
	})
	return err
}

func (p *Process) takenOver() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next != nil
}

// finishWithin is how long connections may take that did not move.
const finishWithin = 5 * time.Second

// settle waits for the connections of servers that know nothing of passages.
func (p *Process) settle() {
	p.mu.Lock()
	all := p.passing
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), finishWithin)
	defer cancel()
	for _, g := range all {
		g.Wait(ctx)
	}
}
