package cluster

import (
	"container/heap"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
)

// The simulation is a model of gossip in virtual time, event by event: the real
// councils, books, messages and queues of all edges, on a network that is only
// a delay and a share of loss. What memberlist does by itself (probes of
// members, exchanges of all that is known) is not simulated but added up, from
// the sizes of its messages; only there timings matter, wan or lan.
//
//	go test ./edge/cluster -run TestSimulation -v -timeout 30m -args -edges 1000 -hosts 1000 -plot "$PWD/bench/baseline/cluster.svg"
var (
	simEdges = flag.Int("edges", 60, "edges in the simulation")
	simHosts = flag.Int("hosts", 60, "hosts in the simulation")
	simPlot  = flag.String("plot", "", "file to draw the simulation's curves in, as SVG")
)

const (
	simRegions = 10
	simKey     = 29 + 9 + 5 + 28 // bytes of a packet for encryption, label, checksum, UDP and IP
)

// A simulation is a cluster.
type simulation struct {
	*rand.Rand

	settings *memberlist.Config // of either timings: how gossip goes is the same
	edges    []*simEdge
	hosts    []vote.Host
	loss     float64
	silent   time.Duration // how long a probe of a dead host takes

	now    time.Duration
	events simQueue

	dead    map[string]time.Duration // since when
	decided map[string][]time.Duration
	knows   map[string][]time.Duration // by report: when each edge got it
}

// A simEdge is one of the edges.
type simEdge struct {
	council *council
	queue   *queue
	region  int
	bytes   int // sent by gossip
	packets int
	probing map[string]bool // of dead hosts
	down    map[string]bool
}

// An event is something that happens at a time.
type simEvent struct {
	at time.Duration
	do func()
}

type simQueue []simEvent

func (q simQueue) Len() int           { return len(q) }
func (q simQueue) Less(i, j int) bool { return q[i].at < q[j].at }
func (q simQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *simQueue) Push(x any)        { *q = append(*q, x.(simEvent)) }
func (q *simQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func (s *simulation) after(d time.Duration, do func()) {
	heap.Push(&s.events, simEvent{s.now + d, do})
}

// run lets time pass.
func (s *simulation) run(d time.Duration) {
	for end := s.now + d; ; {
		if len(s.events) == 0 || s.events[0].at > end {
			s.now = end
			return
		}
		e := heap.Pop(&s.events).(simEvent)
		s.now = e.at
		e.do()
	}
}

// newSimulation makes a cluster in which every host is well, and everybody
// knows; of those hosts that matter only, to save memory.
func newSimulation(edges, hosts int, matter func(host int) bool) *simulation {
	s := &simulation{
		Rand: rand.New(rand.NewPCG(1, uint64(edges))), loss: 0.01,
		dead: map[string]time.Duration{}, decided: map[string][]time.Duration{}, knows: map[string][]time.Duration{},
	}
	s.settings = (&Config{}).memberlist()
	var members []vote.Member
	for i := range edges {
		e := &simEdge{
			council: newCouncil(fmt.Sprintf("edge%04d", i), 2, 1), region: i % simRegions,
			probing: map[string]bool{}, down: map[string]bool{},
		}
		e.queue = newQueue(func() int { return times(edges) })
		s.edges = append(s.edges, e)
		members = append(members, vote.Member{Name: e.council.self, Region: fmt.Sprint(e.region)})
		s.after(s.N(s.settings.GossipInterval), func() { s.gossip(e) })
	}
	roll := vote.NewRoll(members)
	for i := range hosts {
		h := vote.Host{Name: fmt.Sprintf("mirror%04d.example.org", i), Kinds: [health.Kinds]bool{true, true, true, true}}
		h.Observers = roll.Of(h.Name)
		s.hosts = append(s.hosts, h)
		if matter(i) {
			s.befriend(&h)
		}
	}
	return s
}

// N returns a random duration below d.
func (s *simulation) N(d time.Duration) time.Duration { return time.Duration(s.Int64N(int64(d))) }

func (s *simulation) edge(name string) *simEdge {
	var i int
	_, _ = fmt.Sscanf(name, "edge%d", &i)
	return s.edges[i]
}

// sights are those of a host with four kinds that are all alike.
func simSights(state vote.State) (seen vote.Sights) {
	for k := range seen {
		seen[k] = vote.Sight{State: state, Verdict: uint8(state), RoundTrip: 120}
	}
	return seen
}

func (s *simulation) see(e *simEdge, host string, state vote.State) bulletin {
	var seen []vote.Seen
	for k, sight := range simSights(state) {
		seen = append(seen, vote.Seen{Target: health.Kind(k).Of(host), Sight: sight})
	}
	return e.council.see(seen, [health.Kinds]bool{})
}

// befriend has all know that all observers find a host well.
func (s *simulation) befriend(h *vote.Host) {
	for _, o := range h.Observers {
		m := vote.Message{Reports: s.see(s.edge(o), h.Name, vote.Good).reports()}
		for _, e := range s.edges {
			e.council.hear(&m, time.Time{})
		}
	}
}

// gossip is what memberlist does at every tick.
func (s *simulation) gossip(e *simEdge) {
	s.after(s.settings.GossipInterval, func() { s.gossip(e) })
	for range min(s.settings.GossipNodes, len(s.edges)-1) {
		message := e.queue.take(s.settings.UDPBufferSize - 2 - 9 - 29 - 3)
		if message == nil {
			return
		}
		e.bytes, e.packets = e.bytes+simKey+3+len(message), e.packets+1
		to := s.edges[s.IntN(len(s.edges))]
		if to == e || s.Float64() < s.loss {
			continue
		}
		s.after(s.delay(e, to), func() { s.hear(to, message) })
	}
}

// delay returns how long a packet takes: some milliseconds within a region, up
// to 200 between them.
func (s *simulation) delay(a, b *simEdge) time.Duration {
	d := 5*time.Millisecond + s.N(10*time.Millisecond)
	if a.region != b.region {
		d += time.Duration((a.region*7+b.region*7)%18) * 10 * time.Millisecond
	}
	return d
}

// hear is what Cluster.hear does.
func (s *simulation) hear(e *simEdge, b []byte) {
	m, err := vote.Parse(b[1:])
	if err != nil {
		panic(err)
	}
	h := e.council.hear(m, time.Time{})
	e.queue.add(&h.news)
	for _, r := range h.news.reports() {
		s.learnt(e, &r)
	}
	for _, t := range h.look {
		s.after(s.N(time.Second), func() { s.probe(e, t.Host) })
	}
}

// learnt notes who knows what, and who has decided.
func (s *simulation) learnt(e *simEdge, r *vote.Report) {
	died, ok := s.dead[r.Host]
	if !ok {
		key := fmt.Sprint(r.Observer, r.Host, r.Version.Counter)
		s.knows[key] = append(s.knows[key], s.now)
	}
	if !ok || e.down[r.Host] {
		return
	}
	q := vote.Question{Book: e.council.book}
	at, _ := findHost(s.hosts, r.Host)
	h := &s.hosts[at]
	if f := q.Find(h, 1); f.Down(2, false) {
		e.down[r.Host] = true
		s.decided[r.Host] = append(s.decided[r.Host], s.now-died)
	}
}

// tell has an edge see something, and gossip it.
func (s *simulation) tell(e *simEdge, host string, state vote.State) {
	b := s.see(e, host, state)
	e.queue.add(&b)
	for _, r := range b.reports() {
		s.learnt(e, &r)
	}
}

// kill has a host die: its observers find out at their turns.
func (s *simulation) kill(h *vote.Host) {
	s.dead[h.Name] = s.now
	const interval = 30 * time.Second
	phase := s.N(interval)
	for turn, o := range h.Observers {
		at := (phase + interval*time.Duration(turn)/time.Duration(len(h.Observers))) % interval
		s.after(at, func() { s.probe(s.edge(o), h.Name) })
	}
}

// probe has an edge probe a host, twice if it is dead.
func (s *simulation) probe(e *simEdge, host string) {
	if _, dead := s.dead[host]; !dead || e.probing[host] {
		return
	}
	e.probing[host] = true
	s.after(s.silent, func() { s.tell(e, host, vote.Doubtful) })
	s.after(2*s.silent+time.Second, func() { s.tell(e, host, vote.Failing) })
}

// quantile returns the time by which a share of all edges are in times.
func (s *simulation) quantile(times []time.Duration, share float64) time.Duration {
	n := int(share * float64(len(s.edges))) // the last few learn it when they compare
	if len(times) < n {
		return math.MaxInt64
	}
	slices.Sort(times)
	return times[n-1]
}

// sent returns bytes and packets per edge, on average, and starts anew.
func (s *simulation) sent() (bytes, packets float64) {
	for _, e := range s.edges {
		bytes, packets = bytes+float64(e.bytes), packets+float64(e.packets)
		e.bytes, e.packets = 0, 0
	}
	return bytes / float64(len(s.edges)), packets / float64(len(s.edges))
}

// rest returns what memberlist sends by itself, in bytes a second and edge:
// probes of members, and exchanges of all that is known, without compression.
func (s *simulation) rest(timings string) (probes, exchanges float64, state int) {
	n, settings := len(s.edges), (&Config{Timings: timings}).memberlist()
	const probe = 2 * (90 + simKey) // what a probe sends and answers, each edge as often as it is asked
	probes = probe / settings.ProbeInterval.Seconds()
	all := vote.Message{}
	for i := range s.hosts {
		for _, o := range s.hosts[i].Observers {
			all.Reports = append(all.Reports, vote.Report{
				Observer: o, Host: s.hosts[i].Name, Version: vote.Version{Incarnation: 2, Counter: 5000}, Sights: simSights(vote.Good),
			})
		}
	}
	state = len(all.Append(nil))
	const member = 180 // of a member with its meta
	interval := settings.PushPullInterval.Seconds()
	if n > 32 {
		interval *= math.Ceil(math.Log2(float64(n))-5) + 1
	}
	return probes, 2 * float64(state+member*n) / interval, state
}

// worst returns the largest of the quantiles.
func (s *simulation) worst(of map[string][]time.Duration, share float64) (mean, worst time.Duration) {
	for _, times := range of {
		q := s.quantile(times, share)
		mean += q / time.Duration(len(of))
		worst = max(worst, q)
	}
	return mean, worst
}

func TestSimulation(t *testing.T) {
	var table strings.Builder
	fmt.Fprintf(&table, "%d edges in %d regions, %d hosts of 4 targets, %d observers each, 1%% of packets lost\n\n",
		*simEdges, simRegions, *simHosts, vote.Observers)
	curves := []curve{
		simulateChanges(t, &table),
		simulateDeath(t, &table, 0),
		simulateDeath(t, &table, 3*time.Second),
	}
	simulateOutage(t, &table)
	t.Log("\n" + table.String())
	if *simPlot != "" {
		title := fmt.Sprintf("%d edges, %d hosts: share of edges by time", *simEdges, *simHosts)
		if err := os.WriteFile(*simPlot, plot(title, curves), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// simulateChanges has something change now and then: at rest, one of a thousand
// probes fails and the next one does not.
func simulateChanges(t *testing.T, table *strings.Builder) curve {
	t.Helper()
	s := newSimulation(*simEdges, *simHosts, func(h int) bool { return h < 40 })
	const each = time.Minute
	probes := float64(*simHosts*vote.Observers*health.Kinds) / 30 * each.Seconds()
	changes := max(int(probes/1000), 5)
	for i := range changes {
		h := &s.hosts[i/vote.Observers%min(40, len(s.hosts))] // each observer of each once
		e := s.edge(h.Observers[i%len(h.Observers)])
		at := s.N(each)
		s.after(at, func() { s.tell(e, h.Name, vote.Doubtful) })
		s.after(at+20*time.Second, func() { s.tell(e, h.Name, vote.Good) }) // later than it is, so that all hear of both
	}
	s.run(each + 20*time.Second)
	bytes, packets := s.sent()
	s.run(time.Minute)
	first := map[string][]time.Duration{}
	for key, times := range s.knows {
		slices.Sort(times)
		from := times[0]
		for i := range times {
			times[i] -= from
		}
		first[key] = times
	}
	half, _ := s.worst(first, 0.5)
	most, worst := s.worst(first, 0.99)
	fmt.Fprintf(table, "one change      50%% know after %4.1f s, 99%% after %4.1f s on average, %4.1f s at worst\n",
		half.Seconds(), most.Seconds(), worst.Seconds())
	for _, timings := range []string{"wan", "lan"} {
		own, exchanges, state := s.rest(timings)
		fmt.Fprintf(table, "at rest, %s    %.0f B/s an edge sends: gossip %.0f (%.1f packets/s, %d changes/min), probes of members %.0f, exchanges %.0f (of %d kB)\n",
			timings, bytes/each.Seconds()+own+exchanges, bytes/each.Seconds(), packets/each.Seconds(), 2*changes, own, exchanges, (state+180*len(s.edges))/1000)
		if worst > 5*time.Second || bytes/each.Seconds()+own+exchanges > 50_000 {
			t.Errorf("the goals are 5 s and 50 kB/s:\n%s", table.String())
		}
	}
	return curve{"know of one change", s.shares(first)}
}

// simulateDeath has some hosts die, one after the other.
func simulateDeath(t *testing.T, table *strings.Builder, silent time.Duration) curve {
	t.Helper()
	s := newSimulation(*simEdges, *simHosts, func(h int) bool { return h < 20 })
	s.silent = silent
	for i := range min(20, len(s.hosts)) {
		s.kill(&s.hosts[i])
		s.run(40 * time.Second)
	}
	mean, worst := s.worst(s.decided, 0.99)
	what := map[bool]string{true: "refuses", false: "is silent"}[silent == 0]
	fmt.Fprintf(table, "a host %-9s 99%% of edges have it down after %4.1f s on average, %4.1f s at worst\n", what, mean.Seconds(), worst.Seconds())
	if len(s.decided) < min(20, len(s.hosts)) || worst > 15*time.Second {
		t.Errorf("%d decided, at worst after %v", len(s.decided), worst)
	}
	return curve{"have a host down that " + what, s.shares(s.decided)}
}

// simulateOutage has a quarter of all hosts die at once.
func simulateOutage(t *testing.T, table *strings.Builder) {
	t.Helper()
	s := newSimulation(*simEdges, *simHosts, func(h int) bool { return h%4 == 0 })
	for i := range s.hosts {
		if i%4 == 0 {
			s.kill(&s.hosts[i])
		}
	}
	peak, total, packets := 0.0, 0.0, 0.0
	for range 60 {
		s.run(time.Second)
		bytes, n := s.sent()
		peak, total, packets = max(peak, bytes), total+bytes, packets+n
	}
	s.run(time.Minute)
	mean, worst := s.worst(s.decided, 0.99)
	fmt.Fprintf(table, "%d hosts die    99%% of edges have each down after %4.1f s on average, the last after %4.1f s; "+
		"gossip %.0f B/s an edge sends at most, %.0f (%.1f packets/s) in the first minute\n",
		len(s.dead), mean.Seconds(), worst.Seconds(), peak, total/60, packets/60)
	if len(s.decided) != len(s.dead) {
		t.Errorf("%d of %d decided", len(s.decided), len(s.dead))
	}
}
