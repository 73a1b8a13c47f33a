package bgp

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waypost/waypost/netblock"
	"github.com/waypost/waypost/netblock/asn"
)

// A MonitorConfig says which routers send what they monitor by BMP (RFC 7854),
// in the place of BGP sessions: they connect, and nothing is said to them.
type MonitorConfig struct {
	// Listen is the address and port at which routers connect. Required.
	Listen netip.AddrPort `yaml:"listen"`

	// Routers are where they connect from. Default: anywhere, so keep Listen in
	// a network where nobody else is.
	Routers []netip.Prefix `yaml:"routers"`

	// HoldLast is how long the tables of a router that went away stay in use.
	// Default: 24h.
	HoldLast time.Duration `yaml:"hold_last"`

	// ApplyEvery is how often changes are put in use. Default: 2s; at least 100ms.
	ApplyEvery time.Duration `yaml:"apply_every"`

	// EndOfRIBWait is how long after its first route a table counts as complete
	// though the router has not said so. Default: 2m.
	EndOfRIBWait time.Duration `yaml:"end_of_rib_wait"`

	// MaxPrefixes is how many prefixes one table may have. Default: 3,000,000.
	MaxPrefixes int `yaml:"max_prefixes"`

	// MaxTables is how many tables all routers together may show: one of each
	// of their peers, and their own. Default: 16.
	MaxTables int `yaml:"max_tables"`

	// Apply takes the new table, made of all that routers show, and what is
	// different from the last one. It is not called twice at a time. Required.
	Apply func(t *netblock.Table, changes []netblock.Change) `yaml:"-"`

	// Log is for what operators should know. Required.
	Log *slog.Logger `yaml:"-"`
}

// DefaultMaxTables is how many tables routers may show where nothing is given.
const DefaultMaxTables = 16

// Validate says all that is wrong, a line each that begins with the key, and
// fills in the defaults.
func (c *MonitorConfig) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) { errs = append(errs, fmt.Errorf(key+": "+format, args...)) }
	c.HoldLast = cmp.Or(c.HoldLast, DefaultHoldLast)
	c.ApplyEvery = cmp.Or(c.ApplyEvery, DefaultApplyEvery)
	c.EndOfRIBWait = cmp.Or(c.EndOfRIBWait, DefaultEndOfRIBWait)
	c.MaxPrefixes = cmp.Or(c.MaxPrefixes, DefaultMaxPrefixes)
	c.MaxTables = cmp.Or(c.MaxTables, DefaultMaxTables)
	if !c.Listen.IsValid() {
		bad("listen", "want an address and port such as 192.0.2.1:11019")
	}
	if c.HoldLast < 0 {
		bad("hold_last", "want a time such as 24h")
	}
	if c.ApplyEvery < 100*time.Millisecond {
		bad("apply_every", "want at least 100ms, got %s", c.ApplyEvery)
	}
	if c.EndOfRIBWait < time.Second {
		bad("end_of_rib_wait", "want at least 1s, got %s", c.EndOfRIBWait)
	}
	if c.MaxPrefixes < 1 || c.MaxTables < 1 {
		bad("max_prefixes", "want it and max_tables above 0, got %d and %d", c.MaxPrefixes, c.MaxTables)
	}
	return errors.Join(errs...)
}

// A Monitor takes what routers monitor. Make it with [NewMonitor]; it runs once.
type Monitor struct {
	config *MonitorConfig

	mu       sync.Mutex
	shown    []*shown           // guarded by mu; by preference
	stations uint64             // guarded by mu; connections so far
	open     map[netip.Addr]int // guarded by mu; connections that there are, by router
	status   MonitorStatus      // guarded by mu; what is counted in it

	union *asn.Union // of the applying goroutine
	order []bmpView  // whose tables are in union's slots
	kick  chan struct{}
}

// shown is one table that a router shows.
type shown struct {
	view     bmpView
	as       uint32
	station  uint64 // the connection that it comes by; 0: lost
	newest   uint64 // the last of those, which none before it may replace: it would have changes only
	rib      *rib   // what came by that connection; nil: lost
	began    time.Time
	ended    [families]bool // End-of-RIB came
	routes   [families]bool // a route came
	complete bool           // rib is in use
	out      *netblock.Table
	since    time.Time // when it was lost
}

// NewMonitor returns a monitor of a configuration that is valid. It opens
// nothing.
func NewMonitor(c *MonitorConfig) *Monitor {
	return &Monitor{config: c, union: asn.NewUnion(0), kick: make(chan struct{}, 1), open: map[netip.Addr]int{}}
}

// Run takes connections until ctx ends. It returns early when the listener
// cannot be opened.
func (m *Monitor) Run(ctx context.Context) error {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", m.config.Listen.String())
	if err != nil {
		return fmt.Errorf("listening for BMP on %s: %w", m.config.Listen, err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { m.accept(ctx, l); return nil })
	group.Go(func() error {
		every(ctx, m.config.ApplyEvery, m.kick, func() { m.flush(time.Now()) })
		return nil
	})
	return group.Wait()
}

func (m *Monitor) admits(router netip.Addr) bool {
	return len(m.config.Routers) == 0 ||
		slices.ContainsFunc(m.config.Routers, func(p netip.Prefix) bool { return p.Contains(router) })
}

// listenTo reads what a router says, until that ends. It returns why it did.
func (m *Monitor) listenTo(router netip.Addr, r io.Reader) error {
	m.mu.Lock()
	m.stations++
	station := m.stations
	m.status.Connections++
	m.mu.Unlock()
	defer m.lose(func(s *shown) bool { return s.station == station })
	in := bufio.NewReaderSize(r, 64<<10) // r itself, if it is one
	var buf []byte
	for {
		msg, grown, err := readBMP(in, buf)
		buf = grown
		if err != nil {
			return err
		}
		if msg.skip {
			continue
		}
		msg.view.router = router
		switch msg.kind {
		case bmpRoutes:
			err = m.routes(station, &msg)
		case bmpPeerUp: // a new table begins
			m.lose(func(s *shown) bool { return s.station == station && s.view == msg.view })
		case bmpPeerDown:
			m.drop(station, msg.view)
		case bmpTermination:
			return errors.New("the router has ended it")
		}
		if err != nil {
			return err
		}
	}
}

// errFull ends a connection that shows more than it may.
var errFull = errors.New("more prefixes or tables than may be")

// routes takes in a route monitoring message.
func (m *Monitor) routes(station uint64, msg *bmpMessage) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status.Updates++
	body, err := msg.update()
	var u update
	if err == nil {
		err = u.parse(body, msg.as2, msg.as)
	}
	if err != nil { // the message has an end: what follows can be read
		m.status.Malformed++
		m.status.LastMalformed = fmt.Sprintf("%s, peer %s: %v", msg.view.router, msg.view.peer, err)
		return nil
	}
	if u.bad != "" {
		m.status.Malformed++
		m.status.LastMalformed = fmt.Sprintf("%s, peer %s: %s", msg.view.router, msg.view.peer, u.bad)
	}
	s := m.find(msg.view)
	if s == nil {
		if len(m.shown) >= m.config.MaxTables && !m.makeRoom() {
			return fmt.Errorf("a table of peer %s beside the %d of max_tables: %w", msg.view.peer, len(m.shown), errFull)
		}
		s = &shown{view: msg.view}
		m.shown = append(m.shown, s)
		slices.SortFunc(m.shown, func(a, b *shown) int { return a.view.compare(b.view) })
	}
	if station < s.newest {
		return nil
	}
	if s.station != station {
		*s = shown{view: s.view, as: msg.as, station: station, newest: station, rib: newRIB(m.config.MaxPrefixes), began: time.Now(), out: s.out, since: s.since}
	}
	u.apply(s.rib, [families]bool{true, true})
	for f := range families {
		s.ended[f] = s.ended[f] || u.end[f]
		s.routes[f] = s.routes[f] || len(u.announced[f][0]) > 0 || len(u.announced[f][1]) > 0
	}
	if s.rib.full() {
		return fmt.Errorf("a table of peer %s with more than %d, max_prefixes: %w", msg.view.peer, m.config.MaxPrefixes, errFull)
	}
	if !s.complete && s.isComplete(time.Now(), m.config.EndOfRIBWait) {
		wake(m.kick)
	}
	return nil
}

// isComplete reports whether all of a table has come: the router said so of
// each family that there is, or has had its time.
func (s *shown) isComplete(now time.Time, wait time.Duration) bool {
	if now.Sub(s.began) >= wait {
		return true
	}
	some := false
	for f := range families {
		if s.routes[f] && !s.ended[f] {
			return false
		}
		some = some || s.ended[f]
	}
	return some
}

func (m *Monitor) find(v bmpView) *shown {
	i := slices.IndexFunc(m.shown, func(s *shown) bool { return s.view == v })
	if i < 0 {
		return nil
	}
	return m.shown[i]
}

// lose keeps the last tables of a connection that has ended, or of a peer that
// begins anew.
func (m *Monitor) lose(which func(*shown) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.shown {
		if !which(s) {
			continue
		}
		if now := time.Now(); s.rib != nil && !s.rib.full() && (s.complete || s.isComplete(now, m.config.EndOfRIBWait)) {
			s.rib.fold()
			s.out, s.since = s.rib.table, now
		}
		s.station, s.rib, s.complete = 0, nil, false
	}
}

// drop forgets the table of a peer that the router has lost: it says so
// itself, and its other tables say where traffic goes now.
func (m *Monitor) drop(station uint64, v bmpView) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shown = slices.DeleteFunc(m.shown, func(s *shown) bool { return s.view == v && s.station == station })
}

// flush makes the union of the tables that are complete or were lost not long
// ago, and applies it if it is another one.
func (m *Monitor) flush(now time.Time) {
	before := m.union.Table()
	order, tables, changes := m.collect(now)
	var changed []netblock.Change
	if !slices.Equal(order, m.order) { // whose turn it is has changed: all is compared
		m.union, m.order = asn.NewUnion(len(order)), order
		for i, t := range tables {
			m.union.Set(i, t, nil)
		}
		changed = netblock.Diff(before, m.union.Table())
	} else {
		for i, t := range tables {
			if t != m.union.Slot(i) {
				changed = append(changed, m.union.Set(i, t, changes[i])...)
			}
		}
	}
	if len(changed) == 0 {
		return
	}
	m.mu.Lock()
	m.status.Applied++
	m.status.Prefixes = m.union.Table().Len()
	m.mu.Unlock()
	m.config.Apply(m.union.Table(), changed)
}

// collect returns the tables that are to be in use at now, by preference, with
// what has changed in each where that is known.
func (m *Monitor) collect(now time.Time) (order []bmpView, tables []*netblock.Table, changes [][]netblock.Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shown = slices.DeleteFunc(m.shown, func(s *shown) bool {
		return s.rib == nil && (s.out == nil || now.Sub(s.since) > m.config.HoldLast)
	})
	for _, s := range m.shown {
		var changed []netblock.Change
		if s.rib != nil && (s.complete || s.isComplete(now, m.config.EndOfRIBWait)) {
			same := s.complete && s.rib.table == s.out
			changed = s.rib.fold()
			if !same {
				changed = nil
			}
			s.complete, s.out = true, s.rib.table
		}
		if s.out != nil {
			order, tables, changes = append(order, s.view), append(tables, s.out), append(changes, changed)
		}
	}
	return order, tables, changes
}

// A MonitorStatus is how a monitor does.
type MonitorStatus struct {
	Connections   uint64 `json:"connections"` // since the start
	Updates       uint64 `json:"updates"`     // messages with routes
	Applied       uint64 `json:"applied"`     // times a new table was put in use
	Malformed     uint64 `json:"malformed"`
	LastMalformed string `json:"last_malformed,omitempty"`
	Prefixes      int    `json:"prefixes"` // in use

	Tables []TableStatus `json:"tables"` // by preference
}

// A TableStatus is how one table is that a router shows.
type TableStatus struct {
	Router   netip.Addr `json:"router"`
	View     string     `json:"view"`          // loc-rib, post-policy or pre-policy
	Peer     netip.Addr `json:"peer,omitzero"` // of the router; none: its own table
	ASN      uint32     `json:"asn"`
	Prefixes int        `json:"prefixes"`
	Complete bool       `json:"complete"` // what the router shows now is in use
	Stale    bool       `json:"stale"`    // what is in use is of a connection that was lost
	Since    time.Time  `json:"since"`    // when it began, or was lost
}

// Status returns how the monitor does. It may be called at any time.
func (m *Monitor) Status() MonitorStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.status
	for _, s := range m.shown {
		t := TableStatus{
			Router: s.view.router, View: [...]string{"loc-rib", "post-policy", "pre-policy"}[s.view.rank], ASN: s.as,
			Prefixes: s.out.Len(), Complete: s.complete, Stale: s.out != nil && !s.complete, Since: s.began,
		}
		if s.view.rank > 0 {
			t.Peer = s.view.peer
		}
		if t.Stale {
			t.Since = s.since
		}
		out.Tables = append(out.Tables, t)
	}
	return out
}
