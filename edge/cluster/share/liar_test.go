package share_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waypost/waypost/bench/synth"
	"github.com/waypost/waypost/edge/cluster/share"
)

// In the time of synctest: an edge that tells of ever higher versions and has none
// of them costs the others a poll now and then; they are current, and get what is
// published.
func TestLiars(t *testing.T) {
	for _, tt := range []struct {
		name   string
		holder func(ctx context.Context) share.Holder
	}{
		{"a bad manifest", func(context.Context) share.Holder { return &shelf{manifest: []byte("bad")} }},
		{"no manifest", func(context.Context) share.Holder { return &shelf{} }},
		{"a manifest that does not come", func(ctx context.Context) share.Holder { return &stuck{ctx: ctx} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { lieTo(t, tt.holder) })
		})
	}
}

func lieTo(t *testing.T, holder func(ctx context.Context) share.Holder) {
	t.Helper()
	g := &gossip{lan: &lan{}, edges: map[string]share.Peer{}}
	c := newControlAt(t, g.lan.listen())
	s := synth.Inputs(synth.Small(1)).Snapshot
	s.Version = 1
	c.publish(t, s)
	edges := fleetIn(t, c, g, 4)
	for _, e := range edges {
		e.until(t, 1)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	liar := inLan(t, g.lan, "liar", holder(ctx))
	const hour = 3600
	current := 0
	for v := range uint64(hour) {
		g.tell(share.Peer{Name: "liar", Region: "eu", Address: liar.Address(), Version: 100 + v})
		time.Sleep(time.Second)
		if edges[0].remote.Counters().Current {
			current++
		}
	}
	if current < hour*8/10 {
		t.Errorf("an edge was current for %d seconds of an hour", current)
	}
	for i, e := range edges {
		if got := e.remote.Counters(); got.Failed > 15 || !got.Current {
			t.Errorf("%d counted %+v", i, got)
		}
	}
	s.Version = 2
	c.publish(t, s)
	began := time.Now()
	for _, e := range edges {
		e.until(t, 2)
	}
	t.Logf("current for %d of %d seconds, failed %d times; news after %v", current, hour, edges[0].remote.Counters().Failed, time.Since(began))
}

// A stuck holder keeps those waiting who want its manifest.
type stuck struct {
	shelf

	ctx context.Context
}

func (s *stuck) Latest() []byte {
	<-s.ctx.Done()
	return nil
}
