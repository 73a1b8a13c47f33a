package cluster

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A logbook is a log that is read while others write.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logbook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// TestCannotJoin: who cannot be joined, and why, is told on both sides.
func TestCannotJoin(t *testing.T) {
	run := func(name string, c Config) (*Cluster, *logbook) {
		t.Helper()
		var log logbook
		c.Listen, c.Timings = netip.MustParseAddrPort("127.0.0.1:0"), "lan"
		e, err := New(Options{Config: c, Name: name, Log: log.logger()})
		if err == nil {
			err = e.Open()
		}
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		ctx, stop := context.WithCancel(t.Context())
		go func() { done <- e.Run(ctx) }()
		t.Cleanup(func() {
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		return e, &log
	}
	key := keyFile(t, GenerateKey())
	a, there := run("a", Config{KeyFiles: []string{key}})
	nobody, empty := run("nobody", Config{Join: []string{"nobody.invalid:7946"}})
	if err := nobody.transport().Shutdown(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		config Config
		join   string
		want   string // in the log, and in the status
		other  string // in the log of the other side
	}{
		{"another key", Config{KeyFiles: []string{keyFile(t, GenerateKey())}}, a.Address().String(), "an edge with a key that this one does not have", "reason=key from=127.0.0.1:"},
		{"no key", Config{}, a.Address().String(), "an edge with a key that this one does not have", "reason=key from=127.0.0.1:"},
		{"another label", Config{KeyFiles: []string{key}, Label: "x"}, a.Address().String(), "it is an edge of another label", "reason=label from=127.0.0.1:"},
		{"nobody there", Config{}, nobody.Address().String(), "connection refused", ""},
	}
	for _, x := range tests {
		x.config.Join = []string{x.join}
		c, here := run(x.name, x.config)
		want := "level=WARN msg=\"cluster: no edge of join answers, this one is alone: check join, the ports between, key_files and label\" address=" + x.join
		eventually(t, x.name+" is logged", func() bool { return strings.Contains(here.String(), want) && strings.Contains(there.String(), x.other) })
		absent := c.Status().Absent
		if len(absent) != 1 || absent[0].Address != x.join || !strings.Contains(absent[0].Error, x.want) || strings.Contains(absent[0].Error, "\n") {
			t.Errorf("%s: %+v, want %s", x.name, absent, x.want)
		}
	}
	eventually(t, "a name that does not resolve is logged", func() bool { return strings.Contains(empty.String(), "does not resolve") })
}

// TestAbsentPace: an edge that is alone says so once a minute.
func TestAbsentPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logbook
		c := &Cluster{Options: Options{Log: log.logger()}}
		for range 30 {
			c.noteAbsent([]Absentee{{"10.0.0.2:7946", "timeout"}, {"10.0.0.1:7946", "refused"}})
			time.Sleep(10 * time.Second)
		}
		c.alive.Store(2)
		c.noteAbsent([]Absentee{{"10.0.0.2:7946", "timeout"}})
		if n := strings.Count(log.String(), "address=10.0.0.1:7946 error=refused more=1"); n != 5 || strings.Count(log.String(), "\n") != n {
			t.Errorf("logged %s", log.String())
		}
		if diff := cmp.Diff([]Absentee{{"10.0.0.2:7946", "timeout"}}, c.absent); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWhyNot(t *testing.T) {
	at := netip.MustParseAddrPort("[2001:db8::1]:7946")
	for text, want := range map[string]string{
		"dial tcp: i/o timeout": "dial tcp: i/o timeout",
		"EOF":                   "it hung up, as an edge does that lacks the first key of this one or has too many connections, or what is no edge: EOF",
		"read tcp 192.0.2.1:7946: read: connection reset by peer": "it hung up, as an edge does that lacks the first key of this one or has too many connections, or what is no edge: read tcp 192.0.2.1:7946: read: connection reset by peer",
	} {
		if got := whyNot(errors.New("failed to join [2001:db8::1]:7946: "+text), at); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestLeaveIsNoLoss: an edge that leaves is no reason to doubt what is seen.
func TestLeaveIsNoLoss(t *testing.T) {
	a := start(t, "a", Config{})
	b := start(t, "b", Config{}, a)
	turns := func(want string) func() bool {
		return func() bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			return a.turns == want
		}
	}
	eventually(t, "both probe", turns("0 2 true"))
	b.end()
	eventually(t, "a probes alone", turns("0 1 true"))
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.doubts > 0 {
		t.Error("a doubts what it sees")
	}
}
