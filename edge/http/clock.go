package http

import "time"

// A moment is the time in the forms that answers need. The request path reads
// no clock: it takes the moment that [Server.Serve] renews each second.
type moment struct {
	time time.Time // UTC
	http []byte    // as an HTTP date, RFC 9110, section 5.6.7
}

// httpDate is the layout of HTTP dates; times must be in UTC.
const httpDate = "Mon, 02 Jan 2006 15:04:05 GMT"

// tick sets the server's clock.
func (s *Server) tick(now time.Time) {
	now = now.UTC()
	s.clock.Store(&moment{now, now.AppendFormat(nil, httpDate)})
}

// now returns the last tick. It is shared: do not change it.
func (s *Server) now() *moment { return s.clock.Load() }
