package node

import (
	"context"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/edge/anycast"
	"github.com/waypost/waypost/edge/cluster"
	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/handover"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/health/probe"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot/strict"
)

// checkCluster notes what is wrong with cluster.
func (c *Config) checkCluster(doc *strict.Doc) {
	if c.Cluster == nil {
		return
	}
	notes(doc, "edge.cluster.", c.Cluster.Validate())
	if c.Name == "" || len(c.Name) > 128 {
		doc.Problem("edge.name", "want 1 to 128 bytes that no other edge of the cluster has, got %d", len(c.Name))
	}
}

// clusterWarnings says what an edge of a cluster lacks.
func (c *Config) clusterWarnings() []string {
	if c.Cluster == nil || c.Health != nil {
		return nil
	}
	return []string{"no edge.health: this edge does not probe and has no vote in the cluster"}
}

// peers are the other edges, and what was decided with them.
type peers struct {
	at atomic.Pointer[cluster.Cluster]

	decision atomic.Pointer[vote.Decision] // nil: nothing was decided yet
}

// cluster returns this edge's part in the cluster; nil: none is configured, or
// the process before has yet to leave it to this one. It decides, also while its
// port cannot be opened.
func (p *peers) cluster() *cluster.Cluster { return p.at.Load() }

// isDrained reports whether operators drained this edge in the cluster.
func (n *Node) isDrained() bool {
	return time.Now().Before(n.drainedUntil())
}

// drainedUntil returns when the order ends by which this edge is drained; zero:
// there is none.
func (n *Node) drainedUntil() time.Time {
	if c := n.peers.cluster(); c != nil {
		return c.DrainedUntil()
	}
	return n.before.DrainedUntil
}

// isAlone reports whether no other process of this edge is there.
func (n *Node) isAlone() bool {
	select {
	case <-n.process.Alone():
		return true
	default:
		return false
	}
}

// gossip takes part in the cluster until ctx ends, once the process before does
// so no more. If the next one has taken over by then, as the same member, it ends
// without a word.
func (n *Node) gossip(ctx context.Context) error {
	if n.peers.cluster() == nil { // else it is open, and has to be closed
		select {
		case <-n.process.Alone():
		case <-ctx.Done():
			return nil
		}
		if err := n.insist(ctx, n.newCluster); err != nil || n.peers.cluster() == nil {
			return err
		}
	}
	c := n.peers.cluster()
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() {
		if handover.TakenOver(ctx) && n.isSucceeded() {
			c.Silence()
		}
		stop()
	})()
	work, running := errgroup.WithContext(running)
	work.Go(func() error { return n.insist(running, c.Open) }) // it may be open
	work.Go(func() error { n.introduce(running); return nil })
	work.Go(func() error { n.measure(running); return nil })
	work.Go(func() error { return c.Run(running) })
	return work.Wait()
}

// openCluster has this edge be in the cluster from its start.
func (n *Node) openCluster() error {
	if n.config.Cluster == nil {
		return nil
	}
	if err := n.newCluster(); err != nil {
		return err
	}
	return n.peers.cluster().Open()
}

// newCluster makes this edge's part in the cluster, once.
func (n *Node) newCluster() error {
	if n.peers.cluster() != nil {
		return nil
	}
	o := cluster.Options{
		Config: *n.config.Cluster, Name: n.config.Name, Program: Version(), Log: n.log, Decided: n.decided,
		Before: n.before.Down, Known: n.before.Members, OrdersBefore: n.before.Orders, Verdict: func(v uint8) string { return probe.Verdict(v).String() },
	}
	if dir := n.config.DataDir; dir != "" {
		o.File = filepath.Join(dir, "drains.json")
	}
	if n.prober != nil {
		o.Prober = n.prober
	}
	o.Fall, o.MaxDown = n.probing().Fall, n.probing().MaxDown
	c, err := cluster.New(o)
	if err != nil {
		return err
	}
	for _, text := range n.config.clusterWarnings() {
		n.log.Warn(text)
	}
	n.feeds.mu.Lock() // no index takes the place of another meanwhile
	n.peers.at.Store(c)
	n.tellHosts(n.engine.View().Index)
	n.feeds.mu.Unlock()
	if n.prober != nil && n.follows {
		n.prober.Retell() // what was seen while there was nobody to tell
	}
	return nil
}

// probing returns how this edge probes, or would.
func (n *Node) probing() probe.Config {
	if n.config.Health == nil {
		return probe.Config{}.WithDefaults()
	}
	return n.config.Health.WithDefaults()
}

// tellHosts tells the cluster which hosts there are to vote on.
func (n *Node) tellHosts(ix *index.Index) {
	switch {
	case n.peers.cluster() == nil:
	case n.prober != nil:
		n.peers.cluster().SetHosts(n.prober.Hosts())
	default:
		n.peers.cluster().SetHosts(probe.Hosts(ix))
	}
}

// stateOf is the function that knows the state of health; nil: all is up.
func (n *Node) stateOf() func(*index.Index) *health.State {
	switch {
	case n.config.Cluster != nil:
		return n.votedState
	case n.prober != nil:
		return n.prober.State
	}
	return nil
}

// introduce tells the other edges what this one is, until ctx ends.
func (n *Node) introduce(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		m := cluster.Meta{Leaving: n.leaving.Load() || n.isDrained()}
		if v := n.engine.View(); v != nil {
			m.Snapshot, m.Data = v.Index.Version(), v.Index.Created()
		}
		if n.keeper != nil {
			for _, p := range n.keeper.Status().Prefixes {
				if p.Announced && p.State == anycast.Up.String() {
					m.Announce = append(m.Announce, p.Prefix)
				}
			}
		}
		n.sharing.tell(&m)
		n.peers.cluster().SetMeta(m)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// otherEdges returns what other edges announce of this one's prefixes, for the
// decision whether this one may stop.
func (n *Node) otherEdges() (all []anycast.Other) {
	if n.peers.cluster() == nil {
		return nil
	}
	for _, m := range n.peers.cluster().Members() {
		if m.Self || !m.Alive || m.Leaving {
			continue
		}
		o := anycast.Other{Name: m.Name, Data: m.Data}
		for _, p := range n.config.Anycast.Prefixes {
			if m.Announces(p) {
				o.Announces = append(o.Announces, p)
			}
		}
		all = append(all, o)
	}
	return all
}

// listening sends which ports for other edges are open.
func (m *metrics) listening(s scrape) {
	const help = "1 while the port for other edges is open; else it may be in use, and is tried again"
	c := m.n.peers.cluster()
	s.flag("cluster_listening", help, c != nil && c.IsOpen(), "what", "gossip")
	if m.n.sharing.Share != nil {
		s.flag("cluster_listening", help, m.n.sharing.Port() != 0, "what", "share")
	}
}

// cluster sends what the cluster counted.
func (m *metrics) cluster(s scrape) {
	c := m.n.peers.cluster().Counters()
	s.gauge("cluster_members", "edges that are alive, or not long gone", c.Alive, "state", "alive")
	s.gauge("cluster_members", "edges that are alive, or not long gone", c.Members-c.Alive, "state", "gone")
	s.gauge("cluster_members_over_tcp", "of these, those that answer over TCP and not over UDP: gossip does not reach them", c.OverTCP)
	s.gauge("cluster_targets_down", "what gets no clients by votes of the cluster, a host by one scheme over one family", c.Down)
	s.gauge("cluster_targets_kept", "of what votes are against, that which max_down keeps up", c.Kept)
	s.gauge("cluster_targets_unseen", "what no edge votes on", c.Unseen)
	s.gauge("cluster_hosts_drained", "mirrors that operators have drained", c.HostsDrained)
	s.gauge("cluster_edges_drained", "edges that operators have drained", c.EdgesDrained)
	s.flag("cluster_drains_unsaved", "1 while what is drained could not be written to data_dir", c.DrainsUnsaved)
	s.flag("cluster_keys_failed", "1 while the key files are of no use and the keys of before stay in use", c.KeysFailed)
	s.gauge("cluster_waiting", "reports that wait to be gossiped", int(c.Waiting))
	const messages = "messages of gossip, each with some reports and orders"
	s.count("cluster_messages_total", messages, c.Told, "direction", "sent")
	s.count("cluster_messages_total", messages, c.Heard, "direction", "received")
	s.count("cluster_news_total", "reports and orders that were not known", c.News)
	s.count("cluster_exchanges_total", "times all that is known was compared with another edge", c.Compared)
	s.count("cluster_packets_total", "packets sent", c.Packets)
	s.count("cluster_packet_bytes_total", "bytes of packets sent", c.PacketBytes)
	s.count("cluster_streams_total", "streams opened", c.Streams)
	s.count("cluster_stream_bytes_total", "bytes over these streams, both ways", c.StreamBytes)
	const refused = "packets and streams that were refused, by reason"
	s.count("cluster_refused_total", refused, c.WrongKey, "reason", "key")
	s.count("cluster_refused_total", refused, c.WrongLabel, "reason", "label")
	s.count("cluster_refused_total", refused, c.Malformed, "reason", "malformed")
	s.count("cluster_refused_total", refused, c.Busy, "reason", "busy")
	s.count("cluster_refused_total", refused, c.Conflicts, "reason", "name_taken")
}

// addressOfCluster is for [Node.Addresses].
func (n *Node) addressOfCluster(all map[string][]netip.AddrPort) {
	if c := n.peers.cluster(); c != nil && c.IsOpen() {
		all["cluster"] = []netip.AddrPort{c.Address()}
	}
}
