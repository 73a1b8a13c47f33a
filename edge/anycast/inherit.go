package anycast

import (
	"encoding/json"
	"net/netip"
	"time"
)

// An Inheritance is what becomes of one prefix, as a keeper leaves it to that of
// the next process of the edge. An edge that answers is announced there, too,
// without having to prove anew that it does; one that was held down stays so.
type Inheritance struct {
	Prefix netip.Prefix `json:"prefix"`

	State     State         `json:"state"`
	Reason    string        `json:"reason"`
	Since     time.Time     `json:"since"`
	Good      int           `json:"good"`
	Bad       int           `json:"bad"`
	GoodFrom  time.Time     `json:"good_from"`
	Trouble   string        `json:"trouble"`
	Hold      time.Duration `json:"hold"`
	NotBefore time.Time     `json:"not_before"`
	Failures  []time.Time   `json:"failures"`
}

var (
	_ json.Marshaler   = State(0)
	_ json.Unmarshaler = (*State)(nil)
)

// MarshalJSON writes the state's name.
func (s State) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// UnmarshalJSON reads it. An unknown one is Down.
func (s *State) UnmarshalJSON(b []byte) error {
	var name string
	if err := json.Unmarshal(b, &name); err != nil {
		return err
	}
	*s = Down
	for is := Down; is <= Maintenance; is++ {
		if is.String() == name {
			*s = is
		}
	}
	return nil
}

// Leave returns what the keeper of the next process should know.
func (k *Keeper) Leave() (all []Inheritance) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.Config.Prefixes {
		m := k.machines[p]
		all = append(all, Inheritance{
			Prefix: p, State: m.state, Reason: m.reason, Since: m.since, Good: m.good, Bad: m.bad, GoodFrom: m.goodFrom,
			Trouble: m.trouble, Hold: m.hold, NotBefore: m.notBefore, Failures: m.failures,
		})
	}
	return all
}

// inherit makes a machine go on at now where that of the process before was.
// Times come as the wall clock said, and are told by the monotonic one from now
// on: a clock that is set back later keeps nothing down.
func (m *machine) inherit(i *Inheritance, now time.Time) {
	here := func(t time.Time) time.Time {
		if t.IsZero() {
			return t
		}
		return now.Add(t.Sub(now))
	}
	m.state, m.reason, m.since, m.good, m.bad, m.goodFrom = i.State, i.Reason, here(i.Since), i.Good, i.Bad, here(i.GoodFrom)
	m.trouble, m.hold, m.notBefore = i.Trouble, i.Hold, here(i.NotBefore)
	for _, at := range i.Failures {
		m.failures = append(m.failures, here(at))
	}
}
