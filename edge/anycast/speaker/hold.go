package speaker

import (
	"maps"
	"time"
)

// orders are the orders that are heard, by generation.
type orders map[uint64]held

type held struct {
	order Order
	until time.Time
}

// hear takes an order at now and reports whether it rules.
func (o orders) hear(order Order, now time.Time) bool {
	o[order.Generation] = held{order, now.Add(Lease)}
	rules, _ := o.ruling(now)
	return rules.Generation == order.Generation
}

// ruling returns the order that counts at now: the one of the highest
// generation that lives. Others are forgotten once they are dead. ok is false
// if there is none.
func (o orders) ruling(now time.Time) (rules Order, ok bool) {
	maps.DeleteFunc(o, func(_ uint64, h held) bool { return !h.until.After(now) })
	for generation, h := range o {
		if !ok || generation > rules.Generation {
			rules, ok = h.order, true
		}
	}
	return rules, ok
}
