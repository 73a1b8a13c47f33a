package share

import (
	"net/netip"
	"time"
)

// A Status is how sharing goes.
type Status struct {
	Port     uint16       `json:"port"` // where this edge listens; 0: it does not yet
	Peers    []PeerStatus `json:"peers"`
	Counters Counters     `json:"counters"`
}

// A PeerStatus is what is known of a peer.
type PeerStatus struct {
	Name      string         `json:"name"`
	Region    string         `json:"region,omitempty"`
	Address   netip.AddrPort `json:"address"`
	Snapshot  uint64         `json:"snapshot"`             // version of the one it has; 0: none
	Connected string         `json:"connected,omitempty"`  // how long it takes to connect to it
	LeftAlone string         `json:"left_alone,omitempty"` // for how long it is not asked, as it failed or sent what is wrong
}

// Status returns how sharing goes, with the peers in the order in which they are
// asked where any will do.
func (s *Share) Status() Status {
	out := Status{Port: s.Port(), Peers: []PeerStatus{}, Counters: s.Counters()}
	now := time.Now()
	for _, p := range s.nearest(s.peers()) {
		known := s.standing.look(p.Address)
		status := PeerStatus{Name: p.Name, Region: p.Region, Address: p.Address, Snapshot: p.Version}
		if known.near > 0 {
			status.Connected = known.near.Round(10 * time.Microsecond).String()
		}
		if left := known.until.Sub(now); left > 0 {
			status.LeftAlone = left.Round(time.Second).String()
		}
		out.Peers = append(out.Peers, status)
	}
	return out
}
