package speaker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"

	gobgp "github.com/osrg/gobgp/v3/pkg/log"
	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

// A logger gives gobgp's lines to a log, and keeps what they say about why a
// session is not there. What is said about a neighbour again and again is
// written once.
type logger struct {
	log      *slog.Logger
	troubles *troubles
}

var _ gobgp.Logger = logger{}

func newLogger(log *slog.Logger) logger {
	return logger{log, &troubles{last: map[string]string{}, said: map[[2]string]string{}, told: map[string]bool{}}}
}

func (l logger) attributes(fields gobgp.Fields) (out []any) {
	for name, value := range fields {
		if name != gobgp.FieldFacility {
			out = append(out, name, value)
		}
	}
	return out
}

// Panic logs; what gobgp takes for the end of the world is an error here.
func (l logger) Panic(msg string, fields gobgp.Fields) { l.Error(msg, fields) }

// Fatal logs, too.
func (l logger) Fatal(msg string, fields gobgp.Fields) { l.Error(msg, fields) }

// Error logs an error.
func (l logger) Error(msg string, fields gobgp.Fields) { l.log.Error(msg, l.attributes(fields)...) }

// Warn logs a warning.
func (l logger) Warn(msg string, fields gobgp.Fields) {
	why, news := l.troubles.hear(msg, fields)
	if news {
		l.log.Warn(msg, append(l.attributes(fields), "meaning", why)...)
	}
}

// Info logs what is usual.
func (l logger) Info(msg string, fields gobgp.Fields) {
	if msg == peerUp || msg == peerDown {
		l.troubles.hear(msg, fields)
	}
	l.log.Info(msg, l.attributes(fields)...)
}

// Debug logs connections that were not made, and those on which there was no
// session: gobgp tells each message, too.
func (l logger) Debug(msg string, fields gobgp.Fields) {
	if msg == failedToConnect || msg == stateChanged && refused(fields) {
		l.Warn(msg, fields)
	}
}

// SetLevel does nothing.
func (logger) SetLevel(gobgp.LogLevel) {}

// GetLevel returns what is told at all.
func (logger) GetLevel() gobgp.LogLevel { return gobgp.DebugLevel }

// troubles are why sessions are not there, by neighbour.
type troubles struct {
	mu   sync.Mutex
	last map[string]string    // guarded by mu
	said map[[2]string]string // guarded by mu; by neighbour and message
	told map[string]bool      // guarded by mu; the last was that we sent a notification
}

// of returns why there is no session with a neighbour; "" if nothing is known.
func (t *troubles) of(neighbour string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last[neighbour]
}

// Messages of gobgp.
const (
	failedToConnect = "failed to connect"
	received        = "received notification"
	sent            = "sent notification"
	holdExpired     = "hold timer expired"
	peerUp          = "Peer Up"
	peerDown        = "Peer Down"
	stateChanged    = "state changed"
)

// hear takes in a message. It returns what it means to operators, and whether
// that is anything new since the last session.
func (t *troubles) hear(msg string, fields gobgp.Fields) (why string, news bool) {
	neighbour, _ := fields["Key"].(string)
	t.mu.Lock()
	defer t.mu.Unlock()
	told := t.told[neighbour]
	t.told[neighbour] = msg == sent
	switch msg {
	case peerUp:
		delete(t.last, neighbour)
		for said := range t.said {
			if said[0] == neighbour {
				delete(t.said, said)
			}
		}
		return "", true
	case failedToConnect:
		why = notConnected(fields["Error"])
	case received:
		why = "it closed the session: " + notification(fields)
		if code, sub := codes(fields); code == packet.BGP_ERROR_OPEN_MESSAGE_ERROR && sub == packet.BGP_ERROR_SUB_BAD_PEER_AS {
			why += "; it expects another AS number than local_asn, or is of another AS than asn says"
		}
	case sent:
		why = "this end closed the session: " + notification(fields)
		if code, sub := codes(fields); code == packet.BGP_ERROR_OPEN_MESSAGE_ERROR && sub == packet.BGP_ERROR_SUB_BAD_PEER_AS {
			why += "; it is of another AS than asn says"
		}
	case holdExpired:
		why = "nothing came from it within the hold time"
	case stateChanged:
		if told { // which says why
			return t.last[neighbour], false
		}
		why = whyRefused(fields)
	case peerDown:
		if why = t.last[neighbour]; why == "" {
			why = fmt.Sprint("the session has ended: ", fields["Reason"])
		}
	default:
		why = msg
		if _, ok := t.last[neighbour]; ok {
			return why, t.isNews(neighbour, msg, why)
		}
	}
	t.last[neighbour] = why
	return why, t.isNews(neighbour, msg, why)
}

// isNews reports whether a message about a neighbour means something else than
// the last time, with the lock held.
func (t *troubles) isNews(neighbour, msg, why string) bool {
	key := [2]string{neighbour, msg}
	before, ok := t.said[key]
	t.said[key] = why
	return !ok || before != why
}

// refused reports whether a change of state is that of a connection on which no
// session came to be.
func refused(fields gobgp.Fields) bool {
	before := fields["old"]
	return fields["new"] == packet.BGP_FSM_IDLE.String() &&
		(before == packet.BGP_FSM_OPENSENT.String() || before == packet.BGP_FSM_OPENCONFIRM.String())
}

// whyRefused says why it was, of which gobgp keeps little.
func whyRefused(fields gobgp.Fields) string {
	switch reason := fmt.Sprint(fields["reason"]); reason {
	case "invalid-msg":
		return "it refused the session: it expects another AS number than local_asn, or knows no neighbour of this address; its own log says which"
	case "read-failed", "write-failed":
		return "it closed the connection before there was a session: does it know a neighbour of this address, with the same ttl_security?"
	default:
		return "there was no session: " + reason
	}
}

// notConnected says why there is no connection.
func notConnected(reason any) string {
	err, _ := reason.(error)
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer: it is down or out of reach, or has another TCP MD5 password or ttl_security than here"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "it refuses connections: no BGP speaker listens there"
	case err == nil:
		return failedToConnect
	}
	return err.Error()
}

// codes returns those of a NOTIFICATION message; 0 for none.
func codes(fields gobgp.Fields) (code, sub uint8) {
	if e, ok := fields["Data"].(*packet.MessageError); ok {
		return e.TypeCode, e.SubTypeCode
	}
	code, _ = fields["Code"].(uint8)
	sub, _ = fields["Subcode"].(uint8)
	return code, sub
}

// notification says what a NOTIFICATION message says.
func notification(fields gobgp.Fields) string {
	code, sub := codes(fields)
	text := packet.NewNotificationErrorCode(code, sub).String()
	if why, _ := fields["Communicated-Reason"].(string); why != "" {
		text += fmt.Sprintf(", %q", why)
	}
	return text
}
