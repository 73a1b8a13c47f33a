package cluster

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
)

// alone returns an edge that keeps its orders in a file, and does nothing yet.
func alone(t *testing.T, file string) *Cluster {
	t.Helper()
	c, err := New(Options{Config: Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")}, Name: "a", Fall: 2, MaxDown: 1, File: file})
	if err != nil {
		t.Fatal(err)
	}
	c.SetHosts(hosts("h1", "h2"))
	return c
}

// run runs an edge until f returns.
func run(t *testing.T, c *Cluster, f func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	f()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestRestartOfAll: orders outlive the last edge.
func TestRestartOfAll(t *testing.T) {
	file := filepath.Join(t.TempDir(), "drains.json")
	c := alone(t, file)
	run(t, c, func() {
		for _, name := range []string{"h1", "h2"} {
			if err := c.Drain(name, false, time.Hour, false); err != nil {
				t.Error(err)
			}
		}
		if err := c.Drain("a", true, 2*time.Hour, true); err != nil {
			t.Error(err)
		}
		if err := c.Undrain("h2", false); err != nil {
			t.Error(err)
		}
	})
	next := alone(t, file)
	if got := next.council.decision.Drained; !cmp.Equal(got, []string{"h1"}) {
		t.Errorf("drained before it runs: %v", got)
	}
	run(t, next, func() {
		if diff := cmp.Diff([]Drained{{Name: "h1", By: "a", Left: "1h0m0s"}, {Edge: true, Name: "a", By: "a", Left: "2h0m0s"}}, next.Drains()); diff != "" {
			t.Error(diff)
		}
		if !time.Now().Before(next.DrainedUntil()) {
			t.Error("the edge is not drained any more")
		}
	})

	if err := os.WriteFile(file, []byte(`{"format": 1, "orders": [{`), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := alone(t, file)
	run(t, broken, func() {
		if got := broken.Drains(); len(got) != 0 {
			t.Errorf("out of a broken file: %v", got)
		}
	})
	if _, err := os.Stat(file + ".broken"); err != nil {
		t.Errorf("put aside: %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the broken file is still there")
	}
}

func TestParseOrders(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	long := strings.Repeat("x", 256)
	tests := []struct{ name, text, want string }{
		{"nothing", `{"format":1,"orders":[]}`, ""},
		{"over", `{"format":1,"orders":[{"name":"h","on":true,"counter":1,"ends":"2025-12-31T00:00:00Z"}]}`, ""},
		{"clock set back", `{"format":1,"orders":[{"name":"h","on":true,"counter":1,"ends":"2027-01-01T00:00:00Z"}]}`, "h 720h0m0s"},
		{"one minute", `{"format":1,"orders":[{"name":"h","on":true,"counter":1,"ends":"2026-01-01T00:01:00Z"}]}`, "h 1m0s"},
		{"over, and remembered", `{"format":1,"orders":[{"name":"h","on":true,"counter":1,"ends":"2025-12-31T00:00:00Z","until":"2026-01-01T01:00:00Z"}]}`, "h -24h0m0s"},
		{"another format", `{"format":2}`, "format: want 1, got 2"},
		{"a name", `{"format":1,"orders":[{"name":"` + long + `"}]}`, "orders[0]: name: want at most 255 bytes, got 256"},
		{"an author", `{"format":1,"orders":[{"author":"` + long + `"}]}`, "orders[0]: author: want at most 255 bytes, got 256"},
		{"a counter", `{"format":1,"orders":[{"name":"h","counter":4611686018427387904}]}`, "orders[0]: counter: want less than 4611686018427387904, got 4611686018427387904"},
	}
	for _, x := range tests {
		drains, err := parseOrders([]byte(x.text), now)
		got := ""
		for _, d := range drains {
			got += d.Name + " " + d.Left.String()
		}
		if err != nil {
			got = err.Error()
		}
		if got != x.want {
			t.Errorf("%s: got %q, want %q", x.name, got, x.want)
		}
	}
}

// FuzzParseOrders: what is read is read again as it is written.
func FuzzParseOrders(f *testing.F) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	text, err := encodeOrders(now, []vote.Drain{
		{Name: "h", On: true, Counter: 3, Author: "a", Left: time.Hour}, {Edge: true, Name: "b", Counter: 4, Author: "b", Left: vote.MaxDrain},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, b []byte) {
		drains, err := parseOrders(b, now)
		if err != nil {
			return
		}
		text, err := encodeOrders(now, drains)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseOrders(text, now)
		if diff := cmp.Diff(drains, again); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

// TestDiskFull: what could not be written is written later, and at the end.
func TestDiskFull(t *testing.T) {
	for _, free := range []string{"a minute later", "at the end"} {
		t.Run(free, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "data")
				if err := os.WriteFile(dir, nil, 0o600); err != nil { // so that nothing can be written below
					t.Fatal(err)
				}
				var log logbook
				c := &Cluster{
					Options: Options{Name: "a", Log: log.logger(), File: filepath.Join(dir, "drains.json")}, council: newCouncil("a", 2, 1),
					queue: newQueue(func() int { return 1 }), ordered: make(chan struct{}, 1),
				}
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { defer close(done); c.save(ctx) }()
				if err := c.Drain("h1", false, time.Hour, false); err != nil {
					t.Fatal(err)
				}
				time.Sleep(3 * saveAgain / 2)
				if n := strings.Count(log.String(), "cannot be kept"); n != 2 || !c.unsaved.Load() {
					t.Errorf("tried %d times: %s", n, &log)
				}
				if err := os.Remove(dir); err != nil {
					t.Fatal(err)
				}
				if free == "a minute later" {
					time.Sleep(saveAgain)
					if c.unsaved.Load() || !strings.Contains(log.String(), "is kept again") {
						t.Error(log.String())
					}
				}
				stop()
				<-done
				text, err := os.ReadFile(c.File)
				if err != nil || !strings.Contains(string(text), `"h1"`) {
					t.Errorf("%v: %s", err, text)
				}
			})
		})
	}
}

// TestInherit: what the process before had decided stays until votes say otherwise.
func TestInherit(t *testing.T) {
	c := newCouncil("a", 2, 1)
	h1, h2 := health.Kind(0).Of("h1"), health.Kind(0).Of("h2")
	c.inherit([]health.Target{h2, h1})
	c.setHosts(hosts("h1", "h2"))
	c.setMembers([]vote.Member{{Name: "a"}})
	if v := c.decide(time.Now()); !v.changed || !cmp.Equal(v.Down, []health.Target{h1, h2}) || len(v.fell)+len(v.rose) > 0 {
		t.Errorf("at first: %+v", v)
	}
	c.see([]vote.Seen{{Target: h1, Sight: vote.Sight{State: vote.Good}}}, [health.Kinds]bool{})
	if v := c.decide(time.Now()); !v.changed || !cmp.Equal(v.Down, []health.Target{h2}) || len(v.rose) != 1 {
		t.Errorf("once h1 was seen: %+v", v)
	}
}

// TestOrdersOfBefore: orders outlive an upgrade where no file keeps them.
func TestOrdersOfBefore(t *testing.T) {
	c := alone(t, "")
	if err := c.Drain("h1", false, time.Hour, false); err != nil {
		t.Fatal(err)
	}
	if err := c.Drain("a", true, time.Hour, true); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "drains.json")
	for _, orders := range [][]byte{c.Orders(), []byte("{}")} {
		next, err := New(Options{
			Config: Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")}, Name: "a", Fall: 2, MaxDown: 1, File: file, OrdersBefore: orders,
		})
		if err != nil {
			t.Fatal(err)
		}
		next.SetHosts(hosts("h1", "h2"))
		if got := next.council.decision.Drained; !cmp.Equal(got, []string{"h1"}) || !time.Now().Before(next.DrainedUntil()) {
			t.Errorf("drained: %v, and the edge until %v", got, next.DrainedUntil())
		}
		run(t, next, func() {}) // the second one has it from the file
	}
}
