package anycast

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waypost/waypost/edge/anycast/speaker"
)

// A fake takes orders and remembers the last.
type fake struct {
	mu    sync.Mutex
	last  speaker.Order
	at    time.Time
	given int
	err   error

	superseded bool // by a process that announces both prefixes
}

func (f *fake) Give(_ context.Context, o *speaker.Order) (speaker.Report, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return speaker.Report{}, f.err
	}
	f.last, f.at, f.given = *o, time.Now(), f.given+1
	if f.superseded {
		return speaker.Report{PID: 1, Superseded: true, Routes: []speaker.Route{{Prefix: v4}, {Prefix: v6}}}, nil
	}
	return speaker.Report{PID: 1, Routes: o.Routes}, nil
}

func (*fake) Close() error { return nil }

// announced returns the prefixes of the last order.
func (f *fake) announced() (out []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.last.Routes {
		text := r.Prefix.String()
		if slices.Contains(r.Communities, 65535<<16) {
			text += " drains"
		}
		out = append(out, text)
	}
	return out
}

var (
	v4 = netip.MustParsePrefix("198.18.0.0/24")
	v6 = netip.MustParsePrefix("2001:db8:5::/48")
)

// A bench is a keeper at work in a bubble.
type bench struct {
	*testing.T
	*Keeper
	speaker *fake
	mu      sync.Mutex
	bad     map[netip.Addr]error
	hang    chan struct{} // not nil: checks of IPv4 wait for it
	done    chan error
	stop    func()
	cancel  context.CancelCauseFunc
}

// setUp starts a keeper of an IPv4 and an IPv6 prefix.
func setUp(t *testing.T, change func(*Options)) *bench {
	t.Helper()
	b := &bench{T: t, speaker: &fake{}, bad: map[netip.Addr]error{}, done: make(chan error, 1)}
	c := Config{LocalASN: 64512, RouterID: netip.MustParseAddr("192.0.2.1"), Prefixes: []netip.Prefix{v4, v6}}
	c.Peers = []PeerConfig{{Address: netip.MustParseAddr("192.0.2.2"), ASN: 64500}, {Address: netip.MustParseAddr("2001:db8::2"), ASN: 64500}}
	o := Options{
		Config:  c.WithDefaults([]netip.Addr{netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("2001:db8:5::1"), netip.MustParseAddr("127.0.0.1")}),
		Speaker: b.speaker, Generation: 7, File: filepath.Join(t.TempDir(), "anycast.json"), Log: slog.New(slog.DiscardHandler),
		Check: func(_ context.Context, a netip.Addr) error {
			b.mu.Lock()
			err, hang := b.bad[a], b.hang
			b.mu.Unlock()
			if hang != nil && a.Is4() {
				<-hang
			}
			return err
		},
	}
	if problems := o.Config.Check(); problems != nil {
		t.Fatal(problems)
	}
	if change != nil {
		change(&o)
	}
	k, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	b.Keeper = k
	var ctx context.Context
	ctx, b.cancel = context.WithCancelCause(t.Context())
	b.stop = func() { b.cancel(nil) }
	go func() { b.done <- k.Run(ctx) }()
	return b
}

// end waits until the keeper has left.
func (b *bench) end() {
	b.Helper()
	if err := <-b.done; err != nil {
		b.Error(err)
	}
}

func (b *bench) set(address string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bad[netip.MustParseAddr(address)] = err
}

// after lets time pass and compares what is announced then.
func (b *bench) after(d time.Duration, want ...string) {
	b.Helper()
	time.Sleep(d) // of the bubble
	synctest.Wait()
	if got := b.speaker.announced(); !slices.Equal(got, want) {
		b.Fatalf("announced %q, want %q; %+v", got, want, b.Status().Prefixes)
	}
}

const both = 10 * time.Second // longer than coming up takes

func TestFamiliesGoSeparateWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil)
		b.after(2 * time.Second)
		b.after(both, v4.String(), v6.String())
		b.set("2001:db8:5::1", errors.New("no answer"))
		b.after(4*time.Second, v4.String())
		if s := b.Status().Prefixes[1]; s.State != "down" || s.Announced || !strings.Contains(s.Reason, "2001:db8:5::1: no answer") {
			t.Errorf("%+v", s)
		}
		b.set("2001:db8:5::1", nil)
		b.after(20*time.Second, v4.String(), v6.String())
		b.stop()
		b.after(time.Second, v4.String()+" drains", v6.String()+" drains")
		b.after(118*time.Second, v4.String()+" drains", v6.String()+" drains")
		b.after(2 * time.Second)
		b.end()
	})
}

func TestOrdersAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil)
		b.after(both, v4.String(), v6.String())
		if age := time.Since(b.speaker.at); age > speaker.Lease/2 {
			t.Errorf("the last order is %s old", age)
		}
		b.speaker.mu.Lock()
		b.speaker.err = errors.New("gone")
		b.speaker.mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		if s := b.Status(); s.Error != "gone" {
			t.Errorf("%+v", s)
		}
		b.stop()
		b.end()
	})
}

func TestOrdersOfOperatorsSurvive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil)
		b.after(both, v4.String(), v6.String())
		if err := b.Drain(false, netip.MustParsePrefix("192.0.2.0/24")); err == nil {
			t.Error("a prefix that is not ours was drained")
		}
		if err := b.Drain(false, v4); err != nil {
			t.Fatal(err)
		}
		b.after(time.Second, v4.String()+" drains", v6.String())
		b.after(2*time.Minute, v6.String())
		b.stop()
		b.end()

		again := setUp(t, func(o *Options) { o.File = b.File })
		again.after(both, v6.String())
		if err := again.Resume(); err != nil {
			t.Fatal(err)
		}
		again.after(time.Second, v4.String(), v6.String())
		again.stop()
		again.end()
	})
}

func TestLastIsNotDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var others []Other
		b := setUp(t, func(o *Options) { o.Others = func() []Other { return others } })
		b.after(both, v4.String(), v6.String())
		if err := b.Drain(false); !errors.Is(err, ErrLast) {
			t.Errorf("draining the last one: %v", err)
		}
		b.after(time.Second, v4.String(), v6.String())
		if err := b.Drain(true, v6); err != nil {
			t.Error(err)
		}
		b.after(3*time.Minute, v4.String())
		b.stop() // the process must end all the same
		b.after(3 * time.Minute)
		b.end()
	})
}

// TestDrainedInCluster: that order and those of operators here do not undo one
// another, and what nobody else announces stays.
func TestDrainedInCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var drained atomic.Bool
		b := setUp(t, func(o *Options) {
			o.Drained = drained.Load
			o.Others = func() []Other { return []Other{{Name: "edge2", Announces: []netip.Prefix{v4}}} }
		})
		b.after(both, v4.String(), v6.String())
		drained.Store(true)
		b.after(time.Second, v4.String()+" drains", v6.String()+" drains")
		b.after(b.Config.Drain.Wait, v6.String()+" drains")
		if s := b.Status().Prefixes[0]; s.State != "maintenance" || s.Reason != "the edge is drained in the cluster" || s.Drained {
			t.Errorf("%+v", s)
		}
		if err := b.Resume(); err != nil {
			t.Error(err)
		}
		b.after(time.Second, v6.String()+" drains")
		if err := b.Drain(false, v4); err != nil {
			t.Error(err)
		}
		drained.Store(false)
		b.after(time.Second, v6.String())
		if err := b.Resume(v4); err != nil {
			t.Error(err)
		}
		b.after(time.Second, v4.String(), v6.String())
		b.stop()
		b.end()
	})
}

func TestDataBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		b := setUp(t, func(o *Options) {
			o.Data = func() time.Time { return now }
			o.Others = func() []Other {
				if time.Since(now) < time.Minute {
					return nil
				}
				return []Other{{Name: "edge2", Announces: []netip.Prefix{v4}, Data: now.Add(2 * time.Hour)}}
			}
		})
		b.after(both, v4.String(), v6.String())
		b.after(time.Minute, v6.String()) // nobody else has the v6 prefix
		b.stop()
		b.end()
	})
}

func TestBadFileOfOrders(t *testing.T) {
	file := filepath.Join(t.TempDir(), "anycast.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := New(Options{File: file})
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("%v, want an error that names the file", err)
	}
}

// TestCheckHangs has checks that never come back, whatever they are told.
func TestCheckHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		b := setUp(t, nil)
		b.after(both, v4.String(), v6.String())
		b.mu.Lock()
		b.hang = hang
		b.mu.Unlock()
		b.after(5*time.Second, v6.String())
		if s := b.Status().Prefixes[0]; !strings.Contains(s.Reason, "198.18.0.1: the check hangs") {
			t.Errorf("%+v", s)
		}
		b.mu.Lock()
		b.hang = nil
		b.mu.Unlock()
		close(hang)
		b.after(30*time.Second, v4.String(), v6.String())
		b.stop()
		b.end()
	})
}

// TestSuperseded ends a process whose place another one has taken: what that
// one announces does not keep it waiting.
func TestSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil)
		b.after(both, v4.String(), v6.String())
		b.speaker.mu.Lock()
		b.speaker.superseded = true
		b.speaker.mu.Unlock()
		time.Sleep(time.Second)
		if !b.Status().Superseded {
			t.Error("the status does not say so")
		}
		b.stop()
		time.Sleep(b.Config.Drain.Wait)
		began := time.Now()
		b.end()
		if d := time.Since(began); d > 2*settle {
			t.Errorf("it took %s more to leave", d)
		}
	})
}

// TestOrderThatCannotBeKept has a disk that takes nothing: the order is refused,
// and nothing changes.
func TestOrderThatCannotBeKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, func(o *Options) { o.File = filepath.Join(t.TempDir(), "gone", "anycast.json") })
		b.after(both, v4.String(), v6.String())
		if err := b.Drain(false); err == nil {
			t.Error("no error")
		}
		b.after(10*time.Second, v4.String(), v6.String())
		b.stop()
		b.end()
	})
}
