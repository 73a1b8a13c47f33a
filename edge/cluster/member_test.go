package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/waypost/waypost/edge/health"
)

// A doubter counts how often it is cut off.
type doubter struct{ doubts atomic.Int32 }

func (*doubter) Assign(func(string) (int, int, bool)) {}
func (*doubter) Retell()                              {}
func (*doubter) Look(health.Target)                   {}
func (*doubter) Confirm(health.Target)                {}
func (d *doubter) Doubt()                             { d.doubts.Add(1) }

// TestHalfIsGone: what members tell of themselves all the time does not keep the
// number of those that are left from becoming the one that losses are measured by.
func TestHalfIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d doubter
		c := &Cluster{
			Options: Options{Name: "edge0", Prober: &d, Log: slog.New(slog.DiscardHandler)}, council: newCouncil("edge0", 2, 1),
			members: map[string]*member{}, dirty: make(chan struct{}, 1), moved: make(chan struct{}, 1),
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.follow(ctx) }()
		snapshot := uint64(0)
		tell := func(alive func(i int) bool) {
			snapshot++
			for i := range 8 {
				n := memberlist.Node{Name: fmt.Sprint("edge", i), Addr: []byte{127, 0, 0, 1}, Meta: (&Meta{Snapshot: snapshot, Probes: true}).encode()}
				c.note(&n, alive(i))
			}
		}
		for i, left := range []int{8, 4, 2, 8, 6} {
			for range 10 { // minutes
				tell(func(i int) bool { return i < left })
				time.Sleep(time.Minute)
			}
			if got, want := d.doubts.Load(), []int32{0, 1, 2, 2, 2}[i]; got != want {
				t.Errorf("with %d left it has been cut off %d times, want %d", left, got, want)
			}
		}
		stop()
		<-done
	})
}
