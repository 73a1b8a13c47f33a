package handover

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mode is the environment variable that makes the test binary the next process.
const mode = "HANDOVER_TEST_MODE"

func TestMain(m *testing.M) {
	if _, child := os.LookupEnv(descriptor); child {
		os.Exit(next(os.Getenv(mode)))
	}
	os.Exit(m.Run())
}

// next is the next process.
func next(how string) int {
	switch how {
	case "orphan": // what it has started lives on, and has its end of the link
		c := exec.Command("sleep", "5")
		c.ExtraFiles = []*os.File{os.NewFile(firstDescriptor, "link")}
		if c.Start() != nil {
			return 7
		}
		return 3
	case "crash":
		return 3
	}
	p, err := Begin("2", slog.New(slog.DiscardHandler))
	if err != nil {
		return 4
	}
	switch how {
	case "error":
		_ = p.Finish(errors.New("no data"))
		return 1
	case "hang":
		select {}
	}
	l, err := p.Listen(context.Background(), "tcp4", string(p.State()))
	if err != nil {
		return 5
	}
	p.Introduce("next")
	p.Ready()
	<-p.Alone()
	c, err := l.Accept()
	if err != nil {
		return 6
	}
	_, _ = io.WriteString(c, "from the next process")
	_ = c.Close()
	return 0
}

func begin(t *testing.T) *Process {
	t.Helper()
	p, err := Begin("1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestUpgrade(t *testing.T) {
	p := begin(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	l, err := p.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	p.Tell(func() ([]byte, error) { return []byte(address), nil })
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	if _, err = p.Upgrade(ctx, Order{Within: time.Second}); !errors.Is(err, ErrStarting) {
		t.Errorf("before it is ready: %v, want %v", err, ErrStarting)
	}
	p.Ready()
	for how, want := range map[string]string{
		"crash": "ended before it was ready: exit status 3", "orphan": "ended before it was ready: exit status 3", "error": "cannot start: no data", "hang": "was not ready in time",
	} {
		t.Setenv(mode, how)
		if _, err = p.Upgrade(ctx, Order{Within: time.Second}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", how, err, want)
		}
	}
	t.Setenv(mode, "")
	s, err := p.Upgrade(ctx, Order{Within: 10 * time.Second})
	if err != nil || s.PID == os.Getpid() || s.Version != "2" || s.Self != "next" || p.Next() != s {
		t.Fatalf("%+v, %v", s, err)
	}
	if err = <-ended; !errors.Is(err, ErrTakenOver) || p.Finish(err) != nil {
		t.Errorf("it ends with %v", err)
	}
	if _, err = p.Upgrade(ctx, Order{Within: time.Second}); !errors.Is(err, ErrTakenOver) {
		t.Errorf("after it has ended: %v", err)
	}
	p.Free()
	_ = l.Close()
	c, err := net.Dial("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(c)
	if err != nil || string(text) != "from the next process" {
		t.Errorf("%q, %v", text, err)
	}
}

// What the process is told to stop for ends an upgrade that is under way.
func TestStopWhileUpgrading(t *testing.T) {
	p := begin(t)
	var log bytes.Buffer
	p.log = slog.New(slog.NewTextHandler(&log, nil))
	p.Ready()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Setenv(mode, "hang")
	upgraded := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := p.Upgrade(t.Context(), Order{Within: time.Minute})
			upgraded <- err
		}()
	}
	err := <-upgraded
	if !errors.Is(err, ErrBusy) || !regexp.MustCompile(`an upgrade is under way: process \d+ was started at 20`).MatchString(fmt.Sprint(err)) {
		t.Errorf("another upgrade: %v", err)
	}
	stop()
	if err = <-upgraded; err == nil {
		t.Error("upgraded")
	}
	if err = <-ended; err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "upgrade: the next process starts") || !strings.Contains(log.String(), "within=1m0s") {
		t.Errorf("logged %s", &log)
	}
}

// What only one process may have is free while the one before still answers
// clients. Who would take the place of this one waits until that one has ended.
func TestFree(t *testing.T) {
	old, fresh := pair(t, func(*Process) {})
	old.Free()
	select {
	case <-fresh.Alone():
		t.Error("it is alone before it was ready")
	default:
	}
	fresh.Ready()
	<-fresh.Alone()
	old.Free() // again: nothing happens
	select {
	case <-fresh.Gone():
		t.Error("the process before has gone")
	default:
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- fresh.Run(ctx) }()
	if _, err := fresh.Upgrade(ctx, Order{Within: time.Millisecond}); err == nil || err.Error() != "the process before has not ended yet" {
		t.Errorf("an upgrade: %v", err)
	}
	_ = old.next.conn.Close()
	<-fresh.Gone()
	t.Setenv(mode, "crash")
	if _, err := fresh.Upgrade(ctx, Order{Within: time.Minute}); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("an upgrade: %v", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A process that is killed frees all.
func TestFreeByEnd(t *testing.T) {
	old, fresh := pair(t, func(*Process) {})
	fresh.Ready()
	_ = old.next.conn.Close()
	<-fresh.Alone()
	<-fresh.Gone()
}

func TestZeroProcess(t *testing.T) {
	p := &Process{}
	<-p.Alone()
	<-p.Gone()
	p.Free()
	p.Ready()
	p.Notify("x")
	l, err := p.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if _, err := p.Upgrade(t.Context(), Order{Within: time.Second}); !errors.Is(err, ErrCannot) {
		t.Errorf("got %v, want %v", err, ErrCannot)
	}
	if err := p.Finish(nil); err != nil {
		t.Error(err)
	}
}

func TestEnvironment(t *testing.T) {
	own := fmt.Sprint(os.Getpid())
	for _, x := range []struct{ name, pid, fds, want string }{
		{"none", "", "", ""},
		{"of another process", "1", "3", ""},
		{"no number", own, "x", "LISTEN_FDS"},
		{"negative", own, "-1", "LISTEN_FDS"},
		{"empty", own, "0", ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Setenv("LISTEN_PID", x.pid)
			t.Setenv("LISTEN_FDS", x.fds)
			_, err := Begin("1", slog.New(slog.DiscardHandler))
			if (err != nil) != (x.want != "") || err != nil && !strings.Contains(err.Error(), x.want) {
				t.Errorf("%v, want %q", err, x.want)
			}
			if _, there := os.LookupEnv("LISTEN_FDS"); there {
				t.Error("children see it")
			}
		})
	}
}

func TestNotify(t *testing.T) {
	at := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "n"), Net: "unixgram"}
	c, err := net.ListenUnixgram("unixgram", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // of the test
	t.Setenv("NOTIFY_SOCKET", at.Name)
	begin(t).Notify("A=1", "B=2")
	buf := make([]byte, 100)
	if n, err := c.Read(buf); err != nil || string(buf[:n]) != "A=1\nB=2" {
		t.Errorf("%q, %v", buf[:n], err)
	}
}

// A process that cannot start must not have systemd take its words for those of
// the one that goes on.
func TestNotifyBeforeReady(t *testing.T) {
	_, fresh := pair(t, func(*Process) {})
	said := ""
	fresh.notify = func(lines ...string) error { said += strings.Join(lines, " "); return nil }
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := fresh.Run(ctx); err != nil || said != "" {
		t.Errorf("before it is ready it says %q, %v", said, err)
	}
	fresh.Ready()
	if err := fresh.Run(ctx); err != nil || said != "STOPPING=1" {
		t.Errorf("it says %q, %v", said, err)
	}
}

// Work that does not end must not keep the next process waiting for ever.
func TestWorkEnds(t *testing.T) {
	p := begin(t)
	failed := errors.New("failed")
	if err := p.work(func() error { return failed }, 0); !errors.Is(err, failed) {
		t.Errorf("got %v, want %v", err, failed)
	}
	close(p.left)
	if err := p.work(func() error { return ErrTakenOver }, time.Minute); !errors.Is(err, ErrTakenOver) {
		t.Errorf("got %v, want %v", err, ErrTakenOver)
	}
	end := make(chan struct{})
	defer close(end)
	if err := p.Finish(p.work(func() error { <-end; return nil }, time.Millisecond)); !errors.Is(err, errLate) {
		t.Errorf("got %v, want %v", err, errLate)
	}
}

func TestEndsContainer(t *testing.T) {
	for _, x := range []struct {
		name          string
		parent        int
		notify, first string
		want          bool
	}{
		{"docker --init", 1, "", "docker-init", true},
		{"a script", 1, "", "sh", true},
		{"parent outside", 0, "", "pause", true},
		{"systemd, notified", 1, "/run/systemd/notify", "systemd", false},
		{"systemd that cannot be seen", 1, "/run/systemd/notify", "", false},
		{"daemon", 1, "", "systemd", false},
		{"daemon of an old init", 1, "", "init", false},
		{"no proc", 1, "", "", false},
		{"shell", 4711, "", "docker-init", false},
	} {
		t.Run(x.name, func(t *testing.T) {
			if got := endsContainer(x.parent, x.notify, x.first); got != x.want {
				t.Errorf("got %t, want %t", got, x.want)
			}
		})
	}
}

func TestForce(t *testing.T) {
	p := begin(t)
	p.Ready()
	p.contained = true
	if err := p.mayUpgrade(false); !errors.Is(err, ErrInit) {
		t.Errorf("got %v, want %v", err, ErrInit)
	}
	if err := p.mayUpgrade(true); err != nil {
		t.Error(err)
	}
}

// pair returns an old and a new process in this one.
func pair(t *testing.T, setUp func(old *Process)) (old, fresh *Process) {
	t.Helper()
	to, file, err := newPair()
	if err != nil {
		t.Fatal(err)
	}
	old, fresh = begin(t), begin(t)
	setUp(old)
	sent := make(chan error, 1)
	go func() { sent <- old.instruct(to) }()
	fd, err := syscall.Dup(int(file.Fd()))
	if err == nil {
		err = file.Close()
	}
	if err == nil {
		fresh.alone, fresh.gone = make(chan struct{}), make(chan struct{})
		err = fresh.fromBefore(fmt.Sprint(fd))
	}
	if err = errors.Join(err, <-sent); err != nil {
		t.Fatal(err)
	}
	old.next = to
	t.Cleanup(func() { _ = to.conn.Close() })
	return old, fresh
}

func TestSocketsAndState(t *testing.T) {
	state := bytes.Repeat([]byte("0123456789"), 10_000) // several messages
	var tcp []net.Listener
	var udp *net.UDPConn
	_, fresh := pair(t, func(p *Process) {
		p.Tell(func() ([]byte, error) { return state, nil })
		for range maxDescriptors + 1 { // more than one message
			l, err := p.Listen(t.Context(), "tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			tcp = append(tcp, l)
		}
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		udp = c
		p.Keep(c)
	})
	if !bytes.Equal(fresh.State(), state) {
		t.Errorf("%d bytes of state, want %d", len(fresh.State()), len(state))
	}
	for _, l := range tcp {
		got, err := fresh.Listen(t.Context(), "tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if again, err := fresh.Listen(t.Context(), "tcp4", l.Addr().String()); err == nil {
			t.Errorf("%s is listened on twice", again.Addr())
		}
		_ = got.Close()
		_ = l.Close()
	}
	if got := fresh.UDP(udp.LocalAddr().String()); len(got) != 1 || len(fresh.UDP(udp.LocalAddr().String())) != 0 {
		t.Errorf("%d UDP sockets, want 1, once", len(got))
	}
	if len(fresh.given.tcp)+len(fresh.given.udp) != 0 {
		t.Error("some sockets are left")
	}
}

// The mode of a shared socket is that of all processes: none may make it block.
func TestSocketsDoNotBlock(t *testing.T) {
	var l net.Listener
	pair(t, func(p *Process) {
		var err error
		if l, err = p.Listen(t.Context(), "tcp4", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	})
	err := control(l.(syscall.Conn), func(fd int) error {
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
		if errno != 0 || flags&syscall.O_NONBLOCK == 0 {
			t.Errorf("flags are %#x, %v", flags, errno)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A message that did not fit, as when this process is short of descriptors, is
// not the end of the process before.
func TestCutMessage(t *testing.T) {
	old, fresh := pair(t, func(*Process) {})
	arrivals := fresh.Passage("lines")
	fresh.Ready()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // of the test
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // of the test
	err = control(c.(syscall.Conn), func(fd int) error {
		return old.next.send(kindConn, []byte("lines"), slices.Repeat([]int{fd}, maxDescriptors+50)...)
	})
	if err == nil {
		err = old.pass("lines", c.(*net.TCPConn))
	}
	if err != nil {
		t.Fatal(err)
	}
	came, ok := arrivals.Next(t.Context())
	if !ok || came.LocalAddr().String() != c.LocalAddr().String() {
		t.Errorf("came %v, want %s", came, c.LocalAddr())
	}
	_ = came.Close()
	select {
	case <-fresh.Alone():
		t.Error("it thinks that it is alone")
	default:
	}
	_ = old.next.conn.Close()
	<-fresh.Alone()
}
