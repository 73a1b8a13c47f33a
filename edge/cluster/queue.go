package cluster

import (
	"slices"
	"sync"

	"github.com/waypost/waypost/edge/cluster/vote"
)

// A bulletin is what others should be told.
type bulletin struct {
	urgent []vote.Report // which may change what is decided
	rest   []vote.Report
	drains []vote.Drain // urgent too
}

// add adds a report by what it meant to the book.
func (b *bulletin) add(r *vote.Report, o vote.Outcome) {
	switch o {
	case vote.Urgent:
		b.urgent = append(b.urgent, *r)
	case vote.News:
		b.rest = append(b.rest, *r)
	}
}

// len returns how many reports and orders there are.
func (b *bulletin) len() int { return len(b.urgent) + len(b.rest) + len(b.drains) }

// A queue has what waits to be gossiped: of each observer and host, and of each
// order, what is newest. What is urgent goes first, and of that what was told
// least often, the last one first: the older ones are more likely to be on their
// way from others. The rest takes the room that is left, so that a cold start
// holds up nobody who has a mirror to call down; but it goes first in one of
// [restFirst] messages, for in a large cluster some probe fails at any time. It
// is safe for any number of goroutines.
type queue struct {
	times func() int // how often each piece is told

	mu      sync.Mutex // guards what follows
	waiting map[subject]*piece
	takes   int
	lines   [2][][]*piece // urgent, and the rest; each by how often it was told. A piece that is not waiting any more has no meaning
	past    int           // how many pieces may be in lines that have no meaning
}

// restFirst is of how many messages there is one that begins with the rest.
const restFirst = 4

// A subject is what a piece is about: of two pieces, the newer one counts.
type subject struct {
	observer, host string // of a report
	edge           bool
	name           string // of an order
}

// A piece is a report or an order.
type piece struct {
	subject

	report vote.Report
	drain  *vote.Drain // nil: it is a report
	line   int
	told   int
}

// compare orders two pieces on one subject, the older one first.
func (p *piece) compare(other *piece) int {
	if p.drain != nil {
		return p.drain.Compare(other.drain)
	}
	return p.report.Version.Compare(other.report.Version)
}

func newQueue(times func() int) *queue {
	return &queue{times: times, waiting: map[subject]*piece{}}
}

// add has others told of a bulletin.
func (q *queue) add(b *bulletin) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range b.drains {
		d := &b.drains[i]
		q.push(&piece{subject: subject{edge: d.Edge, name: d.Name}, drain: d})
	}
	for line, reports := range [2][]vote.Report{b.urgent, b.rest} {
		for i := range reports {
			r := &reports[i]
			q.push(&piece{subject: subject{observer: r.Observer, host: r.Host}, report: *r, line: line})
		}
	}
}

// push queues a piece, in the place of an older one that waits. The caller holds
// the mutex.
func (q *queue) push(p *piece) {
	if older := q.waiting[p.subject]; older != nil {
		if older.compare(p) > 0 {
			return // it was overtaken on its way here
		}
		p.line = min(p.line, older.line) // who has not heard of the older one has to hurry
		if older.told == 0 && older.line == p.line {
			older.report, older.drain = p.report, p.drain
			return
		}
		q.past++
	}
	q.waiting[p.subject] = p
	if q.line(p); q.past > len(q.waiting) {
		q.sweep()
	}
}

// sweep takes out of the lines what is not waiting any more: where there is always
// more news than room, their fronts are never reached. The caller holds the mutex.
func (q *queue) sweep() {
	q.past = 0
	for _, lines := range q.lines {
		for told := range lines {
			lines[told] = slices.DeleteFunc(lines[told], func(p *piece) bool { return q.waiting[p.subject] != p })
		}
	}
}

// line puts a piece at the end of its line. The caller holds the mutex.
func (q *queue) line(p *piece) {
	lines := &q.lines[p.line]
	for len(*lines) <= p.told {
		*lines = append(*lines, nil)
	}
	(*lines)[p.told] = append((*lines)[p.told], p)
}

// take returns the next message, of up to so many bytes; nil if there is none.
func (q *queue) take(limit int) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	pack := vote.NewPack(limit - 1)
	var taken []*piece
	lines := [2]*[][]*piece{&q.lines[0], &q.lines[1]}
	if q.takes++; q.takes%restFirst == 0 {
		slices.Reverse(lines[:])
	}
	for _, line := range lines {
		for told := range *line {
			taken = q.drainLine(&(*line)[told], pack, taken)
		}
	}
	if len(taken) == 0 {
		return nil
	}
	times := q.times()
	for _, p := range taken {
		if p.told++; p.told < times {
			q.line(p)
		} else {
			delete(q.waiting, p.subject)
		}
	}
	return pack.Append(append(make([]byte, 0, limit), reports))
}

// drainLine moves pieces from the end of a line to a message, as many as
// there is room for. The caller holds the mutex.
func (q *queue) drainLine(line *[]*piece, pack *vote.Pack, taken []*piece) []*piece {
	for len(*line) > 0 {
		last := len(*line) - 1
		p := (*line)[last]
		if q.waiting[p.subject] == p {
			if p.drain != nil && !pack.Drain(p.drain) || p.drain == nil && !pack.Report(&p.report) {
				return taken
			}
			taken = append(taken, p)
		}
		*line = (*line)[:last]
	}
	*line = nil
	return taken
}

// len returns how many pieces wait.
func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}
