package cluster

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"
)

// TestSink: what anybody can send at any pace is counted, and logged with where
// it came from.
func TestSink(t *testing.T) {
	tests := []struct {
		line   string
		reason string // the counter; "" is none
		log    string // part of what is logged; "" is nothing
	}{
		{"[INFO] memberlist: Suspect b has failed, no acks received", "", "Suspect b has failed"},
		{"[WARN] memberlist: Refuting a dead message (from: b)", "", "Refuting a dead message"},
		{"[WARN] memberlist: Refuting a dead message (from: a)", "", ""}, // it is a
		{"[DEBUG] memberlist: Stream connection from=10.0.0.1:1", "", ""},
		{"[ERR] memberlist: Conflicting address for a. Mine: 10.0.0.1:7946 Theirs: 10.0.0.2:7946 Old state: 0", "", ""},
		{"[ERR] memberlist: Failed to send gossip to 10.0.0.1:1: write udp: use of closed network connection", "", ""},
		{
			"[ERR] memberlist: Decrypt packet failed: no installed keys could decrypt the message from=10.0.0.1:1", "key",
			`from=10.0.0.1:1 error="Decrypt packet failed`,
		},
		{"[ERR] memberlist: failed to receive: remote state is encrypted and encryption is not configured from=10.0.0.1:1", "key", "from=10.0.0.1:1"},
		{"[ERR] memberlist: discarding packet with unacceptable label \"x\": from=10.0.0.1:1", "label", "from=10.0.0.1:1"},
		{"[ERR] memberlist: cannot decode label; packet has been truncated from=10.0.0.1:1", "malformed", "from=10.0.0.1:1"},
		{"[ERR] memberlist: label header cannot be empty when present from=10.0.0.1:1", "malformed", "from=10.0.0.1:1"},
		{"[ERR] memberlist: UDP packet too short (0 bytes) from=10.0.0.1:1", "malformed", "from=10.0.0.1:1"},
		{"[WARN] memberlist: Got invalid checksum for UDP packet: 1, 2", "malformed", "from=unknown"},
	}
	for _, x := range tests {
		var out bytes.Buffer
		s := &sink{name: "a", log: slog.New(slog.NewTextHandler(&out, nil)), refusals: &refusals{}}
		s.logger().Print(x.line)
		got := ""
		for name, n := range map[string]uint64{
			"key": s.refusals.key.Load(), "label": s.refusals.label.Load(), "malformed": s.refusals.malformed.Load(),
		} {
			got += strings.Repeat(name, int(n))
		}
		if got != x.reason || (out.Len() > 0) != (x.log != "") || !strings.Contains(out.String(), x.log) {
			t.Errorf("%s: counted as %q, want %q; logged: %q, want %q", x.line, got, x.reason, out.String(), x.log)
		}
	}
}

// TestSinkNumbers: of lines that differ in numbers, one a minute is logged, and what
// they tell of otherwise is not lost.
func TestSinkNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		var noUDP []string
		s := &sink{log: slog.New(slog.NewTextHandler(&out, nil)), refusals: &refusals{}, noUDP: func(member string) { noUDP = append(noUDP, member) }}
		for i := range 600 {
			s.logger().Printf("[WARN] memberlist: handler queue full, dropping message (%d) from=10.0.0.%d:7946", i%10, i%250)
			s.logger().Printf("[INFO] memberlist: Suspect edge%d has failed, no acks received", i)
			s.logger().Printf("[ERR] memberlist: Push/Pull with edge%d failed: dial tcp [2001:db8::%x]:7946: i/o timeout", i, i)
			s.logger().Printf("[WARN] memberlist: Was able to connect to edge%d over TCP but UDP probes failed, network may be misconfigured", i)
			time.Sleep(200 * time.Millisecond)
		}
		if n := strings.Count(out.String(), "\n"); n != 6 || strings.Contains(out.String(), "over TCP") {
			t.Errorf("%d lines in two minutes, want 6: %s", n, out.String())
		}
		if len(noUDP) != 600 || noUDP[599] != "edge599" {
			t.Errorf("%d members answer over TCP only", len(noUDP))
		}
	})
}

func TestAnswersOverTCP(t *testing.T) {
	for text, want := range map[string]string{
		"Was able to connect to edge1 over TCP but UDP probes failed, network may be misconfigured":                            "edge1",
		"Was able to connect to x over TCP but UDP probes failed over TCP but UDP probes failed, network may be misconfigured": "x over TCP but UDP probes failed",
		"Was able to connect to  over TCP but UDP probes failed, network may be misconfigured":                                 "",
		"Was able to connect to edge1": "",
		"Suspect edge1 has failed":     "",
	} {
		if got, ok := answersOverTCP(text); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// TestSinkEnds: what the library says once it was shut down goes nowhere.
func TestSinkEnds(t *testing.T) {
	var out bytes.Buffer
	s := &sink{log: slog.New(slog.NewTextHandler(&out, nil)), refusals: &refusals{}}
	s.close()
	if s.logger().Print("[ERR] memberlist: Failed to send UDP ping"); out.Len() > 0 {
		t.Errorf("logged: %s", &out)
	}
}

// TestSinkPace: a flood is a line a minute for each reason.
func TestSinkPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		s := &sink{log: slog.New(slog.NewTextHandler(&out, nil)), refusals: &refusals{}}
		for range 3 * 60 {
			s.logger().Print("[ERR] memberlist: Decrypt packet failed: no installed keys could decrypt the message from=10.0.0.1:1")
			s.logger().Print("[ERR] memberlist: discarding packet with unacceptable label \"x\": from=10.0.0.1:1")
			time.Sleep(time.Second)
		}
		if n := strings.Count(out.String(), "\n"); n != 6 || s.refusals.key.Load() != 180 {
			t.Errorf("%d lines, want 6; %d counted, want 180", n, s.refusals.key.Load())
		}
	})
}

// TestPace: subjects do not disturb one another, and are not kept for ever.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pace
		if !p.allows("a", time.Hour) || p.allows("a", time.Hour) || !p.allows("b", time.Minute) {
			t.Error("want one line each")
		}
		p.forget("a")
		if !p.allows("a", time.Hour) {
			t.Error("want another line once it is forgotten")
		}
		for i := range 2 * maxPaced {
			p.allows(string(rune('0'+i)), time.Minute)
		}
		if len(p.until) > maxPaced {
			t.Errorf("%d are kept", len(p.until))
		}
		time.Sleep(time.Minute)
		if p.allows("a", time.Hour) || !p.allows("b", time.Minute) || len(p.until) != 2 {
			t.Errorf("after a minute %v is kept", p.until)
		}
	})
}

// TestConflict: who has whose name is told in words of an operator, once a minute.
func TestConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := &Cluster{Options: Options{Name: "edge1", Log: slog.New(slog.NewTextHandler(&out, nil))}}
		for _, name := range []string{"edge1", "edge2"} {
			known := &memberlist.Node{Name: name, Addr: []byte{10, 0, 0, 1}, Port: 7946}
			other := &memberlist.Node{Name: name, Addr: []byte{10, 0, 0, name[4]}, Port: 7946}
			for range 3 {
				(&delegate{c}).NotifyConflict(known, other)
			}
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "name=edge1 address=10.0.0.1:7946 other=10.0.0.49:7946") ||
			!strings.Contains(lines[1], "name=edge2 address=10.0.0.1:7946 other=10.0.0.50:7946") {
			t.Errorf("logged %q", lines)
		}
		if n := c.refusals.conflicts.Load(); n != 6 {
			t.Errorf("%d conflicts", n)
		}
	})
}
