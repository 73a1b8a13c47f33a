package bgp

import (
	"context"
	"log/slog"
	"net"
	"time"
)

// acceptPause is how long to wait after an accept that failed.
const acceptPause = time.Second

// acceptAll gives the connections of a listener to take, until ctx ends. One
// that cannot be accepted, as when there are no file descriptors left, is no
// reason to end: others may be later.
func acceptAll(ctx context.Context, l net.Listener, log *slog.Logger, take func(net.Conn)) {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	trouble := ""
	for ctx.Err() == nil {
		conn, err := l.Accept()
		if err == nil {
			trouble = ""
			take(conn)
			continue
		}
		if ctx.Err() == nil && trouble != err.Error() {
			trouble = err.Error()
			log.Error("a connection could not be accepted; it is tried again", "listener", l.Addr(), "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(acceptPause):
		}
	}
}

// strangersEvery is how often a line about strangers is written.
const strangersEvery = 10 * time.Second

// strangers are those who connect though nobody knows them. A line in the log
// for each would let them fill the disk. It is for one goroutine.
type strangers struct {
	said time.Time
	more int // since then, without a word
}

// refuse closes a connection, and says so now and then.
func (s *strangers) refuse(conn net.Conn, log *slog.Logger, why string) {
	from := conn.RemoteAddr()
	_ = conn.Close()
	if now := time.Now(); s.said.IsZero() || now.Sub(s.said) >= strangersEvery {
		log.Warn(why, "from", from, "others_before", s.more)
		s.said, s.more = now, 0
		return
	}
	s.more++
}
