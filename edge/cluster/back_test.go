package cluster

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/memberlist"

	"github.com/waypost/waypost/edge/cluster/vote"
)

// TestBack: what an edge said before it was gone does not count when it is back,
// whoever remembers it, until it was asked anew.
func TestBack(t *testing.T) {
	a := start(t, "a", Config{})
	b := start(t, "b", Config{}, a)
	heard := func() bool {
		a.council.mu.Lock()
		defer a.council.mu.Unlock()
		return a.council.book.Sights("b", "h1")[0].State == vote.Failing
	}
	b.saw(vote.Failing)
	eventually(t, "a knows what b sees", heard)
	remembered := (&delegate{a.Cluster}).LocalState(false)
	at := b.Address()
	node := memberlist.Node{Name: "b", Addr: at.Addr().AsSlice(), Port: at.Port(), DCur: vote.Format, Meta: (&delegate{b.Cluster}).NodeMeta(512)}
	a.note(&node, false)
	a.hear(remembered, false)
	if heard() {
		t.Error("a counts what b said before it was gone")
	}
	a.note(&node, true)
	eventually(t, "a asked b", heard)
}

// TestBackPassedOn: who compares passes on what is of an edge that has just come
// back, and nothing else.
func TestBackPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Cluster{
			Options: Options{Name: "a", Log: slog.New(slog.DiscardHandler)}, council: newCouncil("a", 2, 1),
			members: map[string]*member{}, queue: newQueue(func() int { return 8 }),
		}
		note := func(name string, alive bool) {
			c.note(&memberlist.Node{Name: name, Addr: []byte{127, 0, 0, 1}, DCur: vote.Format}, alive)
		}
		compare := func(counter uint64) (told int) {
			var m vote.Message
			for _, observer := range []string{"b", "c"} {
				for i, state := range []vote.State{vote.Good, vote.Failing} {
					r := said([]string{"h1", "h2"}[i], counter, state)
					r.Observer = observer
					m.Reports = append(m.Reports, r)
				}
			}
			c.queue = newQueue(c.queue.times)
			c.hear(m.Append([]byte{reports}), false)
			for about := range c.queue.waiting {
				if about.observer != "b" {
					t.Errorf("%v is passed on", about)
				}
			}
			return c.queue.len()
		}
		note("b", true)
		note("c", true)
		if n := compare(1); n != 0 {
			t.Errorf("%d reports are passed on before anybody was gone", n)
		}
		note("b", false)
		note("b", true)
		if n := compare(2); n != 2 {
			t.Errorf("%d reports are passed on, want those of b", n)
		}
		time.Sleep(2 * backFor)
		if n := compare(3); n != 0 {
			t.Errorf("%d reports are passed on long after", n)
		}
	})
}

// TestFormats: edges of other formats are alive, and no observers; what they say
// is logged once.
func TestFormats(t *testing.T) {
	var log logbook
	c := &Cluster{Options: Options{Name: "a", Log: log.logger()}, council: newCouncil("a", 2, 1), members: map[string]*member{}}
	for i, name := range []string{"a", "b", "c"} {
		n := &memberlist.Node{Name: name, Addr: []byte{127, 0, 0, 1}, DCur: vote.Format, Meta: (&Meta{Probes: true}).encode()}
		n.DCur += uint8(i % 2)
		c.note(n, true)
	}
	voters, alive := c.voters()
	if diff := cmp.Diff([]vote.Member{{Name: "a"}, {Name: "c"}}, voters); diff != "" || alive != 3 {
		t.Errorf("%d are alive; %s", alive, diff)
	}
	for range 2 {
		c.hear([]byte{reports, vote.Format + 1}, true)
	}
	if got := log.String(); strings.Count(got, "want a message of edges in format 2, got 3") != 1 || c.refusals.malformed.Load() != 2 {
		t.Errorf("logged %s", got)
	}
}
