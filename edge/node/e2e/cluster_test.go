//go:build e2e && linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/waypost/waypost/edge/cluster"
)

const (
	clusterEdges = 7
	mirrorCount  = 30
)

// A fleet is seven edges of one cluster and thirty mirrors, each edge in a
// network of its own, on one switch.
type fleet struct {
	t       *testing.T
	hub     namespace
	wire    wire
	mirrors [mirrorCount]*smallMirror
	edges   []*clusterEdge
	dir     string
}

// A clusterEdge is one of the edges.
type clusterEdge struct {
	namespace

	name    string
	address netip.Addr
	client  http.Client
	process *process
}

// bad are the mirrors that are never up, by number, and slow the one that is.
func badMirror(i int) bool { return i >= 25 }

func mirrorName(i int) string { return fmt.Sprintf("m%02d", i) }

// newFleet starts everything. Probes and the cluster's timings are as given.
func newFleet(t *testing.T, health, timings string) *fleet {
	t.Helper()
	f := &fleet{t: t, hub: newNamespace(t, "hub"), dir: t.TempDir()}
	f.hub.run(t, "ip", "link", "add", "br0", "type", "bridge")
	f.hub.run(t, "ip", "link", "set", "br0", "up")
	f.hub.address(t, "br0", "10.9.255.1/16")
	f.startMirrors()
	write(t, filepath.Join(f.dir, "gossip.key"), cluster.GenerateKey()+"\n")
	for i := range clusterEdges {
		f.startEdge(i, health, timings)
	}
	f.eventually(3*time.Minute, "all edges know all, and have the same mirrors", func() bool {
		return f.all(func(e *clusterEdge) bool {
			return f.alive(e) == clusterEdges && slices.Equal(f.listed(e), f.wellKnown())
		})
	})
	f.quiet()
	return f
}

// quiet waits until there has been no news for a while: what timed out while
// all edges started at once on a small machine has been looked at anew.
func (f *fleet) quiet() {
	f.t.Helper()
	since, last := time.Now(), -1.0
	f.eventually(3*time.Minute, "nobody has news", func() bool {
		sum := 0.0
		for _, e := range f.edges {
			sum += f.metric(e, "waypost_cluster_news_total")
		}
		if sum != last {
			since, last = time.Now(), sum
		}
		return time.Since(since) > 3*time.Second
	})
}

func (f *fleet) startMirrors() {
	for i := range f.mirrors {
		at := fmt.Sprintf("10.9.1.%d", i+1)
		f.hub.address(f.t, "br0", at+"/16")
		m := &smallMirror{t: f.t, hub: f.hub, address: at + ":80", serve: goodMirror}
		switch i {
		case 23, 24:
			m.serve = slowMirror(time.Second) // and yet good
		case 25:
			m.serve = slowMirror(time.Minute)
		case 26:
			m.serve = softMissing
		case 27:
			m.serve = http.NotFound
		case 28:
			m.address, m.tls = at+":443", expired(f.t, at)
		}
		f.mirrors[i] = m
		if i != 29 { // which is dead
			m.up()
		}
		f.t.Cleanup(m.down)
	}
}

// catalog has the mirrors, in six countries.
func (f *fleet) catalog() string {
	var b strings.Builder
	b.WriteString("categories: [{name: a, path: pub/a}, {name: b, path: pub/b}]\nhosts:\n")
	for i, m := range f.mirrors {
		scheme := "http"
		if m.tls != nil {
			scheme = "https"
		}
		at := fmt.Sprintf("10.9.1.%d", i+1)
		fmt.Fprintf(&b, "  - {name: %s, country: %s, addresses: [%s], urls: {%s: [%q]}}\n",
			mirrorName(i), []string{"DE", "FR", "US", "CA", "JP", "BR"}[i%6], at, halves[i%2], scheme+"://"+at+"/os")
	}
	fmt.Fprintf(&b, "files: [{path: pub/a/f.iso, size: %d}, {path: pub/b/f.iso, size: %[1]d}]\n", isoSize)
	return b.String()
}

func (f *fleet) startEdge(i int, health, timings string) {
	e := &clusterEdge{
		name: fmt.Sprint("edge", i+1), address: netip.AddrFrom4([4]byte{10, 9, 0, byte(i + 1)}),
	}
	e.namespace = newNamespace(f.t, e.name)
	join(f.t, e.namespace, f.hub, []string{e.address.String() + "/16"}, nil)
	f.hub.run(f.t, "ip", "link", "set", "to-"+e.name, "master", "br0")
	relay := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, 2, byte(i + 1)}), 7946)
	f.hub.address(f.t, "br0", relay.Addr().String()+"/16")
	f.wire.relay(f.t, f.hub, relay, netip.AddrPortFrom(e.address, 7946))
	e.client = http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
			return e.dial(f.t, network, address)
		},
	}}
	dir := filepath.Join(f.dir, e.name)
	write(f.t, filepath.Join(dir, "catalog.yaml"), f.catalog())
	write(f.t, filepath.Join(dir, "edge.yaml"), fmt.Sprintf(`edge:
  name: %s
  source: {catalog: catalog.yaml}
  http: {listen: ["%s:8080"]}
  dns:
    listen: ["%[2]s:53"]
    zones: [{name: m.test, ns: {ns1.m.test: [127.0.0.1]}, mirrors: [{name: a, path: pub/a, count: 15}, {name: b, path: pub/b, count: 15}]}]
  admin: {listen: "%[2]s:9090"}
  health: {%[3]s}
  cluster: {listen: "%[2]s:7946", advertise: "%[4]s", join: ["10.9.2.1", "10.9.2.2"], key_files: [../gossip.key], region: r%[5]d, timings: %[6]s}
`, e.name, e.address, health, relay, i%3, timings))
	e.process = e.start(f.t, built(f.t), "run", "-c", filepath.Join(dir, "edge.yaml"))
	f.edges = append(f.edges, e)
}

// wellKnown are the mirrors that are up, without some.
func (f *fleet) wellKnown(without ...int) (names []string) {
	for i := range mirrorCount {
		if !badMirror(i) && !slices.Contains(without, i) {
			names = append(names, mirrorName(i))
		}
	}
	return names
}

// page returns a page of an edge, asked from inside its network; nil if it cannot.
func (f *fleet) page(e *clusterEdge, port int, path string) []byte {
	q, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, fmt.Sprintf("http://%s:%d%s", e.address, port, path), nil)
	if err != nil {
		f.t.Fatal(err)
	}
	q.Header.Set("Accept", "application/json")
	answer, err := e.client.Do(q)
	if err != nil {
		return nil
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	b, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return nil
	}
	return b
}

// halves are the categories, of every other mirror each: a DNS answer does not
// have room for all thirty.
var halves = [2]string{"a", "b"}

// listed returns the mirrors that an edge gives, by HTTP and by DNS: where the
// two differ, nil.
func (f *fleet) listed(e *clusterEdge) (byHTTP []string) {
	var byDNS []string
	for _, half := range halves {
		var page struct{ Mirrors []struct{ Name string } }
		if json.Unmarshal(f.page(e, 8080, "/pub/"+half+"/f.iso?mirrorlist"), &page) != nil {
			return nil
		}
		for _, m := range page.Mirrors {
			byHTTP = append(byHTTP, m.Name)
		}
		for _, a := range f.addresses(e, half+".m.test.") {
			byDNS = append(byDNS, mirrorName(int(a.To4()[3])-1))
		}
	}
	slices.Sort(byHTTP)
	slices.Sort(byDNS)
	if !slices.Equal(byHTTP, byDNS) {
		return nil
	}
	return byHTTP
}

// addresses returns those that an edge has for a name.
func (f *fleet) addresses(e *clusterEdge, name string) (all []net.IP) {
	conn, err := e.dial(f.t, "udp", e.address.String()+":53")
	if err != nil {
		return nil
	}
	defer conn.Close() //nolint:errcheck // only read
	c := &dns.Conn{Conn: conn, UDPSize: 1232}
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if c.WriteMsg(new(dns.Msg).SetQuestion(name, dns.TypeA).SetEdns0(1232, false)) != nil {
		return nil
	}
	answer, err := c.ReadMsg()
	if err != nil {
		return nil
	}
	for _, rr := range answer.Answer {
		if a, ok := rr.(*dns.A); ok {
			all = append(all, a.A)
		}
	}
	return all
}

// alive returns how many members an edge knows to be alive.
func (f *fleet) alive(e *clusterEdge) (n int) {
	for _, m := range f.status(e).Members {
		if m.Alive {
			n++
		}
	}
	return n
}

func (f *fleet) status(e *clusterEdge) (s cluster.Status) {
	_ = json.Unmarshal(f.page(e, 9090, "/cluster"), &s)
	return s
}

// metric returns a metric of an edge; -1 if it has none of the name.
func (f *fleet) metric(e *clusterEdge, name string) float64 {
	for line := range strings.Lines(string(f.page(e, 9090, "/metrics"))) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			v, _ := strconv.ParseFloat(value, 64)
			return v
		}
	}
	return -1
}

// all asks all edges at once.
func (f *fleet) all(so func(*clusterEdge) bool) bool { return allOf(f.edges, so) }

func allOf(edges []*clusterEdge, so func(*clusterEdge) bool) bool {
	var wait sync.WaitGroup
	good := make([]bool, len(edges))
	for i, e := range edges {
		wait.Go(func() { good[i] = so(e) })
	}
	wait.Wait()
	return !slices.Contains(good, false)
}

// eventually waits until what is so, and returns how long that took.
func (f *fleet) eventually(limit time.Duration, what string, so func() bool) time.Duration {
	f.t.Helper()
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		if time.Since(began) > limit {
			for _, e := range f.edges {
				f.t.Logf("%s: %d alive, lists %v, down %v", e.name, f.alive(e), f.listed(e), f.status(e).Down)
			}
			f.t.Fatalf("waited %v in vain: %s", limit, what)
		}
		<-tick.C
	}
	return time.Since(began)
}

// steady checks for some time that edges list what they should, and nothing else.
// One query may be lost, not three in a row.
func (f *fleet) steady(d time.Duration, edges []*clusterEdge, want []string) {
	f.t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	lost := map[*clusterEdge]int{}
	for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
		for _, e := range edges {
			got := f.listed(e)
			if got != nil {
				lost[e] = 0
			} else if lost[e]++; lost[e] < 3 {
				continue
			}
			if !slices.Equal(got, want) {
				for _, name := range want {
					if !slices.Contains(got, name) {
						f.t.Logf("%s", f.page(e, 9090, "/cluster/votes?host="+name))
					}
				}
				f.t.Fatalf("%s lists %v\nwant %v\n%s", e.name, got, want, f.page(e, 9090, "/cluster"))
			}
		}
	}
}

// gone waits until no edge lists a mirror, and returns how long that took.
func (f *fleet) gone(limit time.Duration, edges []*clusterEdge, mirrors ...int) time.Duration {
	f.t.Helper()
	return f.eventually(limit, "the mirror is gone", func() bool {
		return allOf(edges, func(e *clusterEdge) bool { return slices.Equal(f.listed(e), f.wellKnown(mirrors...)) })
	})
}

// link takes an edge's link to all the others and to the mirrors down, or up.
func (f *fleet) link(e *clusterEdge, state string) {
	f.hub.run(f.t, "ip", "link", "set", "to-"+e.name, state)
}

// TestCluster has the figures by default settings, an interval of 30
// seconds and timings for wide areas: a mirror that dies is gone from all
// answers of all edges within 15 seconds, and back within 60 after it has
// recovered.
func TestCluster(t *testing.T) {
	f := newFleet(t, "interval: 30s, timeout: 3s", "wan")
	f.mirrors[3].down()
	t.Log("refuses: gone after", f.gone(15*time.Second, f.edges, 3))
	then := time.Now()
	f.mirrors[3].up()

	f.hub.run(t, "ip", "address", "delete", "10.9.1.6/16", "dev", "br0")
	f.eventually(15*time.Second, "m05 is gone", func() bool {
		return f.all(func(e *clusterEdge) bool { l := f.listed(e); return l != nil && !slices.Contains(l, "m05") })
	})
	t.Log("is silent: gone after", time.Since(then))
	f.gone(60*time.Second-time.Since(then), f.edges, 5)
	t.Log("recovered: back after", time.Since(then))
	f.hub.address(t, "br0", "10.9.1.6/16")
	t.Log("speaks again: back after", f.gone(60*time.Second, f.edges))
	for _, e := range f.edges {
		t.Logf("%s: %.0f bytes in packets, %.0f in streams", e.name,
			f.metric(e, "waypost_cluster_packet_bytes_total"), f.metric(e, "waypost_cluster_stream_bytes_total"))
	}
}

// TestClusterTrouble has networks that fail in several ways, with an interval
// of 5 seconds and edges that are soon found to be gone.
func TestClusterTrouble(t *testing.T) {
	f := newFleet(t, "interval: 5s, timeout: 3s", "lan")
	cut, rest := f.edges[6], f.edges[:6]

	t.Log("one edge is cut off: it abstains, and nothing changes")
	f.link(cut, "down")
	f.steady(25*time.Second, f.edges, f.wellKnown())
	f.eventually(time.Minute, "it is known to be gone, and abstains", func() bool {
		s := f.status(cut)
		return allOf(rest, func(e *clusterEdge) bool { return f.alive(e) == 6 }) &&
			slices.ContainsFunc(s.Members, func(m cluster.Member) bool { return m.Self && slices.Contains(m.Abstains, "http over ipv4") })
	})
	f.mirrors[4].down()
	t.Log("the others go on: gone after", f.gone(15*time.Second, rest, 4))
	f.steady(time.Second, []*clusterEdge{cut}, f.wellKnown())
	f.link(cut, "up")
	t.Log("it is back, and knows after", f.eventually(2*time.Minute, "the cut off edge knows", func() bool {
		return f.alive(cut) == clusterEdges && slices.Equal(f.listed(cut), f.wellKnown(4))
	}))
	f.mirrors[4].up()
	t.Log("back after", f.gone(60*time.Second, f.edges))

	t.Log("the cluster is split, four and three")
	left := func(a netip.Addr) bool { return a.As4()[3] <= 4 }
	f.wire.set(0, 0, func(from, to netip.Addr) bool { return left(from) != left(to) })
	f.steady(25*time.Second, f.edges, f.wellKnown())
	f.eventually(2*time.Minute, "both sides know", func() bool {
		return f.all(func(e *clusterEdge) bool { return f.alive(e) == map[bool]int{true: 4, false: 3}[left(e.address)] })
	})
	f.mirrors[7].down()
	t.Log("both sides decide: gone after", f.gone(15*time.Second, f.edges, 7))
	f.wire.set(0, 0, nil)
	t.Log("merged after", f.eventually(2*time.Minute, "the sides have merged", func() bool {
		return f.all(func(e *clusterEdge) bool { return f.alive(e) == clusterEdges })
	}))
	f.steady(10*time.Second, f.edges, f.wellKnown(7))
	f.mirrors[7].up()
	t.Log("back after", f.gone(60*time.Second, f.edges))

	t.Log("one packet of five is lost, the rest are late")
	f.wire.set(0.2, 80*time.Millisecond, nil)
	f.steady(20*time.Second, f.edges, f.wellKnown())
	f.mirrors[9].down()
	t.Log("gone after", f.gone(15*time.Second, f.edges, 9))
	f.mirrors[9].up()
	t.Log("back after", f.gone(60*time.Second, f.edges))
	f.wire.set(0, 0, nil)

	f.wrongKey()
	f.orders()
}

// wrongKey has a stranger try to join.
func (f *fleet) wrongKey() {
	e := f.edges[0]
	dir := filepath.Join(f.dir, "stranger")
	write(f.t, filepath.Join(dir, "gossip.key"), cluster.GenerateKey()+"\n")
	write(f.t, filepath.Join(dir, "edge.yaml"), fmt.Sprintf(`edge:
  name: stranger
  source: {catalog: ../edge1/catalog.yaml}
  http: {listen: ["%s:8081"]}
  cluster: {listen: "%[1]s:7947", join: ["%[1]s:7946"], key_files: [gossip.key]}
`, e.address))
	e.start(f.t, built(f.t), "run", "-c", filepath.Join(dir, "edge.yaml"))
	f.eventually(time.Minute, "a stranger is refused, and counted", func() bool {
		return f.metric(e, `waypost_cluster_refused_total{reason="key"}`) > 0
	})
	if f.alive(e) != clusterEdges {
		f.t.Errorf("%d members", f.alive(e))
	}
}

// orders drains a mirror by the command, and looks at what else it shows.
func (f *fleet) orders() {
	e := f.edges[2]
	command := func(args ...string) string {
		return e.run(f.t, append([]string{built(f.t), "cluster"}, append(args, "--admin", e.address.String()+":9090")...)...)
	}
	wantAll(f.t, command("drain", "m08", "--for", "30s"), "m08", "edge3")
	f.t.Log("drained after", f.gone(15*time.Second, f.edges, 8))
	wantAll(f.t, command("members"), "edge1", "alive", "r2", "drained: m08, a mirror")
	wantAll(f.t, command("votes", "m26"), "failing", "soft_404", "down: http over ipv4")
	wantAll(f.t, command("votes", "m28"), "expired", "down: https over ipv4")
	wantAll(f.t, command("keys"), "7 edges")
	f.t.Log("over after", f.gone(60*time.Second, f.edges))
	wantAll(f.t, command("drain", "m08"), "24h0m0s")
	f.gone(15*time.Second, f.edges, 8)
	command("undrain", "m08")
	f.gone(15*time.Second, f.edges)
}
