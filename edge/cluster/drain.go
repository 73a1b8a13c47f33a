package cluster

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/waypost/waypost/edge/cluster/vote"
)

// A Drained is an order that is in force.
type Drained struct {
	Edge bool   `json:"edge,omitempty"` // else a host
	Name string `json:"name"`
	By   string `json:"by"`   // the edge at which it was ordered
	Left string `json:"left"` // how long it is in force
}

// Drains returns the orders that are in force.
func (c *Cluster) Drains() []Drained {
	out := []Drained{}
	for _, d := range c.council.orders(time.Now()) {
		if d.On && d.Left > 0 {
			out = append(out, Drained{d.Edge, d.Name, d.Author, d.Left.Round(time.Second).String()})
		}
	}
	return out
}

// Drain takes a host, or an edge and its votes, out for some time, at all edges.
// Whether there is such a host the caller has to know: votes are on those only
// that can be probed. Unless force is given, an edge must be left that can answer.
func (c *Cluster) Drain(name string, edge bool, d time.Duration, force bool) error {
	if d <= 0 || d > vote.MaxDrain {
		return fmt.Errorf("for: want more than nothing, up to %s, got %s", vote.MaxDrain, d)
	}
	switch {
	case !edge:
	case !c.isMember(name):
		return fmt.Errorf("there is no edge %.60q", name)
	case !force && c.isLast(name):
		return fmt.Errorf("%.60q is the last edge that is alive and not drained: nobody would answer clients", name)
	}
	c.order(vote.Drain{Edge: edge, Name: name, On: true, Left: d})
	return nil
}

// isLast reports whether there is no other edge than this one to answer clients.
func (c *Cluster) isLast(name string) bool {
	last := false
	for _, m := range c.Members() {
		if m.Alive && !m.Drained && !m.Leaving {
			if m.Name != name {
				return false
			}
			last = true
		}
	}
	return last
}

// Undrain takes it back in.
func (c *Cluster) Undrain(name string, edge bool) error {
	if !c.council.isDrained(time.Now(), name, edge) {
		return fmt.Errorf("%.60q is not drained", name)
	}
	c.order(vote.Drain{Edge: edge, Name: name})
	return nil
}

// order gives an order, and has it obeyed here before it returns.
func (c *Cluster) order(what vote.Drain) {
	c.pass(&bulletin{drains: []vote.Drain{c.council.order(time.Now(), what)}})
	c.decideNow(time.Now())
	signal(c.ordered)
	signal(c.dirty)
}

func (c *Cluster) isMember(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.members[name] != nil
}

// DrainedUntil returns when the order ends by which operators drained this edge;
// zero: there is none.
func (c *Cluster) DrainedUntil() time.Time { return c.council.drainedUntil() }

// Orders are those in force of which the log has told, by what is drained.
type orders map[orderedOn]vote.Drain

type orderedOn struct {
	edge bool
	name string
}

// report logs which orders came into force since it was last called, and which ended.
func (o orders) report(log *slog.Logger, all []vote.Drain) {
	known := map[orderedOn]vote.Drain{}
	for _, d := range all {
		on := orderedOn{d.Edge, d.Name}
		known[on] = d
		before, was := o[on]
		if d.On && d.Left > 0 && (!was || d.Counter != before.Counter || d.Author != before.Author) {
			log.Info("drained by order", on.what(), on.name, "by", d.Author, "for", d.Left.Round(time.Second))
			o[on] = d
		}
	}
	for on := range o {
		switch d, ok := known[on]; {
		case ok && !d.On:
			log.Info("no longer drained: taken back by order", on.what(), on.name, "by", d.Author)
			delete(o, on)
		case !ok || d.Left <= 0:
			log.Info("no longer drained: the time of the order is over", on.what(), on.name)
			delete(o, on)
		}
	}
}

// what is the key in the log.
func (on orderedOn) what() string { return map[bool]string{true: "edge", false: "host"}[on.edge] }
