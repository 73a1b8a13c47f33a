package cluster

import "time"

// calm is for how long members must stay as many until these are what losses
// are measured by.
const calm = 5 * time.Minute

// Losses tell whether so many are gone that it is rather this edge that is cut
// off. Who said that it leaves is none of them.
type losses struct {
	most map[string]bool // who has been there
	lost bool            // half of them are not
}

// see takes in who is there to stay, and who leaves or has left with a word. It
// reports whether half of those who have been there are lost, and were not before.
func (l *losses) see(there, leaving []string) bool {
	if l.most == nil {
		l.most = map[string]bool{}
	}
	for _, name := range there {
		l.most[name] = true
	}
	for _, name := range leaving {
		delete(l.most, name)
	}
	before := l.lost
	l.lost = len(l.most) > 0 && 2*len(there) <= len(l.most)
	return l.lost && !before
}

// staying returns who is there to stay, and who leaves or has left with a word.
func (c *Cluster) staying() (there, leaving []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		switch {
		case m.meta.Leaving:
			leaving = append(leaving, m.name)
		case m.alive:
			there = append(there, m.name)
		}
	}
	return there, leaving
}
