package cluster

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
)

// A council has all that decisions follow from. It knows nothing of the
// network: what is to be told, it returns. Its methods are safe for any number
// of goroutines; none of them blocks or calls back.
type council struct {
	self    string
	fall    int
	maxDown float64

	arranging sync.Mutex // held while roll and hosts change, which takes a while

	mu       sync.Mutex // guards what follows
	book     *vote.Book
	drains   *vote.Drains
	roll     *vote.Roll
	hosts    []vote.Host            // by name; replaced, never changed
	own      map[string]vote.Sights // of hosts, as seen here
	renewed  time.Time              // when an earlier life was last heard of
	swept    time.Time              // the book
	decided  bool
	decision vote.Decision
}

func newCouncil(self string, fall int, maxDown float64) *council {
	return &council{
		self: self, fall: fall, maxDown: maxDown,
		book: vote.NewBook(self), drains: vote.NewDrains(), roll: vote.NewRoll(nil),
		own: map[string]vote.Sights{},
	}
}

// inherit has what another process of this edge has decided be what was decided
// before, up to the first decision here.
func (c *council) inherit(down []health.Target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.decision.Down = slices.SortedFunc(slices.Values(down), vote.CompareTargets)
}

// see notes what this edge sees, and returns what others should be told.
func (c *council) see(seen []vote.Seen, abstains [health.Kinds]bool) (tell bulletin) {
	c.mu.Lock()
	defer c.mu.Unlock()
	hosts := map[string]bool{"": true}
	for _, s := range seen {
		sights := c.own[s.Target.Host]
		sights[s.Target.Kind()] = s.Sight
		c.own[s.Target.Host] = sights
		hosts[s.Target.Host] = true
	}
	var itself vote.Sights
	for k, abstain := range abstains {
		if abstain {
			itself[k].State = vote.Failing
		}
	}
	c.own[""] = itself
	for _, host := range slices.Sorted(maps.Keys(hosts)) {
		r, outcome := c.book.Say(host, c.own[host])
		tell.add(&r, outcome)
		if c.own[host] == (vote.Sights{}) {
			delete(c.own, host)
		}
	}
	return tell
}

// renewPause is the time between two renewals of all own reports. One is enough
// for an edge that starts anew; but of two edges with one name, each would take
// the other for its earlier life, and both would shout as fast as they can.
const renewPause = 10 * time.Second

// heard is what came of a message from others.
type heard struct {
	news    bulletin        // what was not known, for those who have not heard it yet
	renewed bulletin        // all own reports, since an earlier life of this edge is remembered
	again   bool            // it is
	look    []health.Target // that fail elsewhere, and are good as seen here
}

// hear takes in what others say.
func (c *council) hear(m *vote.Message, now time.Time) (h heard) {
	c.mu.Lock()
	defer c.mu.Unlock()
	renewed := false
	for i := range m.Reports {
		r := &m.Reports[i]
		if r.Observer == c.self && now.Sub(c.renewed) < renewPause {
			continue
		}
		switch outcome := c.book.Merge(r); outcome {
		case vote.Renewed:
			renewed, c.renewed = true, now
		case vote.News, vote.Urgent:
			h.news.add(r, outcome)
			h.look = append(h.look, c.contradicts(r)...)
		}
	}
	for _, d := range m.Drains {
		if c.drains.Merge(now, d) {
			h.news.drains = append(h.news.drains, d)
		}
	}
	if h.again = renewed; renewed {
		for _, r := range c.book.Own() {
			h.renewed.add(&r, new(vote.Sights).Change(&r.Sights))
		}
	}
	return h
}

// contradicts returns the targets that fail by a report and are good as seen here.
func (c *council) contradicts(r *vote.Report) (look []health.Target) {
	own, ok := c.own[r.Host]
	if !ok {
		return nil
	}
	for k := range own {
		if own[k].State == vote.Good && r.Sights[k].State.Against() {
			look = append(look, health.Kind(k).Of(r.Host))
		}
	}
	return look
}

// all returns all that is known, for an edge that compares.
func (c *council) all(now time.Time) *vote.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := &vote.Message{Drains: c.drains.All(now)}
	for _, o := range c.book.Observers() {
		m.Reports = slices.AppendSeq(m.Reports, c.book.Of(o))
	}
	return m
}

// setHosts tells which hosts there are, in any order.
func (c *council) setHosts(hosts []vote.Host) {
	hosts = slices.Clone(hosts)
	slices.SortFunc(hosts, func(a, b vote.Host) int { return strings.Compare(a.Name, b.Name) })
	c.arranging.Lock()
	defer c.arranging.Unlock()
	c.arrange(hosts, c.roll)
}

// setMembers tells which edges probe.
func (c *council) setMembers(members []vote.Member) {
	roll := vote.NewRoll(members)
	c.arranging.Lock()
	defer c.arranging.Unlock()
	c.arrange(slices.Clone(c.hosts), roll)
}

// arrange fills in the observers of hosts, which takes 30 ms for 1,000 hosts of
// 1,000 edges, and sets both. The caller holds arranging, and not the mutex.
func (c *council) arrange(hosts []vote.Host, roll *vote.Roll) {
	for i := range hosts {
		hosts[i].Observers = roll.Of(hosts[i].Name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hosts, c.roll = hosts, roll
}

// turns returns which hosts this edge probes: the place of its turn among
// those of all observers of the host, and how many they are.
func (c *council) turns() func(host string) (turn, of int, mine bool) {
	c.mu.Lock()
	roll, self := c.roll, c.self
	c.mu.Unlock()
	return func(host string) (turn, of int, mine bool) {
		observers := roll.Of(host)
		turn, mine = slices.BinarySearch(observers, self)
		return turn, len(observers), mine
	}
}

// forget drops what observers said that are not alive, for a message that was on
// its way when one died can come after that; and what is empty. It is to be
// called now and then.
func (c *council) forget(now time.Time, alive func(name string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.book.Observers() {
		if !alive(o) {
			c.book.Forget(o)
		}
	}
	if now.Sub(c.swept) >= remember {
		c.book.Sweep()
		c.swept = now
	}
}

// question returns what is to be decided. The caller holds the mutex.
func (c *council) question(now time.Time) *question {
	return &question{vote.Question{
		Hosts: c.hosts, Book: c.book, Fall: c.fall, MaxDown: c.maxDown,
		Drains: c.drains, Now: now, Before: c.decision.IsDown,
	}}
}

// findHost returns where a host is.
func findHost(hosts []vote.Host, name string) (at int, ok bool) {
	return slices.BinarySearchFunc(hosts, name, func(h vote.Host, name string) int { return strings.Compare(h.Name, name) })
}

// A verdict is what was decided.
type verdict struct {
	vote.Decision

	changed bool            // it is not what it was
	confirm []health.Target // down, and only doubtful as seen here
	next    time.Time       // when an order ends; zero: none does

	fell, rose []change // what has gone down and up
}

// decide decides.
func (c *council) decide(now time.Time) (v verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.question(now)
	d := vote.Decide(&q.Question)
	v.fell, v.rose = q.changes(&c.decision, &d)
	v.Decision, v.next = d, c.drains.Next(now)
	v.changed = !d.Equal(&c.decision) || !c.decided
	c.decision, c.decided = d, true
	for _, t := range d.Down {
		if c.own[t.Host][t.Kind()].State == vote.Doubtful {
			v.confirm = append(v.confirm, t)
		}
	}
	return v
}

// order orders or ends a drain, and returns what others should be told.
func (c *council) order(now time.Time, what vote.Drain) vote.Drain {
	c.mu.Lock()
	defer c.mu.Unlock()
	what.Author = c.self
	return c.drains.Order(now, what)
}

// orders returns those in force.
func (c *council) orders(now time.Time) []vote.Drain {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drains.All(now)
}

// isDrained reports whether a host or an edge is drained.
func (c *council) isDrained(now time.Time, name string, edge bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drains.Has(now, name, edge)
}

// drainedUntil returns until when this edge is drained; zero: it is not.
func (c *council) drainedUntil() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drains.Until(c.self, true)
}
