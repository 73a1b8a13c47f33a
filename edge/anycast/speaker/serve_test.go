package speaker

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A lame listener cannot accept its first connection.
type lame struct {
	net.Listener
	failed bool
}

func (l *lame) Accept() (net.Conn, error) {
	if !l.failed {
		l.failed = true
		return nil, syscall.EMFILE
	}
	return l.Listener.Accept()
}

// TestAcceptGoesOn has an accept fail: the next edge is heard all the same.
func TestAcceptGoesOn(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	messages, ended := make(chan message), make(chan struct{})
	done := make(chan struct{})
	go func() { accept(&lame{Listener: l}, messages, ended, slog.New(slog.DiscardHandler)); close(done) }()
	client := Client{Socket: socket}
	defer client.Close() //nolint:errcheck // a test
	go func() { (<-messages).report <- Report{PID: 7} }()
	if r, err := client.Give(t.Context(), &Order{Generation: 1}); err != nil || r.PID != 7 {
		t.Errorf("%+v, %v", r, err)
	}
	close(ended)
	_ = l.Close()
	<-done
}

// TestStartFails has a speaker that cannot start BGP: it wants another process,
// for what there is has no policies.
func TestStartFails(t *testing.T) {
	l := loop{config: Config{Log: slog.New(slog.DiscardHandler)}, orders: orders{}}
	r, err := l.obey(t.Context(), Order{Generation: 1, Sessions: Sessions{LocalASN: 64512}}, time.Now())
	if !errors.Is(err, errRestart) || l.bgp != nil || r.Error == "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestHangs has a loop that works for a while and then hangs.
func TestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		last := time.Now()
		ended, aborted := make(chan struct{}), make(chan time.Time, 1)
		works := last.Add(time.Minute)
		go watch(ended, func() *time.Time {
			if now := time.Now(); now.Before(works) {
				last = now
			}
			return &last
		}, func() { aborted <- time.Now() })
		if at := <-aborted; at.Sub(works) < hung || at.Sub(works) > hung+2*time.Second {
			t.Errorf("ended %s after it hung", at.Sub(works))
		}
		now := time.Now()
		go watch(ended, func() *time.Time { return &now }, func() { t.Error("aborted though it had ended") })
		close(ended)
		time.Sleep(time.Minute)
	})
}

// TestTrim has logs that are too large, and some that are not.
func TestTrim(t *testing.T) {
	trim(nil)
	for _, size := range []int64{MaxLog, MaxLog + 1} {
		f, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if err = f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		trim(f)
		if _, err = f.WriteString("x"); err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil || (info.Size() == 1) != (size > MaxLog) {
			t.Errorf("%d bytes of %d are left, %v", info.Size(), size, err)
		}
		_ = f.Close()
	}
}
