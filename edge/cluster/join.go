package cluster

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// An Absentee is an edge that cannot be joined.
type Absentee struct {
	Address string `json:"address"` // or a name, as configured
	Error   string `json:"error"`
}

const (
	joinSlow  = 30 * time.Second // between attempts where nobody is missing
	joinSoon  = 5 * time.Second  // where somebody is
	joinFirst = time.Second      // where nobody is there, at first
	joinAlone = 10 * time.Second // and in the end
)

// join joins those that are configured, and those that were lost, until ctx
// ends: soon where nobody is there, now and then otherwise.
func (c *Cluster) join(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	alone := joinFirst
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		missing, absent := c.missing(ctx)
		done := make(chan []Absentee, 1)
		go func() { done <- c.joinAll(ctx, missing) }()
		select {
		case <-ctx.Done(): // those who wait for an answer end with their timeouts
			return
		case failed := <-done:
			absent = append(absent, failed...)
		}
		c.noteAbsent(absent)
		wait := joinSlow
		switch {
		case c.alive.Load() < 2:
			wait = alone
			alone = min(2*alone, joinAlone)
		case len(missing) > 0:
			wait, alone = joinSoon, joinFirst
		default:
			alone = joinFirst
		}
		timer.Reset(wait + apart(wait/2))
	}
}

// joinAll joins edges, eight at a time, and returns those that could not be joined.
func (c *Cluster) joinAll(ctx context.Context, missing []netip.AddrPort) (absent []Absentee) {
	var tries sync.WaitGroup
	var mu sync.Mutex
	limit := make(chan struct{}, 8)
	for _, at := range missing {
		tries.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			if ctx.Err() != nil {
				return
			}
			if _, err := c.network.list.Join([]string{at.String()}); err != nil {
				mu.Lock()
				defer mu.Unlock()
				absent = append(absent, Absentee{at.String(), whyNot(err, at)})
			}
		})
	}
	tries.Wait()
	return absent
}

// whyNot returns what is wrong with an address, without what the library puts
// around it. Of who hangs up after both have greeted it says what that means.
func whyNot(err error, at netip.AddrPort) string {
	if one := errors.Unwrap(err); one != nil { // it collects errors, one for each address
		err = one
	}
	why := strings.TrimPrefix(err.Error(), "failed to join "+at.String()+": ")
	for _, end := range []string{"EOF", "connection reset by peer", "broken pipe"} {
		if strings.HasSuffix(why, end) {
			return "it hung up, as an edge does that lacks the first key of this one or has too many connections, or what is no edge: " + why
		}
	}
	return why
}

// noteAbsent notes who could not be joined. While this edge is alone, the log
// tells of it.
func (c *Cluster) noteAbsent(absent []Absentee) {
	slices.SortFunc(absent, func(a, b Absentee) int { return cmp.Compare(a.Address, b.Address) })
	c.mu.Lock()
	c.absent = absent
	c.mu.Unlock()
	if len(absent) == 0 || c.alive.Load() > 1 || !c.refusals.pace.allows("join", time.Minute) {
		return
	}
	c.Log.Warn("cluster: no edge of join answers, this one is alone: check join, the ports between, key_files and label",
		"address", absent[0].Address, "error", absent[0].Error, "more", len(absent)-1)
}

// missing returns the addresses of edges that are configured or were there not
// long ago, and are not alive now, and the names that do not resolve.
func (c *Cluster) missing(ctx context.Context) (missing []netip.AddrPort, absent []Absentee) {
	wanted, unresolved := c.Config.joined(ctx)
	for _, where := range c.Config.Join {
		err, bad := unresolved[where]
		if !bad {
			c.refusals.pace.forget("name to join " + where)
			continue
		}
		absent = append(absent, Absentee{where, err.Error()})
		if c.refusals.pace.allows("name to join "+where, 5*time.Minute) {
			c.Log.Warn("cluster: a name to join does not resolve", "name", where, "error", err)
		}
	}
	if c.alive.Load() < 2 {
		for _, at := range c.Known {
			if c.Config.reaches(at.Addr()) {
				wanted = append(wanted, at)
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	there := map[netip.AddrPort]bool{c.Config.Advertise: true, c.Config.Listen: true}
	for _, m := range c.members {
		if m.alive {
			there[m.address] = true
		} else if !m.meta.Leaving {
			wanted = append(wanted, m.address)
		}
	}
	for _, at := range wanted {
		if !there[at] {
			there[at] = true
			missing = append(missing, at)
		}
	}
	return missing, absent
}

// maxReachable is how many edges the next process is told of: one that answers is
// enough, and by each it compares all that is known.
const maxReachable = 4

// Reachable returns where others can be joined, a few of those that are alive, for
// [Options.Known] of the next process. While there are none, it returns those that
// this process was told of.
func (c *Cluster) Reachable() (some []netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, m := range c.members {
		if name != c.Name && m.alive && !m.meta.Leaving && len(some) < maxReachable {
			some = append(some, m.address)
		}
	}
	if len(some) == 0 {
		return c.Known
	}
	return some
}

// joined returns the addresses of Join that this edge can reach, and the names
// that do not resolve. It asks for names for five seconds at most.
func (c *Config) joined(ctx context.Context) (all []netip.AddrPort, unresolved map[string]error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	unresolved = map[string]error{}
	for _, where := range c.Join {
		host, port, err := splitJoin(where, c.Listen.Port())
		if err != nil {
			continue // it was checked
		}
		addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		before := len(all)
		for _, a := range addresses {
			if c.reaches(a) {
				all = append(all, netip.AddrPortFrom(a.Unmap(), port))
			}
		}
		if err == nil && len(all) == before {
			err = errors.New("it has no address of the family of listen")
		}
		if err != nil {
			unresolved[where] = err
		}
	}
	return all, unresolved
}
