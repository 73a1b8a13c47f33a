package dns

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/waypost/waypost/edge/dns/wire"
	"github.com/waypost/waypost/edge/handover"
)

// TCPLimits keep slow and greedy clients from holding what others need.
type TCPLimits struct {
	Connections int           // at the same time; one more ends another one. Default: 1000
	PerClient   int           // of them from one v4 address or v6 /64. Default: 20
	Idle        time.Duration // how long a connection may wait for the next query. Default: 10s
	Message     time.Duration // how long a query may take to come, and answers to go. Default: 3s
	Move        time.Duration // how long connections may take to move to the next process. Default: 5s
}

func (l TCPLimits) withDefaults() TCPLimits {
	return TCPLimits{
		Connections: cmp.Or(l.Connections, 1000),
		PerClient:   cmp.Or(l.PerClient, 20),
		Idle:        cmp.Or(l.Idle, 10*time.Second),
		Message:     cmp.Or(l.Message, 3*time.Second),
		Move:        cmp.Or(l.Move, 5*time.Second),
	}
}

// connections are the open ones.
type connections struct {
	limits TCPLimits
	works  sync.Pool // of *tcpWork

	mu       sync.Mutex
	open     map[net.Conn]netip.Prefix // and whose each is
	byClient map[netip.Prefix]int
}

func newConnections(limits TCPLimits) *connections {
	return &connections{limits: limits, open: map[net.Conn]netip.Prefix{}, byClient: map[netip.Prefix]int{}}
}

// clientPrefix is what counts as one client.
func clientPrefix(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

// add counts one more connection, of a client, and returns that which has to
// go for it: itself where the client has too many, any other where all clients
// together have, nil otherwise. So those who hold connections without end do
// not lock others out: most likely it is one of theirs that goes.
func (cs *connections) add(c net.Conn, client netip.Prefix) (victim net.Conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.byClient[client] >= cs.limits.PerClient {
		return c
	}
	if len(cs.open) >= cs.limits.Connections {
		for victim = range cs.open {
			break
		}
		cs.drop(victim)
	}
	cs.open[c] = client
	cs.byClient[client]++
	return victim
}

func (cs *connections) remove(c net.Conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.drop(c)
}

// drop counts a connection no longer, if it still does.
func (cs *connections) drop(c net.Conn) {
	client, ok := cs.open[c]
	if !ok {
		return
	}
	delete(cs.open, c)
	if cs.byClient[client]--; cs.byClient[client] == 0 {
		delete(cs.byClient, client)
	}
}

// wake ends all waiting for queries.
func (cs *connections) wake() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for c := range cs.open {
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
}

// serveTCP takes connections until ctx is done, and waits for their last answers.
func (s *Server) serveTCP(ctx context.Context, l net.Listener, cs *connections) {
	count := &s.shards[0]
	var all sync.WaitGroup
	defer all.Wait()
	serving, end := context.WithCancel(context.WithoutCancel(ctx)) // the connections that there are
	context.AfterFunc(ctx, func() { s.move(ctx, cs.limits.Move); end(); cs.wake() })
	if p := s.config.Passage; p != nil {
		l = p.Listener(l)
		all.Go(func() {
			for c, ok := p.Next(ctx); ok; c, ok = p.Next(ctx) {
				s.take(serving, c, cs, &all)
			}
		})
	}
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			count.readErrors.Add(1)
			if !pause(ctx) {
				return
			}
			continue
		}
		s.take(serving, c, cs, &all)
	}
}

// take serves a connection in a goroutine, if there is room.
func (s *Server) take(ctx context.Context, c net.Conn, cs *connections, all *sync.WaitGroup) {
	count := &s.shards[0]
	client := remoteAddr(c)
	if victim := cs.add(c, clientPrefix(client)); victim != nil {
		count.refused.Add(1)
		_ = victim.Close()
		if victim == c {
			return
		}
	}
	count.connections.Add(1)
	all.Go(func() {
		defer func() { cs.remove(c); _ = c.Close() }()
		s.serveConn(ctx, c, client, cs)
	})
}

// move has connections move to the next process, if there is one. Those of
// clients that are never between two queries are still here after that time.
func (s *Server) move(ctx context.Context, limit time.Duration) {
	p := s.config.Passage
	if p == nil || !handover.TakenOver(ctx) {
		return
	}
	p.Leave()
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	p.Wait(within)
}

func remoteAddr(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// A tcpWork is the memory for the queries of one connection that are there.
// It goes back to the pool before the connection waits for more.
type tcpWork struct {
	work    *Work
	out     []byte // answers that go out together
	message []byte
}

// Answers of pipelined queries go out together up to this size in bytes.
const batch = 16 << 10

// serveConn answers the queries of a connection in their order, until it
// closes, idles, dawdles, or ctx is done (RFC 7766). One that is to move to the
// next process has no more to read once it is between queries.
func (s *Server) serveConn(ctx context.Context, c net.Conn, client netip.Addr, cs *connections) {
	moves, _ := c.(*handover.Conn)
	in := bufio.NewReaderSize(c, 2+maxQuery)
	for ctx.Err() == nil {
		if moves != nil && in.Buffered() == 0 {
			moves.Between()
		}
		if err := c.SetReadDeadline(time.Now().Add(cs.limits.Idle)); err != nil || ctx.Err() != nil {
			return
		}
		if _, err := in.Peek(1); err != nil {
			return
		}
		if err := s.serveBatch(c, in, client, cs); err != nil {
			if errors.Is(err, errTooLong) || isTimeout(err) {
				s.shards[0].slow.Add(1)
			}
			return
		}
	}
}

// errTooLong is the end of a connection whose client sends too much.
var errTooLong = errors.New("query too long")

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// serveBatch answers the query that has begun to come in, and those that are
// there already behind it.
func (s *Server) serveBatch(c net.Conn, in *bufio.Reader, client netip.Addr, cs *connections) error {
	w := cs.work(s)
	defer cs.works.Put(w)
	if err := c.SetDeadline(time.Now().Add(cs.limits.Message)); err != nil {
		return err
	}
	w.out = w.out[:0]
	for {
		query, err := readQuery(in)
		if err != nil {
			return err
		}
		reply := s.Answer(w.message, query, Meta{Client: client, Now: s.now.Load()}, w.work)
		if reply != nil {
			w.message = reply[:0]
			w.out = binary.BigEndian.AppendUint16(w.out, uint16(len(reply)))
			w.out = append(w.out, reply...)
		}
		if _, err := in.Discard(len(query)); err != nil {
			return err
		}
		if len(w.out) >= batch || !hasQuery(in) {
			break
		}
	}
	_, err := c.Write(w.out)
	return err
}

// work returns memory from the pool.
func (cs *connections) work(s *Server) *tcpWork {
	if w, ok := cs.works.Get().(*tcpWork); ok {
		return w
	}
	return &tcpWork{work: s.NewWork(), message: make([]byte, 0, wire.MaxUDP)}
}

// readQuery reads a message behind its length. It stays in the reader.
func readQuery(in *bufio.Reader) ([]byte, error) {
	head, err := in.Peek(2)
	if err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint16(head))
	if size > maxQuery {
		return nil, errTooLong
	}
	if _, err = in.Discard(2); err != nil {
		return nil, err
	}
	query, err := in.Peek(size)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return query, err
}

// hasQuery reports whether a whole message is in the reader's memory.
func hasQuery(in *bufio.Reader) bool {
	if in.Buffered() < 2 {
		return false
	}
	head, err := in.Peek(2)
	return err == nil && in.Buffered() >= 2+int(binary.BigEndian.Uint16(head))
}
