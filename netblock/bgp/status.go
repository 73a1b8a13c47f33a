package bgp

import (
	"net/netip"
	"time"
)

// A Status is how a peer is.
type Status struct {
	Address  netip.Addr `json:"address"`
	ASN      uint32     `json:"asn"`
	State    string     `json:"state"` // of the session that is the farthest
	Since    time.Time  `json:"since"` // when the session came up, or the last one ended
	Prefixes int        `json:"prefixes"`
	Complete bool       `json:"complete"` // the table of the session is in use
	Stale    bool       `json:"stale"`    // the table in use is of a session that was lost, or from disk
	Current  time.Time  `json:"current"`  // when the table in use was last right; zero: there is none

	Sessions      uint64        `json:"sessions"` // how many there were
	Updates       uint64        `json:"updates"`  // messages
	Applied       uint64        `json:"applied"`  // times a new table was put in use
	Malformed     uint64        `json:"malformed"`
	LastMalformed string        `json:"last_malformed,omitempty"` // why the routes of an update counted as withdrawn
	CompleteAfter time.Duration `json:"complete_after"`           // from the start of the session to the end of its first table
	UsedAfter     time.Duration `json:"used_after"`               // and until it was in use

	Errors        uint64    `json:"errors"` // sessions and connections that failed
	LastError     string    `json:"last_error,omitempty"`
	LastErrorKind string    `json:"last_error_kind,omitempty"`
	LastErrorAt   time.Time `json:"last_error_at,omitzero"`
}

// Status returns how the peers are, in their order. It may be called at any time.
func (f *Feed) Status() []Status {
	all := make([]Status, 0, len(f.peers))
	for _, p := range f.peers {
		all = append(all, p.state())
	}
	return all
}

func (p *peer) state() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.status
	s.Address, s.ASN = p.config.Address, p.config.ASN
	state := Idle
	for _, o := range p.sessions {
		state = max(state, o.state)
	}
	s.State = state.String()
	s.Complete = p.live != nil && p.complete && !p.first
	s.Prefixes = p.inUse.Len()
	s.Stale = p.out != nil && !s.Complete
	switch {
	case s.Complete:
		s.Current = time.Now()
	case p.out != nil:
		s.Current = p.since
	}
	return s
}
