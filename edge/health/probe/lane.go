package probe

import (
	"container/heap"
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/waypost/waypost/edge/health"
)

// A lane is where targets wait for their probes, the one that is due first in
// front. Each kind has two, one for the turns and one for second looks, and in
// each only so many probes run at once. So a kind whose probes all wait for
// their timeouts holds up no other, and who fails is looked at again in time
// however late the turns of the others are.
type lane struct {
	waiting queue
	running int // probes
}

// The lanes of a kind.
const (
	turns   = iota // of targets whose last result was as expected, and new ones
	seconds        // of targets whose last result was not, or not that of others
	lanes
)

// wait has a target that no probe is on wait for its next one.
func (p *Prober) wait(t *target, due time.Time, which int) {
	p.leave(t)
	t.lane, t.due = &p.lanes[t.kind()][which], due
	heap.Push(&t.lane.waiting, t)
}

// hasten has a target that waits be due at an earlier time, in the same lane.
func (t *target) hasten(due time.Time) {
	t.due = due
	heap.Fix(&t.lane.waiting, t.at)
}

// leave takes a target out of its lane, where it waits in one.
func (p *Prober) leave(t *target) {
	if t.at >= 0 {
		heap.Remove(&t.lane.waiting, t.at)
	}
}

// How many probes a lane has room for by default. Where there are few targets, all
// are looked at without delay after a start.
const (
	leastAtOnce = 16
	mostAtOnce  = 4096
)

// descriptors returns how many file descriptors the process may have
// (RLIMIT_NOFILE), some million at most.
func descriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return int(min(limit.Cur, 1<<20))
}

// roomIn returns how many probes a lane has room for at most by default, so that
// all lanes together take no more than a quarter of the descriptors: the others
// are for clients.
func roomIn(descriptors int) int {
	return min(max(leastAtOnce, descriptors/4/(lanes*health.Kinds)), mostAtOnce)
}

// atOnce returns how many probes of a kind may run at once in each lane. What it
// takes to keep the interval where all time out it has twice, since a probe may
// ask for two files, as far as there is room.
func (p *Prober) atOnce(k health.Kind) int {
	if p.config.Concurrency > 0 {
		return p.config.Concurrency
	}
	busy := time.Duration(p.kinds[k].targets) * p.config.Timeout / p.config.Interval
	return min(max(leastAtOnce, 2*int(busy)), p.room)
}

// start starts the probes that are due, as far as there is room, and returns
// how long until the next one is due.
func (p *Prober) start(ctx context.Context, probes *sync.WaitGroup) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, next := time.Now(), time.Hour // where there is no room, a result comes before
	for k := range p.lanes {
		for i := range p.lanes[k] {
			l := &p.lanes[k][i]
			for l.running < p.atOnce(health.Kind(k)) && len(l.waiting) > 0 {
				if wait := l.waiting[0].due.Sub(now); wait > 0 {
					next = min(next, wait)
					break
				}
				p.startOne(ctx, probes, l.waiting[0])
			}
		}
	}
	return next
}

// take takes a target out of its lane for a probe.
func (p *Prober) take(t *target) {
	p.leave(t)
	t.lane.running++
}

// startOne starts a target's probe.
func (p *Prober) startOne(ctx context.Context, probes *sync.WaitGroup, t *target) {
	p.take(t)
	how := t.ask()
	probes.Go(func() {
		found := outcome{t, p.probe(ctx, how, t.name.Family)}
		select {
		case p.done <- found:
		case <-ctx.Done(): // Run takes no more
		}
	})
}

// late returns for how long the target has been due that waits for room longest,
// in either lane of a kind; 0 where none does.
func (p *Prober) late(k health.Kind, now time.Time) (longest time.Duration) {
	for i := range p.lanes[k] {
		if l := &p.lanes[k][i]; len(l.waiting) > 0 {
			longest = max(longest, now.Sub(l.waiting[0].due))
		}
	}
	return longest
}

// A queue is a heap of targets, the one that is due first on top.
type queue []*target

// Len returns the number of targets, for [heap.Interface].
func (q queue) Len() int { return len(q) }

// Less reports whether target i is due before target j.
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

// Swap swaps two targets.
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

// Push appends a target; use [heap.Push].
func (q *queue) Push(x any) {
	t := x.(*target) // only targets are pushed
	t.at = len(*q)
	*q = append(*q, t)
}

// Pop takes the last target off; use [heap.Pop].
func (q *queue) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	t.at = -1
	return t
}
