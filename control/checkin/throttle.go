package checkin

import (
	"sync"
	"time"
)

// A throttle allows each key so many events in a time; they come back evenly.
// It is safe for use by many goroutines.
type throttle struct {
	burst float64
	every time.Duration // one event comes back

	mu    sync.Mutex
	spent map[string]spending
}

// A spending is how much of a key's allowance was spent at a time.
type spending struct {
	events float64
	at     time.Time
}

// maxKeys bounds the memory of a throttle, about 150 bytes a key.
const maxKeys = 100_000

func newThrottle(events int, in time.Duration) *throttle {
	return &throttle{burst: float64(events), every: in / time.Duration(events), spent: map[string]spending{}}
}

// left returns what is spent of key's allowance now. mu is held.
func (t *throttle) now(key string, now time.Time) float64 {
	s := t.spent[key]
	return max(0, s.events-float64(now.Sub(s.at))/float64(t.every))
}

// wait returns how long key has to wait for its next event, 0 if it need not.
func (t *throttle) wait(key string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	over := t.now(key, now) + 1 - t.burst
	return max(0, time.Duration(over*float64(t.every)))
}

// spend notes an event.
func (t *throttle) spend(key string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	events := t.now(key, now) + 1
	if len(t.spent) >= maxKeys {
		t.forget(now)
	}
	t.spent[key] = spending{min(events, t.burst), now}
}

// forget makes room: first what has come back, then whatever comes first.
func (t *throttle) forget(now time.Time) {
	for key := range t.spent {
		if t.now(key, now) == 0 {
			delete(t.spent, key)
		}
	}
	for key := range t.spent {
		if len(t.spent) < maxKeys/2 {
			return
		}
		delete(t.spent, key)
	}
}
