package anycast

import (
	"net/netip"
	"time"

	"github.com/waypost/waypost/edge/anycast/speaker"
)

// A Status is how an edge's announcements do.
type Status struct {
	Prefixes []PrefixStatus       `json:"prefixes"`
	Peers    []speaker.PeerReport `json:"peers"`

	// Speaker is the process ID of the speaker; 0: none was heard of.
	Speaker int `json:"speaker"`

	// Superseded tells that a newer process of this edge has taken over.
	Superseded bool `json:"superseded,omitempty"`

	// Error says what is wrong with the speaker, or between it and the edge.
	Error string `json:"error,omitempty"`

	// GoodChecks and BadChecks count checks since the start.
	GoodChecks uint64 `json:"good_checks"`
	BadChecks  uint64 `json:"bad_checks"`
}

// A PrefixStatus is how one prefix does.
type PrefixStatus struct {
	Prefix    netip.Prefix `json:"prefix"`
	State     string       `json:"state"` // down, up, draining or maintenance
	Since     time.Time    `json:"since"`
	Reason    string       `json:"reason"`
	Announced bool         `json:"announced"` // by the speaker, as it said last
	Drained   bool         `json:"drained"`   // an operator ordered that
}

// Status returns how announcements do.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := Status{
		Peers: k.report.Peers, Speaker: k.report.PID, Superseded: k.report.Superseded,
		GoodChecks: k.checks.Good, BadChecks: k.checks.Bad,
	}
	if k.lost != nil {
		s.Error = k.lost.Error()
	}
	for _, p := range k.Config.Prefixes {
		m := k.machines[p]
		is := PrefixStatus{Prefix: p, State: m.state.String(), Since: m.since, Reason: m.reason, Drained: k.wishes.of(p) == drain}
		for _, r := range k.report.Routes {
			is.Announced = is.Announced || r.Prefix == p
		}
		s.Prefixes = append(s.Prefixes, is)
	}
	return s
}
