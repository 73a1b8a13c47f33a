package handover

import (
	"log/slog"
	"net"
	"strings"
	"testing"
)

// TestUnusedSockets: a socket that systemd goes on to hold is worth a warning.
func TestUnusedSockets(t *testing.T) {
	var g given
	for range 2 {
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		g.tcp = append(g.tcp, l)
	}
	g.names = map[string]string{"tcp " + g.tcp[0].Addr().String(): "http"}
	var log strings.Builder
	g.close(slog.New(slog.NewTextHandler(&log, nil)))
	warning, info, _ := strings.Cut(log.String(), "\n")
	if !strings.Contains(warning, "level=WARN") || !strings.Contains(warning, "FileDescriptorName=http") || !strings.Contains(info, "level=INFO") {
		t.Errorf("logged\n%s", &log)
	}
	if len(g.tcp)+len(g.names) != 0 {
		t.Error("something is left")
	}
}
