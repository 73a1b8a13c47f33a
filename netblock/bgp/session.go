package bgp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// State is how far a session is (RFC 4271 section 8.2.2).
type State uint8

// The states. Idle is that of a peer to which there is no connection.
const (
	Idle State = iota
	OpenSent
	OpenConfirm
	Established
)

// String names the state.
func (s State) String() string {
	return [...]string{"idle", "open_sent", "open_confirm", "established"}[s]
}

// Times of a session.
const (
	openWithin  = 30 * time.Second // from the connection to the end of the handshake
	writeWithin = 10 * time.Second

	// readPause is how long what comes may gather before it is read, up to 64
	// KiB at a time: few large reads leave more of the processor to answers than
	// many small ones, and a full table still takes 3 s only.
	readPause = 5 * time.Millisecond
)

// A session is one connection to a peer, from its first message to its end.
type session struct {
	peer     *peer
	conn     net.Conn
	in       *bufio.Reader
	outgoing bool // connected from here

	state  State // under peer.mu
	remote *open // what the peer said; nil before
	agreed [families]bool
	hold   time.Duration // 0: neither side may expect messages

	write  sync.Mutex
	killed *Error // why another part ended the session; under write
}

// run is the life of the session. It returns why it ended, never nil.
func (s *session) run(ctx context.Context) error {
	defer s.conn.Close() //nolint:errcheck // it has ended
	stop := context.AfterFunc(ctx, func() {
		s.kill(&Error{Code: codeCease, Subcode: ceaseShutdown, Text: "waypost stops"})
	})
	defer stop()
	err := s.open()
	if err == nil {
		err = s.receive(ctx)
	}
	s.write.Lock()
	killed := s.killed
	s.write.Unlock()
	if killed != nil {
		return killed
	}
	var e *Error
	if errors.As(err, &e) && !e.Received {
		s.notify(e)
	}
	return err
}

// open is the handshake: OPEN, then KEEPALIVE, both ways.
func (s *session) open() error {
	_ = s.conn.SetDeadline(time.Now().Add(openWithin))
	c := s.peer.config
	ours := open{asn: c.LocalASN, hold: uint16(c.HoldTime / time.Second), id: s.peer.feed.config.RouterID, as4: true, restart: true, families: s.peer.families}
	if err := s.send(msgOpen, ours.body()); err != nil {
		return err
	}
	var buf [maxMessage]byte
	body, err := s.expect(msgOpen, &buf)
	if err != nil {
		return err
	}
	if s.remote, err = parseOpen(body); err != nil {
		return err
	}
	if err = s.agree(&ours); err != nil {
		return err
	}
	if err = s.peer.admit(s); err != nil {
		return err
	}
	if err = s.send(msgKeepalive, nil); err != nil {
		return err
	}
	_, err = s.expect(msgKeepalive, &buf)
	return err
}

// agree compares what both sides said.
func (s *session) agree(ours *open) error {
	c, theirs := s.peer.config, s.remote
	if theirs.asn != c.ASN {
		return &Error{Code: codeOpen, Subcode: 2, Text: fmt.Sprintf("it says it is AS %d, and asn is %d", theirs.asn, c.ASN)}
	}
	if theirs.id == ours.id && theirs.asn == ours.asn {
		return &Error{Code: codeOpen, Subcode: 3, Text: fmt.Sprintf("its router ID is ours, %s", ours.id)}
	}
	any := false
	for f := range s.agreed {
		s.agreed[f] = ours.families[f] && theirs.families[f]
		any = any || s.agreed[f]
	}
	if !any {
		return &Error{Code: codeOpen, Subcode: 7, Data: []byte{capMultiprotocol, 4, 0, byte(afi[familyV4]), 0, safiUnicast}, Text: "it has none of the families that are asked for"}
	}
	s.hold = time.Duration(min(ours.hold, theirs.hold)) * time.Second
	return nil
}

// expect reads the next message, which must be of one type.
func (s *session) expect(want byte, buf *[maxMessage]byte) ([]byte, error) {
	kind, body, err := readMessage(s.in, buf)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &Error{Code: codeHold, Text: fmt.Sprintf("the peer did not open the session within %s", openWithin)}
	case err != nil:
		return nil, err
	case kind == msgNotification:
		return nil, parseNotification(body)
	case kind != want:
		return nil, &Error{Code: codeState, Text: fmt.Sprintf("a message of type %d where %d has to come", kind, want)}
	}
	return body, nil
}

// receive reads messages until the session ends.
func (s *session) receive(ctx context.Context) error {
	if err := s.peer.established(s); err != nil {
		return err
	}
	if err := s.endOfRIB(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if s.hold > 0 {
		go s.keepAlive(ctx)
	}
	var buf [maxMessage]byte
	var u update
	for {
		if s.in.Buffered() == 0 {
			<-time.After(readPause)
		}
		deadline := time.Time{}
		if s.hold > 0 {
			deadline = time.Now().Add(s.hold)
		}
		_ = s.conn.SetReadDeadline(deadline)
		kind, body, err := readMessage(s.in, &buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return &Error{Code: codeHold, Text: fmt.Sprintf("nothing came for %s", s.hold)}
		case err != nil:
			return err
		}
		switch kind {
		case msgUpdate:
			if err = u.parse(body, !s.remote.as4, s.remote.asn); err != nil {
				return err
			}
			if err = s.peer.update(s, &u); err != nil {
				return err
			}
		case msgNotification:
			return parseNotification(body)
		case msgOpen:
			return &Error{Code: codeState, Subcode: 3, Text: "a second OPEN"} // RFC 6608
		}
	}
}

// endOfRIB says that there is nothing to come from here: the only UPDATE that
// is ever sent, without routes.
func (s *session) endOfRIB() error {
	_ = s.conn.SetDeadline(time.Time{})
	if !s.remote.restart {
		return nil
	}
	if s.agreed[familyV4] {
		if err := s.send(msgUpdate, []byte{0, 0, 0, 0}); err != nil {
			return err
		}
	}
	if s.agreed[familyV6] {
		return s.send(msgUpdate, []byte{0, 0, 0, 6, flagOptional, attrUnreach, 3, 0, 2, safiUnicast})
	}
	return nil
}

// keepAlive sends KEEPALIVE messages, three in a hold time.
func (s *session) keepAlive(ctx context.Context) {
	tick := time.NewTicker(s.hold / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if s.send(msgKeepalive, nil) != nil {
				_ = s.conn.Close() // who reads sees it
				return
			}
		}
	}
}

// send sends one message.
func (s *session) send(kind byte, body []byte) error {
	s.write.Lock()
	defer s.write.Unlock()
	if s.killed != nil {
		return s.killed
	}
	return s.sendLocked(kind, body)
}

func (s *session) sendLocked(kind byte, body []byte) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeWithin))
	_, err := s.conn.Write(appendMessage(nil, kind, body))
	return err
}

// notify tells the peer why the session ends.
func (s *session) notify(e *Error) {
	s.write.Lock()
	defer s.write.Unlock()
	_ = s.sendLocked(msgNotification, e.append(nil)) // it may be gone already
}

// kill ends the session from outside; run returns e.
func (s *session) kill(e *Error) {
	_ = s.conn.SetWriteDeadline(time.Now().Add(time.Second)) // for who writes now, and holds the lock
	s.write.Lock()
	defer s.write.Unlock()
	if s.killed != nil {
		return
	}
	s.killed = e
	_ = s.sendLocked(msgNotification, e.append(nil))
	_ = s.conn.Close()
}
