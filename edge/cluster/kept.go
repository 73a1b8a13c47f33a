package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/snapshot/wire/durable"
)

// The file of orders that are in force has them survive a restart of all edges
// at once. When they end is written by the clock of this machine, and read by
// the same one.
type keptOrders struct {
	Format int         `json:"format"`
	Orders []keptOrder `json:"orders"`
}

type keptOrder struct {
	Edge    bool      `json:"edge,omitempty"` // else a host
	Name    string    `json:"name"`
	On      bool      `json:"on"`
	Counter uint64    `json:"counter"`
	Author  string    `json:"author"`
	Ends    time.Time `json:"ends"`
	Until   time.Time `json:"until"` // when it need not be remembered any more
}

const keptFormat = 1

// encodeOrders writes orders for the file.
func encodeOrders(now time.Time, drains []vote.Drain) ([]byte, error) {
	out := keptOrders{Format: keptFormat, Orders: []keptOrder{}}
	for _, d := range drains {
		out.Orders = append(out.Orders, keptOrder{d.Edge, d.Name, d.On, d.Counter, d.Author, now.Add(d.Left).UTC(), now.Add(d.Kept).UTC()})
	}
	text, err := json.MarshalIndent(out, "", "  ")
	return append(text, '\n'), err
}

// parseOrders reads what [encodeOrders] writes, with the time that is left now;
// without those that need not be remembered.
func parseOrders(text []byte, now time.Time) (drains []vote.Drain, err error) {
	var kept keptOrders
	if err = json.Unmarshal(text, &kept); err != nil {
		return nil, err
	}
	if kept.Format != keptFormat {
		return nil, fmt.Errorf("format: want %d, got %d", keptFormat, kept.Format)
	}
	for i, o := range kept.Orders {
		d := vote.Drain{Edge: o.Edge, Name: o.Name, On: o.On, Counter: o.Counter, Author: o.Author, Left: o.Ends.Sub(now)}
		if err = d.Check(); err != nil {
			return nil, fmt.Errorf("orders[%d]: %w", i, err)
		}
		d.Kept = min(max(d.Left, o.Until.Sub(now)), vote.MaxDrain)
		d.Left = min(d.Left, vote.MaxDrain) // the clock was set back
		if d.Kept > 0 {
			drains = append(drains, d)
		}
	}
	return drains, nil
}

// Orders returns the orders that are in force, for the process that takes the place
// of this one.
func (c *Cluster) Orders() []byte {
	now := time.Now()
	text, err := encodeOrders(now, c.council.orders(now))
	if err != nil {
		panic(err) // plain structs
	}
	return text
}

// inherit takes in the orders of the process before: the file may be missing, or
// could not be written.
func (c *Cluster) inherit(now time.Time) {
	if len(c.OrdersBefore) == 0 {
		return
	}
	drains, err := parseOrders(c.OrdersBefore, now)
	if err != nil {
		c.Log.Warn("cluster: what the process before told of drains is of no use", "error", err)
		return
	}
	if c.council.hear(&vote.Message{Drains: drains}, now); len(drains) > 0 {
		signal(c.ordered)
	}
}

// restore takes in the orders of the file. One that cannot be read is put aside.
func (c *Cluster) restore(now time.Time) {
	if c.File == "" {
		return
	}
	text, err := os.ReadFile(c.File)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var drains []vote.Drain
	if err == nil {
		drains, err = parseOrders(text, now)
	}
	if err != nil {
		aside := c.File + ".broken"
		err = errors.Join(err, os.Rename(c.File, aside))
		c.Log.Error("cluster: what is drained cannot be read: other edges may know it, else order it anew",
			"file", c.File, "put_aside", aside, "error", err)
		return
	}
	c.council.hear(&vote.Message{Drains: drains}, now)
}

// saveAgain is the time between attempts to write the file.
const saveAgain = time.Minute

// save keeps the orders in the file when they change, until ctx ends. While they
// cannot be written, such as on a full disk, it tries again, also at the end.
func (c *Cluster) save(ctx context.Context) {
	if c.File == "" {
		return
	}
	again := time.NewTimer(0)
	again.Stop()
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			if len(c.ordered) > 0 || c.unsaved.Load() {
				c.saveNow()
			}
			return
		case <-c.ordered:
		case <-again.C:
		}
		if c.saveNow(); c.unsaved.Load() {
			again.Reset(saveAgain)
		}
	}
}

// saveNow writes the file.
func (c *Cluster) saveNow() {
	now := time.Now()
	text, err := encodeOrders(now, c.council.orders(now))
	if err == nil {
		err = os.MkdirAll(filepath.Dir(c.File), 0o750)
	}
	if err == nil {
		err = durable.WriteFile(c.File, text, 0o600)
	}
	failed := err != nil
	switch before := c.unsaved.Swap(failed); {
	case failed:
		c.Log.Error("cluster: what is drained cannot be kept over a restart of all edges; it is tried again", "file", c.File, "error", err)
	case before:
		c.Log.Info("cluster: what is drained is kept again", "file", c.File)
	}
}
