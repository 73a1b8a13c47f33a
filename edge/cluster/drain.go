package cluster

import (
	"fmt"
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

// Drain takes a host, or an edge's votes, out for some time, at all edges.
func (c *Cluster) Drain(name string, edge bool, d time.Duration) error {
	if d <= 0 || d > vote.MaxDrain {
		return fmt.Errorf("for: want more than nothing, up to %s, got %s", vote.MaxDrain, d)
	}
	if err := c.exists(name, edge); err != nil {
		return err
	}
	c.order(vote.Drain{Edge: edge, Name: name, On: true, Left: d})
	return nil
}

// Undrain takes it back in.
func (c *Cluster) Undrain(name string, edge bool) error {
	for _, d := range c.Drains() {
		if d.Name == name && d.Edge == edge {
			c.order(vote.Drain{Edge: edge, Name: name})
			return nil
		}
	}
	return fmt.Errorf("%.60q is not drained", name)
}

func (c *Cluster) order(what vote.Drain) {
	c.queue.add(&bulletin{drains: []vote.Drain{c.council.order(time.Now(), what)}})
	signal(c.ordered)
	signal(c.dirty)
}

func (c *Cluster) exists(name string, edge bool) error {
	if edge {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.members[name] == nil {
			return fmt.Errorf("there is no edge %.60q", name)
		}
		return nil
	}
	_, err := c.Votes(name)
	return err
}

// Drained reports whether operators drained this edge.
func (c *Cluster) Drained() bool { return c.council.drained(time.Now()) }
