package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waypost/waypost/edge/handover"
	"github.com/waypost/waypost/netblock"
	"github.com/waypost/waypost/netblock/bgp"
)

func TestInsist(t *testing.T) {
	taken := errors.New("the port is in use")
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		n := &Node{log: slog.New(slog.NewTextHandler(&log, nil))}
		tries := 0
		part := func() error {
			if tries++; tries < 4 {
				return taken
			}
			return nil
		}
		if err := n.insist(t.Context(), part); !errors.Is(err, taken) || tries != 1 {
			t.Errorf("at a start: %v after %d tries, want %v", err, tries, taken)
		}
		n.follows = true
		if err := n.insist(t.Context(), part); err != nil || tries != 4 {
			t.Errorf("after another process: %v after %d tries", err, tries)
		}
		if lines := strings.Count(log.String(), taken.Error()); lines != 1 {
			t.Errorf("%d lines in the log, want 1: %s", lines, &log)
		}
		log.Reset()
		ctx, cancel := context.WithTimeout(t.Context(), 11*time.Minute)
		defer cancel()
		if err := n.insist(ctx, func() error { return taken }); err != nil || ctx.Err() == nil {
			t.Errorf("%v", err)
		}
		if lines := strings.Count(log.String(), taken.Error()); lines != 3 {
			t.Errorf("%d lines in 11 minutes, want one each 5 minutes: %s", lines, &log)
		}
	})
}

// A process that answers does not end since the port for BMP is still taken.
func TestHoldWaitsForPort(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := other.Addr().(*net.TCPAddr).AddrPort()
	settings := &bgp.MonitorConfig{Listen: at, Apply: func(*netblock.Table, []netblock.Change) {}, Log: slog.New(slog.DiscardHandler)}
	if err = settings.Validate(); err != nil {
		t.Fatal(err)
	}
	node := func() *Node {
		n := &Node{config: &Config{}, log: slog.New(slog.DiscardHandler), process: &handover.Process{}}
		n.feeds.monitor = bgp.NewMonitor(settings)
		return n
	}
	followed := true
	unfollow := func() { followed = false }
	if err = node().own(t.Context(), unfollow); err == nil || followed {
		t.Errorf("at a start: %v, and it follows: %t", err, followed)
	}
	n := node()
	n.follows = true
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.own(ctx, unfollow) }()
	_ = other.Close()
	for {
		c, err := net.Dial("tcp", at.String())
		if err == nil {
			_ = c.Close()
			break
		}
		select {
		case err := <-ended:
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
