package bgp

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waypost/waypost/netblock"
)

const (
	ourASN  = 64512
	peerASN = 3320
)

// A lab is a feed of one peer, and the peer's side of its sessions.
type lab struct {
	t       *testing.T
	feed    *Feed
	mu      sync.Mutex
	table   *netblock.Table // under mu: what Apply made of it, by changes where they are known
	applied int
	conns   chan net.Conn // the peer's ends of connections
	stop    func()
}

// newLab starts a feed whose connections are pipes, in the bubble of a test.
func newLab(t *testing.T, edit func(*Config)) *lab {
	t.Helper()
	l := &lab{t: t, conns: make(chan net.Conn)}
	c := &Config{
		LocalASN: ourASN, RouterID: netip.MustParseAddr("192.0.2.1"), Log: slog.New(slog.DiscardHandler),
		Peers: []Peer{{Address: netip.MustParseAddr("192.0.2.254"), ASN: peerASN}},
		Apply: func(_ int, table *netblock.Table, changes []netblock.Change) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.applied++
			if changes == nil {
				changes = netblock.Diff(l.table, table)
			}
			l.table = l.table.With(changes)
			if d := netblock.Diff(l.table, table); d != nil {
				t.Errorf("the changes leave out %v", d)
			}
		},
		WriteFile: func(path string, data []byte, mode fs.FileMode) error { return os.WriteFile(path, data, mode) },
	}
	if edit != nil {
		edit(c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	l.feed = New(c)
	if err := l.feed.Restore(); err != nil {
		t.Log(err)
	}
	l.feed.peers[0].dialer = func(ctx context.Context) (net.Conn, error) {
		here, there := net.Pipe()
		select {
		case l.conns <- there:
			return here, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := l.feed.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()
	l.stop = func() {
		cancel()
		<-done
	}
	return l
}

// incoming makes a connection to the feed.
func (l *lab) incoming() net.Conn {
	here, there := net.Pipe()
	go l.feed.peers[0].serve(l.t.Context(), here, false)
	return there
}

// steps is how often Apply was called.
func (l *lab) steps() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.applied
}

func (l *lab) status() Status { return l.feed.Status()[0] }

// A speaker is the peer's side of one connection. What comes is read all the
// time, as a pipe has no room.
type speaker struct {
	t    *testing.T
	conn net.Conn
	got  chan message // closed at the end of the connection
}

type message struct {
	kind byte
	body []byte
}

func speak(t *testing.T, conn net.Conn) *speaker {
	t.Helper()
	s := &speaker{t, conn, make(chan message, 1000)}
	go func() {
		defer close(s.got)
		in := bufio.NewReader(conn)
		for {
			var buf [maxMessage]byte
			kind, body, err := readMessage(in, &buf)
			if err != nil {
				return
			}
			s.got <- message{kind, body}
		}
	}()
	return s
}

func (s *speaker) send(kind byte, body []byte) {
	s.t.Helper()
	if _, err := s.conn.Write(appendMessage(nil, kind, body)); err != nil {
		s.t.Errorf("sending a message of type %d: %v", kind, err)
	}
}

// next is the next message but KEEPALIVE.
func (s *speaker) next() (message, bool) {
	for m := range s.got {
		if m.kind != msgKeepalive {
			return m, true
		}
	}
	return message{}, false
}

// notification is the next message, which must be one.
func (s *speaker) notification(code, subcode byte) {
	s.t.Helper()
	for {
		m, ok := s.next()
		if ok && m.kind == msgUpdate { // End-of-RIB
			continue
		}
		if !ok || m.kind != msgNotification || m.body[0] != code || m.body[1] != subcode {
			s.t.Errorf("got message %v, want NOTIFICATION %d/%d", m, code, subcode)
		}
		return
	}
}

func hello() open {
	return open{asn: peerASN, hold: 90, id: netip.MustParseAddr("192.0.2.254"), as4: true, restart: true, families: both}
}

// up opens a session.
func (s *speaker) up(o open) *speaker {
	s.t.Helper()
	s.send(msgOpen, o.body())
	if m, ok := s.next(); !ok || m.kind != msgOpen {
		s.t.Fatalf("got message %v, want OPEN", m)
	}
	s.send(msgKeepalive, nil)
	synctest.Wait()
	return s
}

func (s *speaker) announce(origin uint32, v4 []string, v6 ...string) {
	s.t.Helper()
	attrs := attrsOf(seq(peerASN, origin))
	if len(v6) > 0 {
		attrs = append(attrs, mp6(v6...))
	}
	s.send(msgUpdate, slowMessage(s.t, nil, v4, attrs...))
}

func (s *speaker) end() {
	s.send(msgUpdate, []byte{0, 0, 0, 0})
	s.send(msgUpdate, []byte{0, 0, 0, 6, 0x80, attrUnreach, 3, 0, 2, 1})
	synctest.Wait()
}

func (l *lab) want(rows map[string]uint32) {
	l.t.Helper()
	synctest.Wait()
	got := map[string]uint32{}
	l.mu.Lock()
	defer l.mu.Unlock()
	for prefix, v := range l.table.All() {
		got[prefix.String()] = v
	}
	if len(got) != len(rows) {
		l.t.Errorf("the table has %v, want %v", got, rows)
		return
	}
	for prefix, v := range rows {
		if got[prefix] != v {
			l.t.Errorf("the table has %v, want %v", got, rows)
			return
		}
	}
}

// TestSession goes through the life of one: nothing before both End-of-RIBs,
// then changes in batches, and a table that stays when the session is lost.
func TestSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		defer l.stop()
		s := speak(t, <-l.conns).up(hello())
		if got := l.status(); got.State != "established" || got.Complete || got.Sessions != 1 {
			t.Errorf("status %+v", got)
		}
		s.announce(680, []string{"5.1.0.0/16", "5.2.0.0/16"}, "2a00:1::/32")
		s.send(msgUpdate, []byte{0, 0, 0, 0})
		time.Sleep(10 * time.Second)
		l.want(nil) // the end of v6 is not there yet
		s.end()
		l.want(map[string]uint32{"5.1.0.0/16": 680, "5.2.0.0/16": 680, "2a00:1::/32": 680})

		applied := l.steps()
		s.announce(553, []string{"5.1.0.0/16"})
		s.announce(554, []string{"5.1.0.0/16"})
		s.send(msgUpdate, slowMessage(t, []string{"5.2.0.0/16"}, nil))
		time.Sleep(DefaultApplyEvery)
		l.want(map[string]uint32{"5.1.0.0/16": 554, "2a00:1::/32": 680})
		if n := l.steps() - applied; n != 1 {
			t.Errorf("three updates were put in use in %d steps, want 1", n)
		}
		s.announce(556, []string{"5.1.0.0/16"})
		synctest.Wait()
		_ = s.conn.Close()
		time.Sleep(DefaultApplyEvery)
		l.want(map[string]uint32{"5.1.0.0/16": 556, "2a00:1::/32": 680})
		if got := l.status(); !got.Stale || got.Complete || got.Prefixes != 2 || !strings.Contains(got.LastError, "closed the connection") {
			t.Errorf("status of a lost session %+v", got)
		}

		s = speak(t, <-l.conns).up(hello())
		s.announce(557, []string{"5.3.0.0/16"})
		time.Sleep(DefaultApplyEvery)
		l.want(map[string]uint32{"5.1.0.0/16": 556, "2a00:1::/32": 680}) // the old table, while the new one comes
		s.end()
		l.want(map[string]uint32{"5.3.0.0/16": 557})
		if got := l.status(); got.Stale || !got.Complete {
			t.Errorf("status of a session that is back %+v", got)
		}
		_ = s.conn.Close()
		go func() { // no session comes up again
			for conn := range l.conns {
				_ = conn.Close()
			}
		}()
		time.Sleep(DefaultHoldLast - time.Minute)
		l.want(map[string]uint32{"5.3.0.0/16": 557})
		time.Sleep(2 * time.Minute)
		l.want(nil)
		l.stop()
		close(l.conns)
	})
}

// TestNothingIsAnnounced looks at all that is sent in hours of a session.
func TestNothingIsAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		s := speak(t, <-l.conns).up(hello())
		s.announce(680, []string{"5.1.0.0/16"})
		s.end()
		for range 100 {
			time.Sleep(25 * time.Second)
			s.send(msgKeepalive, nil)
			s.send(msgRefresh, []byte{0, 1, 0, 1}) // asks for all that was announced
		}
		l.stop()
		kinds, last := map[byte]int{}, message{}
		for m := range s.got {
			kinds[m.kind]++
			last = m
			if m.kind == msgUpdate {
				u, got := read(t, m.body, false, peerASN)
				if len(got) > 0 || u.end == [families]bool{} {
					t.Errorf("it announced %v", got)
				}
			}
		}
		if kinds[msgUpdate] != 2 || kinds[msgKeepalive] < 80 || kinds[msgNotification] != 1 {
			t.Errorf("messages by type: %v", kinds)
		}
		if last.kind != msgNotification || last.body[0] != codeCease || last.body[1] != ceaseShutdown {
			t.Errorf("the last message is %v, want a NOTIFICATION that it is shut down", last)
		}
	})
}

// TestNoEndOfRIB has a peer that does not know the marker.
func TestNoEndOfRIB(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(c *Config) { c.EndOfRIBWait = 20 * time.Second })
		defer l.stop()
		o := hello()
		o.restart = false
		s := speak(t, <-l.conns).up(o)
		s.announce(680, []string{"5.1.0.0/16"})
		time.Sleep(15 * time.Second)
		l.want(nil)
		time.Sleep(10 * time.Second)
		l.want(map[string]uint32{"5.1.0.0/16": 680})
	})
}

// TestSmallTable has a peer that has restarted: it says that its table is
// complete before it has one.
func TestSmallTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		defer l.stop()
		s := speak(t, <-l.conns).up(hello())
		s.announce(680, []string{"5.1.0.0/16", "5.2.0.0/16"})
		s.end()
		_ = s.conn.Close()
		s = speak(t, <-l.conns).up(hello())
		s.end()
		time.Sleep(10 * time.Second)
		l.want(map[string]uint32{"5.1.0.0/16": 680, "5.2.0.0/16": 680})
		s.announce(681, []string{"5.1.0.0/16"})
		time.Sleep(DefaultApplyEvery)
		l.want(map[string]uint32{"5.1.0.0/16": 681})
		_ = s.conn.Close()
		s = speak(t, <-l.conns).up(hello())
		s.end()
		time.Sleep(80 * time.Second)
		s.send(msgKeepalive, nil)
		time.Sleep(DefaultEndOfRIBWait - 80*time.Second)
		l.want(nil) // it really has none
	})
}

// TestRefused has peers with which there is no session, and what both sides
// are told.
func TestRefused(t *testing.T) {
	tests := []struct {
		name          string
		edit          func(*open)
		code, subcode byte
		want          string
	}{
		{"another AS", func(o *open) { o.asn = 1299 }, codeOpen, 2, "it says it is AS 1299, and asn is 3320"},
		{"our router ID", func(o *open) { o.id = netip.MustParseAddr("0.0.0.0") }, codeOpen, 3, "router ID"},
		{"a hold time of 1 s", func(o *open) { o.hold = 1 }, codeOpen, 6, "hold time is 1 s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, nil)
				defer l.stop()
				s := speak(t, <-l.conns)
				o := hello()
				tt.edit(&o)
				s.send(msgOpen, o.body())
				if m, _ := s.next(); m.kind != msgOpen {
					t.Errorf("got %v, want OPEN", m)
				}
				s.notification(tt.code, tt.subcode)
				synctest.Wait()
				if got := l.status(); !strings.Contains(got.LastError, tt.want) || got.LastErrorKind != "open" {
					t.Errorf("last error %q (%s), want %q", got.LastError, got.LastErrorKind, tt.want)
				}
			})
		})
	}
}

// TestPeerRefuses has a peer that does not want us.
func TestPeerRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		defer l.stop()
		s := speak(t, <-l.conns)
		s.send(msgNotification, []byte{codeOpen, 2})
		synctest.Wait()
		if got := l.status(); !strings.Contains(got.LastError, "bad peer AS (2/2)") || !strings.Contains(got.LastError, "local_asn") {
			t.Errorf("last error %q", got.LastError)
		}
	})
}

// TestMaxPrefixes ends the session of a peer that says too much; the table from
// before stays, and for some minutes there is no other session.
func TestMaxPrefixes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(c *Config) { c.Peers[0].MaxPrefixes = 2 })
		defer l.stop()
		s := speak(t, <-l.conns).up(hello())
		s.announce(680, []string{"5.1.0.0/16", "5.2.0.0/16"})
		s.announce(681, []string{"5.1.0.0/16", "10.0.0.0/8"}) // no new prefix that is kept
		s.end()
		l.want(map[string]uint32{"5.1.0.0/16": 681, "5.2.0.0/16": 680})
		s.announce(682, []string{"5.3.0.0/16"})
		s.notification(codeCease, ceasePrefixes)
		began := time.Now()
		time.Sleep(DefaultApplyEvery)
		l.want(map[string]uint32{"5.1.0.0/16": 681, "5.2.0.0/16": 680})
		if got := l.status(); !strings.Contains(got.LastError, "3 > 2") || got.LastErrorKind != "max_prefixes" || !got.Stale {
			t.Errorf("status %+v", got)
		}
		_ = (<-l.conns).Close()
		if d := time.Since(began); d < retryFull {
			t.Errorf("the next attempt came after %s", d)
		}
	})
}

func TestHoldTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		defer l.stop()
		o := hello()
		o.hold = 30
		s := speak(t, <-l.conns).up(o)
		time.Sleep(29 * time.Second)
		if got := l.status(); got.State != "established" {
			t.Errorf("the session is %s after 29 s", got.State)
		}
		s.notification(codeHold, 0)
		synctest.Wait()
		if got := l.status(); !strings.Contains(got.LastError, "nothing came for 30s") {
			t.Errorf("last error %q", got.LastError)
		}
	})
}

// TestCollision opens two connections at once. That of the side with the
// higher router ID stays: the peer's.
func TestCollision(t *testing.T) {
	for _, first := range []string{"ours", "theirs"} {
		t.Run(first, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, nil)
				defer l.stop()
				ours, theirs := speak(t, <-l.conns), speak(t, l.incoming())
				o := hello()
				pair := []*speaker{ours, theirs}
				if first == "theirs" {
					pair = []*speaker{theirs, ours}
				}
				for _, s := range pair {
					s.send(msgOpen, o.body())
					if m, _ := s.next(); m.kind != msgOpen {
						t.Errorf("got %v, want OPEN", m)
					}
					synctest.Wait()
				}
				ours.notification(codeCease, ceaseCollision)
				theirs.send(msgKeepalive, nil)
				synctest.Wait()
				if got := l.status(); got.State != "established" || got.Sessions != 1 {
					t.Errorf("status %+v", got)
				}
				third := speak(t, l.incoming())
				third.send(msgOpen, o.body())
				if m, _ := third.next(); m.kind != msgOpen {
					t.Errorf("got %v, want OPEN", m)
				}
				third.notification(codeCease, ceaseCollision)
				_ = theirs.conn.Close()
				time.Sleep(time.Second)
			})
		})
	}
}

// TestSaved stops a feed and starts another one.
func TestSaved(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		with := func(c *Config) { c.Dir = dir }
		l := newLab(t, with)
		s := speak(t, <-l.conns).up(hello())
		s.announce(680, []string{"5.1.0.0/16"}, "2a00:1::/32")
		s.end()
		l.stop()
		stopped := time.Now()

		time.Sleep(time.Hour)
		l = newLab(t, with)
		time.Sleep(DefaultApplyEvery)
		l.want(map[string]uint32{"5.1.0.0/16": 680, "2a00:1::/32": 680})
		if got := l.status(); !got.Stale || got.Complete || stopped.Sub(got.Current) > time.Second {
			t.Errorf("status %+v", got)
		}
		l.stop() // saves nothing: the time of what is there counts

		time.Sleep(DefaultHoldLast - 30*time.Minute)
		l = newLab(t, with)
		time.Sleep(DefaultApplyEvery)
		l.want(nil)
		l.stop()

		other := newLab(t, func(c *Config) { c.Dir, c.Peers[0].ASN = dir, 1299 })
		if err := other.feed.Restore(); err == nil || !strings.Contains(err.Error(), "AS 3320") {
			t.Errorf("the table of another AS: %v", err)
		}
		other.stop()
	})
}

// FuzzSession is a peer that sends anything, before and after it has opened a
// session well.
func FuzzSession(f *testing.F) {
	o := hello()
	f.Add(appendMessage(nil, msgOpen, o.body()), false)
	f.Add(appendMessage(nil, msgUpdate, slowMessage(f, nil, []string{"5.1.0.0/16"}, attrsOf(seq(1))...)), true)
	f.Add(appendMessage(nil, msgNotification, []byte{6, 2, 3, 'b', 'y', 'e'}), true)
	f.Fuzz(func(t *testing.T, data []byte, up bool) {
		p := newPeer(&Peer{ASN: peerASN, LocalASN: ourASN, MaxPrefixes: 100, HoldTime: DefaultHoldTime, Families: []string{"ipv4", "ipv6"}},
			New(&Config{RouterID: netip.MustParseAddr("192.0.2.1"), Log: slog.New(slog.DiscardHandler)}))
		here, there := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, there) }()
		go func() {
			if up {
				_, _ = there.Write(appendMessage(appendMessage(nil, msgOpen, o.body()), msgKeepalive, nil))
			}
			_, _ = there.Write(data)
			_ = there.Close()
		}()
		p.serve(t.Context(), here, true)
		if p.state().LastError == "" {
			t.Error("the session ended without an error")
		}
	})
}
