package speaker

import (
	"bytes"
	"errors"
	"log/slog"
	"maps"
	"net"
	"strings"
	"syscall"
	"testing"

	gobgp "github.com/osrg/gobgp/v3/pkg/log"
	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

type slow struct{ error }

func (slow) Timeout() bool   { return true }
func (slow) Temporary() bool { return true }

var _ net.Error = slow{}

// TestTroubles has what gobgp says of a neighbour made plain to operators, and
// written once.
func TestTroubles(t *testing.T) {
	var out bytes.Buffer
	l := newLogger(slog.New(slog.NewTextHandler(&out, nil)))
	about := func(more gobgp.Fields) gobgp.Fields {
		fields := gobgp.Fields{"Key": "192.0.2.2"}
		maps.Copy(fields, more)
		return fields
	}
	for _, x := range []struct {
		msg    string
		fields gobgp.Fields
		want   string
	}{
		{failedToConnect, gobgp.Fields{"Error": slow{errors.New("x")}}, "another TCP MD5 password or ttl_security"},
		{failedToConnect, gobgp.Fields{"Error": &net.OpError{Err: syscall.ECONNREFUSED}}, "refuses connections"},
		{failedToConnect, gobgp.Fields{"Error": errors.New("no route")}, "no route"},
		{received, gobgp.Fields{"Code": uint8(2), "Subcode": uint8(2)}, "another AS number than local_asn"},
		{received, gobgp.Fields{"Code": uint8(6), "Subcode": uint8(1)}, "it closed the session: code 6(cease) subcode 1"},
		{received, gobgp.Fields{"Code": uint8(6), "Subcode": uint8(2), "Communicated-Reason": "bye"}, `"bye"`},
		{sent, gobgp.Fields{"Data": packet.NewMessageError(2, 2, nil, "x")}, "it is of another AS than asn says"},
		{stateChanged, gobgp.Fields{"old": "BGP_FSM_OPENSENT", "new": "BGP_FSM_IDLE", "reason": "invalid-msg"}, "of another AS than asn says"}, // as we have just said
		{stateChanged, gobgp.Fields{"old": "BGP_FSM_OPENSENT", "new": "BGP_FSM_IDLE", "reason": "invalid-msg"}, "it expects another AS number than local_asn"},
		{stateChanged, gobgp.Fields{"old": "BGP_FSM_OPENCONFIRM", "new": "BGP_FSM_IDLE", "reason": "read-failed"}, "it closed the connection"},
		{holdExpired, nil, "within the hold time"},
	} {
		before := strings.Count(out.String(), "\n")
		said := strings.Contains(x.want, "asn says") && x.msg == stateChanged
		for range 100 {
			if x.msg == failedToConnect || x.msg == stateChanged {
				l.Debug(x.msg, about(x.fields))
				if said {
					break
				}
			} else {
				l.Warn(x.msg, about(x.fields))
			}
		}
		if got := l.troubles.of("192.0.2.2"); !strings.Contains(got, x.want) {
			t.Errorf("%s %v: %q, want …%s…", x.msg, x.fields, got, x.want)
		}
		if n := strings.Count(out.String(), "\n") - before; n != 1 && !said {
			t.Errorf("%s %v: %d lines", x.msg, x.fields, n)
		}
	}
	l.Info("Add a peer configuration", about(nil))
	l.Debug(stateChanged, about(gobgp.Fields{"old": "BGP_FSM_ACTIVE", "new": "BGP_FSM_IDLE", "reason": "x"}))
	l.Info(peerDown, about(gobgp.Fields{"Reason": "read-failed"}))
	if got := l.troubles.of("192.0.2.2"); !strings.Contains(got, "within the hold time") {
		t.Errorf("%q: what was known has given way to less", got)
	}
	l.Info(peerUp, about(nil))
	if got := l.troubles.of("192.0.2.2"); got != "" {
		t.Errorf("%q, of a session that is up", got)
	}
	l.Info(peerDown, about(gobgp.Fields{"Reason": "read-failed"}))
	if got := l.troubles.of("192.0.2.2"); !strings.Contains(got, "read-failed") {
		t.Errorf("%q", got)
	}
	if l.troubles.of("192.0.2.3") != "" {
		t.Error("another neighbour has trouble, too")
	}
}
