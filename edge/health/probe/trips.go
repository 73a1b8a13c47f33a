package probe

import (
	"math"
	"slices"
	"time"
)

// window is how many round-trip times count: the least of the last ones is the
// way without queues, as long as the way stays the same (Cardwell et al., BBR:
// Congestion-Based Congestion Control, 2016, has the same filter).
const window = 10

// trips are the last round-trip times to a target.
type trips struct {
	last [window]time.Duration
	n    int           // how many there were
	told time.Duration // what others have been told; 0: nothing
}

// add adds one. What is told changes when the least of the last ones is another
// by more than a quarter, and a millisecond: so that clients do not move from
// mirror to mirror for a little noise.
func (t *trips) add(d time.Duration) {
	t.last[t.n%window] = d
	t.n++
	least := slices.Min(t.last[:min(t.n, window)])
	if t.told == 0 || (least-t.told).Abs() > max(t.told/4, time.Millisecond) {
		t.told = least
	}
}

// millis returns what is told, in milliseconds, from 1 to the most that a report
// has room for, about a minute; 0: there is none.
func (t *trips) millis() uint16 {
	if t.n == 0 {
		return 0
	}
	return uint16(min(max(t.told.Round(time.Millisecond)/time.Millisecond, 1), math.MaxUint16))
}
