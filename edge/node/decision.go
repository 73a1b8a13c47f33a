package node

import (
	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/edge/index"
)

// decided puts what was decided in use.
func (n *Node) decided(d *vote.Decision) {
	n.peers.decision.Store(d)
	n.engine.SetHealth(n.votedState)
}

// decision returns what the cluster has decided, of this process or the one
// before; while there is nothing, that all is up.
func (n *Node) decision() *vote.Decision {
	if d := n.peers.decision.Load(); d != nil {
		return d
	}
	return &vote.Decision{}
}

// votedState is the state of health of an index, by votes and orders.
func (n *Node) votedState(ix *index.Index) *health.State {
	d := n.decision()
	return health.New(ix, d.Down, d.Drained...)
}

// hasHost reports whether the catalogue has a host, by whatever schemes.
func (n *Node) hasHost(name string) bool {
	v := n.engine.View()
	if v == nil {
		return false
	}
	_, ok := v.Index.Numbers()[name]
	return ok
}
