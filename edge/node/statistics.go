package node

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waypost/waypost/edge/handover"
	"github.com/waypost/waypost/edge/snapshot/strict"
	"github.com/waypost/waypost/edge/source"
	"github.com/waypost/waypost/edge/statistics"
	"github.com/waypost/waypost/edge/statistics/outbox"
)

// StatisticsConfig says what becomes of the counts of answers, by category,
// country, repository, architecture, host and kind, which go to the control
// plane of source.control. No address of a client is in them. The control plane
// knows an edge by its token, which no other edge may have: else the counts of
// one would pass for those of the other sent again.
type StatisticsConfig struct {
	// Disabled makes the edge count nothing and send nothing.
	Disabled bool `yaml:"disabled"`

	// Every is how often counts are written to data_dir and sent, from 1s to
	// 1h. They are of minutes, whatever it is. An edge that is killed loses what
	// it has counted since. Default: 1m.
	Every time.Duration `yaml:"every"`
}

const defaultEvery = time.Minute

// statisticsSpread is the part of Every in which edges take their turns.
const statisticsSpread = 10

func (c *StatisticsConfig) check(doc *strict.Doc) {
	if c.Every != 0 && (c.Every < time.Second || c.Every > time.Hour) {
		doc.Problem("edge.statistics.every", "want a time from 1s to 1h, got %s", c.Every)
	}
}

// tally is an edge's counts on their way.
type tally struct {
	counts statistics.Collector
	config outbox.Config
	outbox atomic.Pointer[outbox.Outbox] // nil while the process before may write there
	every  time.Duration
	since  time.Time // when counts was drained last
}

// newStatistics has answers counted, if counts go anywhere.
func (n *Node) newStatistics() {
	control, c := n.config.Source.Control, n.config.Statistics
	if control == nil || c.Disabled {
		return
	}
	if c.Every == 0 {
		c.Every = defaultEvery
	}
	n.tally = &tally{every: c.Every, config: outbox.Config{
		Dir: filepath.Join(n.config.DataDir, "statistics"), URL: control.URL, Spread: c.Every / statisticsSpread, Log: n.log,
		Token: func() (string, error) { return source.ReadToken(control.TokenFile) },
	}}
	n.engine.Counter = n.tally.counts.Counter
}

// keepCounts starts to bring counts to the control plane, and returns what ends
// that, and waits for it: once all is answered.
func (n *Node) keepCounts(ctx context.Context) (end func(cause error)) {
	if n.tally == nil {
		return func(error) {}
	}
	ctx, stop := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if n.waitGone(ctx) {
			n.sendCounts(ctx)
		} else {
			n.log.Warn("what was counted is lost: the process before has the folder of statistics still")
		}
	}()
	return func(cause error) {
		stop(cause)
		<-done
	}
}

// goneWithin is how long an edge that ends waits for the process before to have
// written what it counted last.
const goneWithin = 5 * time.Second

// waitGone waits until the process before has ended; once ctx has, not for long.
func (n *Node) waitGone(ctx context.Context) bool {
	gone := n.process.Gone()
	select {
	case <-gone:
		return true
	case <-ctx.Done():
	}
	select {
	case <-gone:
		return true
	case <-time.After(goneWithin):
		return false
	}
}

// sendCounts brings counts to the control plane until ctx ends. While there is
// no folder for them, which must not keep the edge from answering, it tries
// again: what is counted meanwhile waits.
func (n *Node) sendCounts(ctx context.Context) {
	box, err := outbox.Open(n.tally.config)
	for err != nil {
		n.log.Error("statistics wait for a folder", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(n.tally.every):
		}
		box, err = outbox.Open(n.tally.config)
	}
	n.tally.outbox.Store(box)
	var sending sync.WaitGroup
	sending.Go(func() { box.Run(ctx) })
	n.count(ctx)
	sending.Wait()
	n.lastCounts(ctx)
}

// count puts what was counted into the outbox, at the end of each minute, until
// ctx ends.
func (n *Node) count(ctx context.Context) {
	t := n.tally
	t.since = time.Now()
	for {
		next := time.Until(t.since.Truncate(t.every).Add(t.every))
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(next, t.every)): // the clock may have been set back
			n.putCounts()
		}
	}
}

// putCounts puts what was counted since the last time into the outbox.
func (n *Node) putCounts() {
	t := n.tally
	minute := t.since
	t.since = time.Now()
	if err := t.outbox.Load().Put(minute, t.counts.Drain()); err != nil {
		n.log.Error("statistics wait in memory", "error", err)
	}
}

// lastCounts puts what was counted until the end into the outbox, and sends it
// if the control plane is quick; else the next start will, or the next process.
func (n *Node) lastCounts(ctx context.Context) {
	n.putCounts()
	if handover.TakenOver(ctx) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := n.tally.outbox.Load().Send(ctx); err != nil {
		n.log.Warn("statistics wait for the next start", "error", err)
	}
}

// statistics sends what became of the counts.
func (m *metrics) statistics(s scrape) {
	box := m.n.tally.outbox.Load()
	if box == nil {
		return
	}
	c := box.Counters()
	const batches = "batches of statistics by what became of them: sent to the control plane, refused by it, dropped for being too old, too many or damaged"
	s.count("statistics_batches_total", batches, c.Sent, "result", "sent")
	s.count("statistics_batches_total", batches, c.Refused, "result", "refused")
	s.count("statistics_batches_total", batches, c.Dropped, "result", "dropped")
	s.count("statistics_send_errors_total", "attempts to send statistics that failed and are made again", c.Failed)
	s.count("statistics_disk_errors_total", "times statistics could not be written to data_dir and stayed in memory", c.Unwritten)
	s.gauge("statistics_batches_waiting", "batches of statistics that wait to be sent", c.Waiting)
	s.gauge("statistics_bytes_waiting", "bytes of these batches", int(c.Bytes))
}
