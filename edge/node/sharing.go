package node

import (
	"context"
	"hash/fnv"
	"math"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/waypost/waypost/edge/cluster"
	"github.com/waypost/waypost/edge/cluster/share"
)

// sharing gets snapshots of a control plane from other edges, and has them for
// these.
type sharing struct {
	*share.Share // nil: nothing is shared

	group uint32
	keys  [][]byte                     // as they were at the start
	seeds atomic.Pointer[[]share.Peer] // nil: not looked for
}

// newSharing has the edge share what it gets from a control plane, if it is in a
// cluster that has keys.
func (n *Node) newSharing() (err error) {
	c := n.config.Cluster
	if c == nil || n.remote == nil {
		return nil
	}
	s := &n.sharing
	if s.keys, err = cluster.ReadKeys(c.KeyFiles); err != nil {
		return err
	}
	if len(s.keys) == 0 {
		n.log.Info("snapshots are not shared with other edges: the cluster has no keys")
		return nil
	}
	s.group = groupOf(n.config.Source.Control.URL)
	s.Share, err = share.New(share.Options{
		Listen: c.WithDefaults().Share, Name: n.config.Name, Region: c.Region,
		Keys: n.secrets, Peers: n.others, Holder: n.remote.Offer(), Log: n.log,
	})
	if err == nil {
		n.remote.Join(s.Share)
	}
	return err
}

// groupOf is a number for the edges that follow the control plane of a URL.
func groupOf(url string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.ToLower(strings.TrimRight(url, "/")))) // never fails
	return h.Sum32()
}

// secrets returns the keys of the cluster that count now.
func (n *Node) secrets() [][]byte {
	if c := n.peers.cluster(); c != nil {
		return c.Secrets()
	}
	return n.sharing.keys
}

// others returns the edges that share with this one. An edge joins the cluster
// once it has a snapshot; the first one it may have from those it is to join.
func (n *Node) others() (all []share.Peer) {
	c := n.peers.cluster()
	if c == nil {
		if seeds := n.sharing.seeds.Load(); seeds != nil && n.remote.Latest() == nil {
			return *seeds
		}
		return nil
	}
	for _, m := range c.Sharers(n.sharing.group) {
		all = append(all, share.Peer{Name: m.Name, Region: m.Region, Address: m.Address, Version: m.Snapshot})
	}
	return all
}

// tell fills in what others should know to get snapshots here.
func (s *sharing) tell(m *cluster.Meta) {
	if s.Share != nil {
		m.Share, m.Group = s.Port(), s.group
	}
}

// findSeeds finds edges that may have a first snapshot.
func (n *Node) findSeeds(ctx context.Context) {
	var seeds []share.Peer
	for _, at := range n.config.Cluster.Seeds(ctx) {
		seeds = append(seeds, share.Peer{Name: at.String(), Address: at, Version: math.MaxUint64, Seed: true})
	}
	n.sharing.seeds.Store(&seeds)
}

// followRemote follows the control plane, and shares, until ctx ends.
func (n *Node) followRemote(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	if n.sharing.Share != nil {
		if n.remote.Latest() == nil {
			n.findSeeds(ctx)
		}
		work.Go(func() {
			if err := n.sharing.Run(ctx); err != nil {
				n.log.Error("other edges get no snapshots here", "error", err)
			}
		})
	}
	_ = n.remote.Run(ctx) // returns nil
}

// sharing sends what was shared.
func (m *metrics) sharing(s scrape) {
	c := m.n.sharing.Counters()
	s.count("share_sent_total", "manifests and sections of snapshots that other edges got here", c.Manifests, "kind", "manifest")
	s.count("share_sent_total", "manifests and sections of snapshots that other edges got here", c.Sections, "kind", "section")
	s.count("share_sent_bytes_total", "bytes of these", c.Bytes)
	s.count("share_connections_total", "connections that other edges opened", c.Connections)
	const refused = "connections that were refused, by reason"
	s.count("share_refused_total", refused, c.Refused, "reason", "key")
	s.count("share_refused_total", refused, c.Busy, "reason", "busy")
	const asked = "what other edges were asked for, by result"
	s.count("share_asked_total", asked, c.Asked-min(c.Asked, c.Lacked+c.Failed+c.Wrong), "result", "good")
	s.count("share_asked_total", asked, c.Lacked, "result", "lacked")
	s.count("share_asked_total", asked, c.Failed, "result", "failed")
	s.count("share_asked_total", asked, c.Wrong, "result", "wrong")
	s.gauge("share_peers", "other edges that share", len(m.n.others()))
	s.gauge("share_left_alone", "edges that are not asked for a while, as they failed or sent what is wrong", c.LeftAlone)
}
