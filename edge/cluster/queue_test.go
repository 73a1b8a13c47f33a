package cluster

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/waypost/waypost/edge/cluster/vote"
)

// said is a report of edge a.
func said(host string, counter uint64, s vote.State) vote.Report {
	return vote.Report{Observer: "a", Host: host, Version: vote.Version{Incarnation: 1, Counter: counter}, Sights: vote.Sights{{State: s}}}
}

// taken returns what the next message is about.
func taken(t *testing.T, q *queue, limit int) (about []string) {
	t.Helper()
	b := q.take(limit)
	if b == nil {
		return nil
	}
	if len(b) > limit || b[0] != reports {
		t.Fatalf("%d bytes, want at most %d", len(b), limit)
	}
	m, err := vote.Parse(b[1:])
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range m.Reports {
		about = append(about, fmt.Sprint(r.Host, r.Version.Counter))
	}
	for _, d := range m.Drains {
		about = append(about, d.Name)
	}
	slices.Sort(about)
	return about
}

// TestUrgent: what is urgent goes first, however much of the rest there is, and
// what is newer takes the place of the older.
func TestUrgent(t *testing.T) {
	q := newQueue(func() int { return 2 })
	var rest bulletin
	for i := range 1000 {
		rest.rest = append(rest.rest, said(fmt.Sprintf("cold%03d.", i), 1, vote.Good))
	}
	q.add(&rest)
	q.add(&bulletin{urgent: []vote.Report{said("h", 1, vote.Doubtful)}, drains: []vote.Drain{{Name: "drained", On: true}}})
	q.add(&bulletin{urgent: []vote.Report{said("h", 2, vote.Failing)}})
	q.add(&bulletin{rest: []vote.Report{said("h", 3, vote.Failing)}}) // for another reason: others do not know yet
	for range 2 {
		got := taken(t, q, 1000)
		if len(got) < 40 || !slices.Contains(got, "h3") || !slices.Contains(got, "drained") || slices.Contains(got, "h2") {
			t.Errorf("%v", got)
		}
	}
	if got := taken(t, q, 1000); slices.Contains(got, "h3") {
		t.Error("it is told a third time")
	}
	if got := taken(t, q, 12); got != nil {
		t.Errorf("%v in 12 bytes", got)
	}
	for q.take(1000) != nil {
	}
	if n := q.len(); n > 0 {
		t.Errorf("%d wait", n)
	}
}

// TestQueue adds and takes at random: each subject is told in its newest version
// as often as it should be, and least often told first; nobody waits in vain.
func TestQueue(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 7))
		q := newQueue(func() int { return 3 })
		newest, told := map[string]uint64{}, map[string]int{}
		check := func(about []string) {
			for _, a := range about {
				if told[a]++; told[a] > 3 {
					t.Fatalf("seed %d: %s is told %d times", seed, a, told[a])
				}
			}
		}
		for range 300 {
			host := fmt.Sprintf("host%02d.", r.IntN(40))
			newest[host]++
			b := bulletin{}
			b.add(new(said(host, newest[host], vote.Good)), []vote.Outcome{vote.News, vote.Urgent}[r.IntN(2)])
			q.add(&b)
			if r.IntN(3) == 0 {
				check(taken(t, q, 20+r.IntN(200)))
			}
		}
		for q.len() > 0 {
			check(taken(t, q, 100))
		}
		for host, version := range newest {
			if about := fmt.Sprint(host, version); told[about] != 3 {
				t.Fatalf("seed %d: %s was told %d times", seed, about, told[about])
			}
		}
	}
}

// TestOvertaken: of two pieces on one subject the newer one is told, in whatever
// order they come.
func TestOvertaken(t *testing.T) {
	q := newQueue(func() int { return 8 })
	order := func(counter uint64, author string) vote.Drain {
		return vote.Drain{Name: "drained", On: counter == 2, Counter: counter, Author: author}
	}
	for _, b := range []bulletin{
		{rest: []vote.Report{said("h", 2, vote.Good)}, drains: []vote.Drain{order(2, "b")}},
		{urgent: []vote.Report{said("h", 1, vote.Failing)}, drains: []vote.Drain{order(1, "c")}},
		{drains: []vote.Drain{order(2, "a")}},
	} {
		q.add(&b)
	}
	m, err := vote.Parse(q.take(1000)[1:])
	if err != nil || len(m.Reports) != 1 || m.Reports[0].Version.Counter != 2 || len(m.Drains) != 1 || m.Drains[0].Author != "b" {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestRest: however much is urgent, the rest is told, too.
func TestRest(t *testing.T) {
	q := newQueue(func() int { return 8 })
	q.add(&bulletin{rest: []vote.Report{said("rest", 1, vote.Good)}})
	told := 0
	for i := range 8 * restFirst {
		var b bulletin
		for host := range 100 {
			b.urgent = append(b.urgent, said(fmt.Sprintf("host%02d.", host), uint64(i), vote.Failing))
		}
		q.add(&b)
		if slices.Contains(taken(t, q, 300), "rest1") {
			told++
		}
	}
	if told != 8 {
		t.Errorf("it is told %d times", told)
	}
}

// TestQueueAlone: an edge that is alone keeps no more than there is to tell.
func TestQueueAlone(t *testing.T) {
	q := newQueue(func() int { return 8 })
	for i := range uint64(10_000) {
		for _, host := range []string{"h1", "h2"} {
			b := bulletin{}
			b.add(new(said(host, i, vote.Good)), []vote.Outcome{vote.News, vote.Urgent}[i%2])
			q.add(&b)
		}
	}
	lines := 0
	for _, line := range slices.Concat(q.lines[0], q.lines[1]) {
		lines += len(line)
	}
	if subjects := len(slices.Collect(maps.Keys(q.waiting))); subjects != 2 || lines > 4 {
		t.Errorf("%d subjects in %d places", subjects, lines)
	}
}

// TestMoreThanRoom: where there is always more news than messages have room for, the
// queue holds no more than what waits, and as much again.
func TestMoreThanRoom(t *testing.T) {
	q := newQueue(func() int { return 30 })
	for i := range 3000 {
		var b bulletin
		for j := range 40 {
			b.urgent = append(b.urgent, said(fmt.Sprint((40*i+j)%1200), uint64(i+1), vote.Failing))
		}
		q.add(&b)
		for range 3 {
			q.take(1300)
		}
	}
	held := 0
	for _, line := range slices.Concat(q.lines[0], q.lines[1]) {
		held += len(line)
	}
	if held > 2*q.len()+1 {
		t.Errorf("%d pieces are held, of which %d wait", held, q.len())
	}
}
