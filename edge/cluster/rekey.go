package cluster

import (
	"fmt"
	"slices"
	"strings"
)

// A Key is one of the ring, and who has it.
type Key struct {
	ID      KeyID    `json:"id"`
	Primary bool     `json:"primary"` // this edge encrypts with it
	Accepts []string `json:"accepts"` // members that accept it
	Uses    []string `json:"uses"`    // members that encrypt with it
	Lacks   []string `json:"lacks"`   // members that are alive and do not know it
}

// Keys returns the keys of this edge, and of others, that which encrypts first.
func (c *Cluster) Keys() []Key {
	all := []Key{}
	for i, id := range c.keys.ids() {
		all = append(all, Key{ID: id, Primary: i == 0, Accepts: []string{}, Uses: []string{}, Lacks: []string{}})
	}
	members := c.Members()
	for _, m := range members {
		for _, id := range m.Keys {
			if m.Alive && !slices.ContainsFunc(all, func(k Key) bool { return k.ID == id }) {
				all = append(all, Key{ID: id, Accepts: []string{}, Uses: []string{}, Lacks: []string{}})
			}
		}
	}
	for i := range all {
		k := &all[i]
		for _, m := range members {
			switch {
			case !m.Alive:
			case slices.Contains(m.Keys, k.ID):
				k.Accepts = append(k.Accepts, m.Name)
				if m.Keys[0] == k.ID {
					k.Uses = append(k.Uses, m.Name)
				}
			default:
				k.Lacks = append(k.Lacks, m.Name)
			}
		}
	}
	return all
}

// UseKey has this edge encrypt with a key of its ring, until the key files
// change or it starts anew. Unless force is given, all members that are alive
// must know the key.
func (c *Cluster) UseKey(id KeyID, force bool) error {
	key, err := c.keys.find(id)
	if err != nil {
		return err
	}
	for _, k := range c.Keys() {
		if k.ID == id && len(k.Lacks) > 0 && !force {
			return fmt.Errorf("%s do not know key %s: they would not understand this edge", strings.Join(k.Lacks, ", "), id)
		}
	}
	return c.rekey(c.keys.ring.UseKey(key))
}

// RemoveKey has this edge no longer accept a key, until the key files change
// or it starts anew. Unless force is given, no member may encrypt with it.
func (c *Cluster) RemoveKey(id KeyID, force bool) error {
	key, err := c.keys.find(id)
	if err != nil {
		return err
	}
	for _, k := range c.Keys() {
		if k.ID == id && len(k.Uses) > 0 && !force {
			return fmt.Errorf("%s encrypt with key %s: this edge would not understand them", strings.Join(k.Uses, ", "), id)
		}
	}
	return c.rekey(c.keys.remove(key))
}

// reloadKeys takes what the key files have now.
func (c *Cluster) reloadKeys() {
	err := c.rekey(c.keys.reload())
	c.keys.failed.Store(err != nil)
	if err != nil {
		c.Log.Error("cluster: the key files are of no use, the keys of before stay in use", "error", err)
		return
	}
	c.Log.Info("cluster: keys were read", "keys", c.keys.ids())
	c.warnExposed()
}

// warnExposed tells of key files that too many can read.
func (c *Cluster) warnExposed() {
	for _, file := range c.keys.exposed() {
		c.Log.Warn("cluster: others can read a key file, or change it: chmod 600, or 640 for a group", "file", file)
	}
}

// rekey tells the others of the ring as it is now.
func (c *Cluster) rekey(err error) error {
	ids := c.keys.ids()
	c.mu.Lock()
	c.meta.keys = ids
	c.mu.Unlock()
	signal(c.renamed)
	return err
}
