package cluster

import (
	"fmt"
	"time"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/health"
)

// A Vote is what one observer says of a host.
type Vote struct {
	Observer string  `json:"observer"`
	Sights   []Sight `json:"sights"`
}

// A Sight is what it says of one kind.
type Sight struct {
	Kind      string `json:"kind"`
	State     string `json:"state"`
	Verdict   uint8  `json:"verdict"`
	RoundTrip uint16 `json:"round_trip_ms"` // 0: no connection was made
	Counts    bool   `json:"counts"`        // the observer can judge, does not abstain, and is not drained
}

// HostVotes are those on one host.
type HostVotes struct {
	Host      string   `json:"host"`
	Observers []string `json:"observers"` // whose votes count
	Votes     []Vote   `json:"votes"`
	Down      []string `json:"down,omitempty"` // kinds, by votes; of a drained host none
	Kept      []string `json:"kept,omitempty"` // kinds that the cap keeps up
	Drained   bool     `json:"drained,omitempty"`
}

// Votes returns the votes on a host. The error is that there is no such host, or
// none that is probed.
func (c *Cluster) Votes(host string) (*HostVotes, error) {
	s := c.council
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := findHost(s.hosts, host)
	if !ok {
		return nil, fmt.Errorf("there is no host %.60q that edges probe", host)
	}
	out := &HostVotes{Host: host, Observers: s.hosts[at].Observers, Drained: s.drains.Has(now, host, false)}
	q := s.question(now)
	for _, observer := range out.Observers {
		v := Vote{Observer: observer}
		for k, sight := range s.book.Sights(observer, host) {
			if sight.State != vote.Unseen {
				counts := q.Counts(observer, health.Kind(k), sight.State)
				v.Sights = append(v.Sights, Sight{health.Kind(k).String(), sight.State.String(), sight.Verdict, sight.RoundTrip, counts})
			}
		}
		out.Votes = append(out.Votes, v)
	}
	out.Down, out.Kept = kindsOf(host, s.decision.Down), kindsOf(host, s.decision.Kept)
	return out, nil
}

func kindsOf(host string, targets []health.Target) (kinds []string) {
	for _, t := range targets {
		if t.Host == host {
			kinds = append(kinds, t.Kind().String())
		}
	}
	return kinds
}
