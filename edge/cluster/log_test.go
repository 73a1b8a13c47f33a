package cluster

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// TestSink: what anybody can send at any pace is counted and not logged.
func TestSink(t *testing.T) {
	tests := []struct {
		line   string
		want   string // the counter; "" is none
		logged bool
	}{
		{"[INFO] memberlist: Suspect b has failed, no acks received", "", true},
		{"[DEBUG] memberlist: Stream connection from=10.0.0.1:1", "", false},
		{"[ERR] memberlist: Conflicting address for a. Mine: 10.0.0.1:7946 Theirs: 10.0.0.2:7946 Old state: 0", "conflicts", true},
		{"[ERR] memberlist: Decrypt packet failed: no installed keys could decrypt the message from=10.0.0.1:1", "key", false},
		{"[ERR] memberlist: discarding packet with unacceptable label \"x\": from=10.0.0.1:1", "label", false},
		{"[ERR] memberlist: cannot decode label; packet has been truncated from=10.0.0.1:1", "malformed", false},
		{"[ERR] memberlist: label header cannot be empty when present from=10.0.0.1:1", "malformed", false},
		{"[ERR] memberlist: UDP packet too short (0 bytes) from=10.0.0.1:1", "malformed", false},
		{"[WARN] memberlist: Got invalid checksum for UDP packet: 1, 2", "malformed", false},
	}
	for _, x := range tests {
		var out bytes.Buffer
		s := &sink{slog.New(slog.NewTextHandler(&out, nil)), &refusals{}}
		s.logger().Print(x.line)
		got := ""
		for name, n := range map[string]uint64{
			"key": s.refusals.key.Load(), "label": s.refusals.label.Load(),
			"malformed": s.refusals.malformed.Load(), "conflicts": s.refusals.conflicts.Load(),
		} {
			got += strings.Repeat(name, int(n))
		}
		if got != x.want || (out.Len() > 0) != x.logged {
			t.Errorf("%s: counted as %q, want %q; logged: %q", x.line, got, x.want, out.String())
		}
	}
}
