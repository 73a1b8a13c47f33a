//go:build e2e && linux

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A manager stands for systemd: it opens sockets and hears how a service does.
type manager struct {
	t        *testing.T
	messages *net.UnixConn
}

func newManager(t *testing.T, l *lineage) *manager {
	t.Helper()
	at := &net.UnixAddr{Name: filepath.Join(l.dir, "notify"), Net: "unixgram"}
	conn, err := net.ListenUnixgram("unixgram", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	tcp := func(addr string) *os.File {
		open, bad := net.Listen("tcp", addr)
		if bad != nil {
			t.Fatal(bad)
		}
		f, bad := open.(*net.TCPListener).File()
		if bad != nil {
			t.Fatal(bad)
		}
		_ = open.Close()
		return f
	}
	c, err := net.ListenPacket("udp", l.dns[0])
	if err != nil {
		t.Fatal(err)
	}
	udp, err := c.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	l.extra = []*os.File{tcp(l.http[0]), tcp(l.dns[0]), udp, tcp(freeAddr(t))}
	l.command = []string{"sh", "-c", `export LISTEN_PID=$$; exec "$0" "$@"`}
	l.environment = append(l.environment, "NOTIFY_SOCKET="+at.Name, "LISTEN_FDS=4", "LISTEN_FDNAMES=http:dns:dns-udp:spare")
	return &manager{t, conn}
}

// wants waits for a message that has all these lines.
func (m *manager) wants(lines ...string) {
	m.t.Helper()
	buf := make([]byte, 4096)
	var heard []string
	for {
		_ = m.messages.SetReadDeadline(time.Now().Add(time.Minute))
		n, err := m.messages.Read(buf)
		if err != nil {
			m.t.Fatalf("no message with %q, but %q", lines, heard)
		}
		message, all := string(buf[:n]), true
		for _, line := range lines {
			all = all && strings.Contains("\n"+message, "\n"+line)
		}
		if all {
			return
		}
		heard = append(heard, message)
	}
}

// TestUpgradeUnderSystemd has sockets from a service manager, who hears of all
// that happens, and in whose sockets clients wait while no process is there.
func TestUpgradeUnderSystemd(t *testing.T) {
	l := newLineage(t, "")
	m := newManager(t, l)
	pid := l.start().Process.Pid
	m.wants("READY=1")
	log, err := os.ReadFile(l.file("log"))
	if err != nil {
		t.Fatal(err)
	}
	wantAll(t, string(log), "name=dns-udp", "name=spare", "the configuration does not listen")
	clients := newLoad(t)
	clients.clientsOf(l.http[0], l.dns[0], "IPv4")
	for range 3 {
		before, after, bad := l.upgrade()
		if bad != nil || before != pid {
			t.Fatalf("process %d, want %d: %v", before, pid, bad)
		}
		m.wants("RELOADING=1", "MONOTONIC_USEC=")
		m.wants(fmt.Sprintf("MAINPID=%d", after), "READY=1")
		pid = after
	}
	if err = os.Rename(l.file("edge.yaml"), l.file("away.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, _, err = l.upgrade(); err == nil {
		t.Error("an upgrade without a configuration")
	}
	m.wants("READY=1", "STATUS=upgrade failed: ")
	if err = os.Rename(l.file("away.yaml"), l.file("edge.yaml")); err != nil {
		t.Fatal(err)
	}
	clients.end()
	if err = syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.wants("STOPPING=1")
	eventually(t, "no process is left", func() bool { return len(l.processes()) == 0 })
	answers := make(chan error, 2)
	udp, err := dial("udp", l.dns[0])
	if err != nil {
		t.Fatal(err)
	}
	query, err := dnsQuestion(7)
	if err == nil {
		_, err = udp.Write(query)
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() { answers <- visitOnce(l.http[0]) }()
	go func() { answers <- awaitUDP(udp, 7) }()
	l.start()
	m.wants("READY=1")
	for range 2 {
		if err := <-answers; err != nil {
			t.Errorf("who asked while no process was there: %v", err)
		}
	}
}

// changes is what bird counts of a neighbour's routes, and since when it has them.
func (s *site) changes() string {
	s.t.Helper()
	var kept []string
	text := s.birdc("show", "protocols", "all") + s.birdc("show", "route", "where", "source", "=", "RTS_BGP")
	for line := range strings.Lines(text) {
		if strings.Contains(line, "Import updates") || strings.Contains(line, "Import withdraws") || strings.Contains(line, "[") || strings.Contains(line, "BGP state") {
			kept = append(kept, strings.TrimSpace(line))
		}
	}
	return strings.Join(kept, "\n")
}

// TestUpgradeAnycast upgrades an edge whose prefixes are announced: a router
// sees nothing of it.
func TestUpgradeAnycast(t *testing.T) {
	s := newSite(t)
	config := strings.Replace(anycastConfig, "hold_up: 200ms", "hold_up: 4s", 1)
	write(t, s.file("edge.yaml"), config)
	s.startBird(deployed(t, "anycast-bird.conf"))
	s.startEdge()
	last := s.process.cmd.Process.Pid
	t.Cleanup(func() { _ = syscall.Kill(last, syscall.SIGKILL) }) // it has the first one's output
	s.up()
	before, speaker := s.changes(), s.status().Speaker
	if !strings.Contains(before, "Import updates") || !strings.Contains(before, "Established") {
		t.Fatalf("bird says nothing:\n%s", before)
	}
	upgrade := func() {
		t.Helper()
		var old int
		out := s.edge.run(t, built(t), "upgrade")
		if _, err := fmt.Sscanf(out, "process %d (", &old); err != nil || old == last {
			t.Fatalf("%q: %v", out, err)
		}
		last = old
	}
	for range 3 {
		upgrade()
		if now := s.changes(); now != before {
			t.Fatalf("bird has seen\n%s\nwant\n%s", now, before)
		}
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 50 { // longer than orders of the old processes count
		<-tick.C
		if now := s.changes(); now != before {
			t.Fatalf("bird has seen\n%s\nwant\n%s", now, before)
		}
	}
	if st := s.status(); st.Speaker != speaker || st.Superseded || st.Error != "" || st.Prefixes[0].State != "up" {
		t.Errorf("%+v", st)
	}
	s.edge.run(t, built(t), "anycast", "drain", prefix4)
	eventually(t, "it drains", func() bool { return strings.Contains(s.route(prefix4), "(65535,0)") })
	upgrade()
	if r := s.route(prefix4); r != "" && !strings.Contains(r, "(65535,0)") {
		t.Errorf("it drains no more:\n%s", r)
	}
	eventually(t, "it is withdrawn", func() bool { return s.route(prefix4) == "" })
	upgrade()
	if s.route(prefix4) != "" || s.route(prefix6) == "" {
		t.Error("what was drained is announced, or what was not is not")
	}
	if err := syscall.Kill(last, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other prefix drains", func() bool { return strings.Contains(s.route(prefix6), "(65535,0)") })
	eventually(t, "the process has ended", func() bool { return syscall.Kill(last, 0) != nil })
}
