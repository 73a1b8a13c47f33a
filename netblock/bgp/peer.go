package bgp

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/waypost/waypost/netblock"
)

// Times between attempts to connect: from the first to the last, doubled each
// time, and after a peer had too many prefixes. Each is lengthened at random by
// up to a quarter (RFC 4271 section 10).
const (
	retryFirst = time.Second
	retryLast  = time.Minute
	retryFull  = 5 * time.Minute
	dialWithin = 10 * time.Second
)

// maxSessions is how many connections of a peer are open at a time: one each
// way, and one that is about to end.
const maxSessions = 3

// A peer is what is known of one peer over all its sessions.
type peer struct {
	config   *Peer
	feed     *Feed
	families [families]bool
	dialer   func(ctx context.Context) (net.Conn, error)

	mu       sync.Mutex
	sessions []*session // at most one of them is established
	fails    int        // attempts since the last session whose table came to its end
	banned   time.Time  // no session before
	status   Status     // what it does not have is added by [Feed.Status]

	live     *session // the one that is established
	rib      *rib     // what it said
	began    time.Time
	ended    [families]bool // the first table has come to its end
	complete bool           // all of it
	first    bool           // it is complete, and not in use yet

	out   *netblock.Table // the table to use
	sent  *netblock.Table // the one given to Apply last
	inUse *netblock.Table // the one with which Apply is done
	saved *netblock.Table // the one on disk
	since time.Time       // when a table in out that is stale was last right
}

func newPeer(c *Peer, f *Feed) *peer {
	p := &peer{config: c, feed: f}
	p.families = [families]bool{slices.Contains(c.Families, "ipv4"), slices.Contains(c.Families, "ipv6")}
	p.dialer = p.dial
	p.status.Since = time.Now()
	return p
}

// run connects, again and again, unless the peer is to do so.
func (p *peer) run(ctx context.Context) {
	for !p.config.Passive && ctx.Err() == nil {
		if p.mayConnect() {
			conn, err := p.dialer(ctx)
			if err == nil {
				p.serve(ctx, conn, true)
			} else if ctx.Err() == nil {
				p.failed(err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(p.pause()):
		}
	}
}

// mayConnect reports whether there is no session that makes another one
// superfluous.
func (p *peer) mayConnect() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sessions) == 0 && !time.Now().Before(p.banned)
}

// pause is how long to wait until the next attempt.
func (p *peer) pause() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := min(retryFirst<<min(p.fails, 10), retryLast)
	return d + rand.N(d/4) //nolint:gosec // nothing secret
}

// failed notes that there was no connection, or that a session ended.
func (p *peer) failed(err error) {
	p.mu.Lock()
	p.fails++
	before := p.status.LastError
	p.note(err)
	news := before != p.status.LastError
	p.mu.Unlock()
	if news {
		p.feed.config.Log.Warn("no BGP session", "peer", p.config.Address, "error", err)
	}
}

// note notes an error in the status, under mu.
func (p *peer) note(err error) {
	p.status.LastError, p.status.LastErrorAt, p.status.LastErrorKind = err.Error(), time.Now(), kindOf(err)
	p.status.Errors++
}

// kindOf names an error in metrics.
func kindOf(err error) string {
	var e *Error
	var n net.Error
	switch {
	case errors.As(err, &e):
		return e.Kind()
	case errors.As(err, &n) && n.Timeout():
		return "no_answer"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	}
	return "connection"
}

// serve is the life of one connection.
func (p *peer) serve(ctx context.Context, conn net.Conn, outgoing bool) {
	s := &session{peer: p, conn: conn, in: bufio.NewReaderSize(conn, 64<<10), outgoing: outgoing, state: OpenSent}
	p.mu.Lock()
	full := len(p.sessions) >= maxSessions || time.Now().Before(p.banned)
	if !full {
		p.sessions = append(p.sessions, s)
	}
	p.mu.Unlock()
	if full {
		s.notify(&Error{Code: codeCease, Subcode: ceaseRejected})
		_ = conn.Close()
		return
	}
	err := s.run(ctx)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errClosed
	}
	if p.remove(s, err) {
		if ctx.Err() == nil {
			p.feed.config.Log.Warn("a BGP session has ended, its last table stays in use", "peer", p.config.Address,
				"hold_last", p.feed.config.HoldLast, "error", err)
		}
		wake(p.feed.save)
		return
	}
	var e *Error
	collision := errors.As(err, &e) && e.Code == codeCease && e.Subcode == ceaseCollision
	if ctx.Err() == nil && !collision {
		p.failed(err)
	}
}

var errClosed = errors.New("the peer closed the connection without a word")

// remove forgets a session that has ended; was reports whether it was
// established. What it had said stays in use, but for that of a peer that
// said too much.
func (p *peer) remove(s *session, err error) (was bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions = slices.DeleteFunc(p.sessions, func(o *session) bool { return o == s })
	var e *Error
	full := errors.As(err, &e) && e.Code == codeCease && e.Subcode == ceasePrefixes && !e.Received
	if full {
		p.banned = time.Now().Add(retryFull)
	}
	if p.live != s {
		return false
	}
	if !p.complete {
		p.fails++
	} else {
		if !full {
			p.rib.fold()
			p.out = p.rib.table
		}
		p.since = time.Now()
	}
	p.live, p.rib, p.complete = nil, nil, false
	p.status.Since = time.Now()
	p.note(err)
	return true
}

// admit decides between connections of one peer when a second one has come as
// far as the first (RFC 4271 section 6.8).
func (p *peer) admit(s *session) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	collision := &Error{Code: codeCease, Subcode: ceaseCollision, Text: "there are two connections"}
	for _, o := range p.sessions {
		if o == s || o.state < OpenConfirm {
			continue
		}
		if o.state == Established || !p.wins(s, o) {
			return collision
		}
		go o.kill(collision) // it may have to wait for the network
	}
	s.state = OpenConfirm
	return nil
}

// wins reports whether s stays rather than o: the one that was opened by the
// side with the higher router ID, or else AS number (RFC 6286 section 2.3).
func (p *peer) wins(s, o *session) bool {
	if s.outgoing == o.outgoing {
		return false
	}
	ours := p.feed.config.RouterID
	higher := s.remote.id.Less(ours)
	if s.remote.id == ours {
		higher = s.remote.asn < p.config.LocalASN
	}
	return s.outgoing == higher
}

// established begins a new table.
func (p *peer) established(s *session) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live != nil {
		return &Error{Code: codeCease, Subcode: ceaseCollision, Text: "there is a session already"}
	}
	s.state, p.live = Established, s
	p.rib, p.began, p.complete = newRIB(p.config.MaxPrefixes), time.Now(), false
	for f := range p.ended {
		p.ended[f] = !s.agreed[f]
	}
	p.status.Since = p.began
	p.status.Sessions++
	p.feed.config.Log.Info("a BGP session is up", "peer", p.config.Address, "asn", p.config.ASN, "router_id", s.remote.id,
		"ipv4", s.agreed[familyV4], "ipv6", s.agreed[familyV6], "end_of_rib", s.remote.restart, "hold_time", s.hold)
	return nil
}

// update takes what one message says.
func (p *peer) update(s *session, u *update) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.Updates++
	if u.bad != "" {
		p.status.Malformed++
		p.status.LastMalformed = u.bad
	}
	u.apply(p.rib, s.agreed)
	if p.rib.full() {
		return &Error{
			Code: codeCease, Subcode: ceasePrefixes,
			Text: "it announces more than max_prefixes: " + strconv.Itoa(p.rib.size) + " > " + strconv.Itoa(p.config.MaxPrefixes),
		}
	}
	if !p.complete && (u.end[familyV4] || u.end[familyV6]) {
		for f, end := range u.end {
			p.ended[f] = p.ended[f] || end
		}
		if !slices.Contains(p.ended[:], false) {
			wake(p.feed.kick)
		}
	}
	return nil
}

// collect returns the table to use if it is another one than that in use, and
// the changes between them, nil if they are not known.
func (p *peer) collect(now time.Time) (t *netblock.Table, changes []netblock.Change, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.live != nil && p.isComplete(now):
		before := p.rib.table
		changes = p.rib.fold()
		if before != p.sent {
			changes = nil
		}
		p.out = p.rib.table
	case p.out != nil && now.Sub(p.since) > p.feed.config.HoldLast:
		p.out = nil
		p.feed.config.Log.Error("the table of a lost BGP session is too old and no longer used", "peer", p.config.Address)
	}
	if p.out == p.sent {
		return nil, nil, false
	}
	p.sent = p.out
	return p.out, changes, true
}

// used notes that the table that collect returned is in use.
func (p *peer) used(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.complete && p.first {
		p.first = false
		p.status.UsedAfter = now.Sub(p.began)
	}
	p.inUse = p.sent
	p.status.Applied++
}

// isComplete reports whether the table of the live session may be used.
func (p *peer) isComplete(now time.Time) bool {
	if p.complete {
		return true
	}
	silent := slices.Contains(p.ended[:], false)
	early := now.Sub(p.began) < p.feed.config.EndOfRIBWait
	if silent && early {
		return false
	}
	p.rib.fold()
	if early && p.rib.table.Len() < p.out.Len()/2 {
		return false // it has just started and its table is still to come
	}
	p.complete, p.first, p.fails = true, true, 0
	p.status.CompleteAfter = now.Sub(p.began)
	p.feed.config.Log.Info("the table of a BGP session is complete", "peer", p.config.Address, "prefixes", p.rib.table.Len(),
		"took", p.status.CompleteAfter.Round(time.Millisecond), "end_of_rib", !silent)
	wake(p.feed.save)
	return true
}
