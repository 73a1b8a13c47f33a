package dns

import (
	"context"
	"errors"
	"net"

	"github.com/waypost/waypost/edge/dns/wire"
)

// maxQuery is the size of the largest query that is read, in bytes. Longer
// ones over UDP are cut and so become format errors; over TCP they end the
// connection. A query with every option known is below 600.
const maxQuery = 4096

// serveUDP answers one socket's queries, each before the next is read: an
// answer takes a microsecond, less than handing it to another goroutine.
func (s *Server) serveUDP(ctx context.Context, conn *net.UDPConn) {
	w := s.NewWork()
	in, out := make([]byte, maxQuery), make([]byte, 0, wire.MaxUDP)
	oob := make([]byte, oobSize)
	for {
		n, oobn, _, from, err := conn.ReadMsgUDPAddrPort(in, oob)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			w.count.readErrors.Add(1)
			if !pause(ctx) {
				return
			}
			continue
		}
		reply := s.Answer(out, in[:n], Meta{Client: from.Addr(), UDP: true, Now: s.now.Load()}, w)
		if reply == nil || from.Port() == 0 {
			continue
		}
		if _, _, err := conn.WriteMsgUDPAddrPort(reply, answerFrom(oob[:oobn]), from); err != nil {
			w.count.writeErrors.Add(1)
		}
	}
}
