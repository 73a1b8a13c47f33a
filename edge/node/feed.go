package node

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/edge/snapshot/strict"
	"github.com/waypost/waypost/edge/snapshot/wire/durable"
	"github.com/waypost/waypost/netblock"
	"github.com/waypost/waypost/netblock/asn"
	"github.com/waypost/waypost/netblock/bgp"
)

// checkBGP notes what is wrong with asn.bgp and asn.bmp, and fills in their
// defaults.
func (c *Config) checkBGP(doc *strict.Doc) {
	if c.ASN.BMP != nil {
		notes(doc, "edge.asn.bmp.", c.ASN.BMP.Validate())
	}
	if c.ASN.BGP == nil {
		return
	}
	notes(doc, "edge.asn.bgp.", c.ASN.BGP.Validate())
	if c.DataDir == "" {
		doc.Problem("edge.data_dir", "want the path of a folder for the tables that came by BGP, from which the edge starts until there are sessions")
	}
}

// notes notes each line of an error that begins with a key below prefix.
func notes(doc *strict.Doc, prefix string, err error) {
	if err == nil {
		return
	}
	for line := range strings.Lines(err.Error()) {
		key, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		doc.Problem(prefix+key, "%s", text)
	}
}

// feeds are the inputs of prefix → AS that change by themselves, beside the
// files that the source reads. The union is under mu: it has a slot for each
// BGP peer, one for what came by BMP and one for the files, which is the order
// of preference.
type feeds struct {
	feed    *bgp.Feed    // nil: there is none
	monitor *bgp.Monitor // nil: there is none

	mu    sync.Mutex // also held while an index takes the place of another
	union *asn.Union
}

// newFeed makes what asn.bgp configures.
func (n *Node) newFeed() error {
	c := n.config.ASN.BGP
	n.feeds.union = asn.NewUnion(2)
	if c != nil {
		n.feeds.union = asn.NewUnion(len(c.Peers) + 2)
	}
	if m := n.config.ASN.BMP; m != nil {
		settings := *m
		settings.Log = n.log
		settings.Apply = func(t *netblock.Table, changes []netblock.Change) { n.useASNs(n.feeds.union.Slots()-2, t, changes) }
		n.feeds.monitor = bgp.NewMonitor(&settings)
	}
	if c == nil {
		return nil
	}
	settings := *c
	settings.Dir = filepath.Join(n.config.DataDir, "bgp")
	if err := os.MkdirAll(settings.Dir, 0o750); err != nil {
		return fmt.Errorf("making the folder for BGP tables: %w", err)
	}
	settings.Log, settings.Apply = n.log, n.useASNs
	settings.WriteFile = func(path string, data []byte, mode fs.FileMode) error { return durable.WriteFile(path, data, mode) }
	n.feeds.feed = bgp.New(&settings)
	return nil
}

// restoreFeed takes the saved tables, so that the first index has them.
func (n *Node) restoreFeed() {
	if n.feeds.feed == nil {
		return
	}
	if err := n.feeds.feed.Restore(); err != nil {
		n.log.Error("saved BGP tables", "error", err)
	}
	n.feeds.feed.Flush()
}

// manyChanges is the number of changed prefixes from which on it is worth a
// line in the log.
const manyChanges = 10_000

// useASNs puts the table of a slot in use: that of a BGP peer, or of BMP. The
// memory of the old one is left to the runtime: debug.FreeOSMemory, after a
// full table, kept all goroutines waiting for 0.2 s.
func (n *Node) useASNs(slot int, t *netblock.Table, changes []netblock.Change) {
	began := time.Now()
	f := &n.feeds
	f.mu.Lock()
	defer f.mu.Unlock()
	changes = f.union.Set(slot, t, changes)
	v := n.engine.View()
	if v == nil || changes != nil && len(changes) == 0 {
		return
	}
	n.swap(v.Index.WithASNs(f.union.Table(), changes))
	if changes == nil || len(changes) >= manyChanges {
		n.log.Info("a routing table is in use", "of", n.nameOf(slot), "prefixes", t.Len(), "took", time.Since(began).Round(time.Millisecond))
	}
}

// compile makes an index of inputs, with what the feeds say in them, and puts
// it in use.
func (n *Node) compile(in index.Inputs) *index.Index {
	f := &n.feeds
	f.mu.Lock()
	defer f.mu.Unlock()
	f.union.Set(f.union.Slots()-1, in.ASNs, nil)
	in.ASNs = f.union.Table()
	ix := index.Compile(in)
	n.use(ix)
	return ix
}

// swap puts an index in use whose hosts are those of the present one.
func (n *Node) swap(ix *index.Index) {
	n.engine.Swap(ix, n.stateOf())
}

// explainASN adds to an explanation which source gave the client's AS.
func (n *Node) explainASN(x *answer.Explanation) {
	f := &n.feeds
	if !x.ASN.Prefix.IsValid() {
		return
	}
	f.mu.Lock()
	slot := f.slotOf(x.ASN.Prefix)
	f.mu.Unlock()
	if slot < 0 {
		return
	}
	x.ASN.Source = n.nameOf(slot)
	if slot >= f.union.Slots()-2 {
		return
	}
	if peer := f.feed.Status()[slot]; peer.Stale {
		x.ASN.Source += ", stale: last right " + peer.Current.UTC().Format(time.RFC3339)
	}
}

// nameOf says for people whose table is in a slot.
func (n *Node) nameOf(slot int) string {
	switch c := n.config.ASN; slot {
	case n.feeds.union.Slots() - 1:
		files := c.files()
		return strings.Join(files.Paths(), ", ")
	case n.feeds.union.Slots() - 2:
		return "BMP"
	default:
		return fmt.Sprintf("BGP peer %s, AS %d", c.BGP.Peers[slot].Address, c.BGP.Peers[slot].ASN)
	}
}

// slotOf returns the slot whose origin of the prefix counts, -1 if none has it.
func (f *feeds) slotOf(p netip.Prefix) int {
	first := -1
	for i := range f.union.Slots() {
		v, ok := f.union.Slot(i).Get(p)
		if ok && v != 0 {
			return i
		}
		if ok && first < 0 {
			first = i
		}
	}
	return first
}

// bgpPage lists the BGP sessions.
func (n *Node) bgpPage(w http.ResponseWriter, _ *http.Request) {
	if n.feeds.feed == nil {
		http.Error(w, errNoFeed.Error(), http.StatusNotFound)
		return
	}
	writePage(w, n.feeds.feed.Status())
}

var errNoFeed = errors.New("this edge has no BGP sessions: the configuration has no edge.asn.bgp")

// bgp sends how the BGP sessions are.
func (m *metrics) bgp(s scrape) {
	for _, p := range m.n.feeds.feed.Status() {
		peer := []string{"peer", p.Address.String()}
		for _, state := range []string{"idle", "open_sent", "open_confirm", "established"} {
			s.flag("bgp_session_state", "1 for the state of the session with the peer", p.State == state, append(peer, "state", state)...)
		}
		s.count("bgp_sessions_total", "sessions that came up", p.Sessions, peer...)
		s.count("bgp_errors_total", "sessions that ended, and attempts that failed", p.Errors, peer...)
		s.count("bgp_updates_total", "UPDATE messages", p.Updates, peer...)
		s.count("bgp_malformed_total", "UPDATE messages whose routes counted as withdrawn", p.Malformed, peer...)
		s.count("bgp_applied_total", "times a new table was put in use", p.Applied, peer...)
		s.gauge("bgp_prefixes", "prefixes in the table in use", p.Prefixes, peer...)
		s.flag("bgp_table_stale", "1 if the table in use is of a session that was lost, or from disk", p.Stale, peer...)
		if !p.LastErrorAt.IsZero() {
			s.gauge("bgp_last_error_timestamp_seconds", "Unix time of the last error, by its kind; its text is on the admin page /bgp",
				int(p.LastErrorAt.Unix()), append(peer, "kind", p.LastErrorKind)...)
		}
		if !p.Current.IsZero() {
			s.send(prometheus.GaugeValue, "bgp_table_age_seconds", "how long ago the table in use was last right", time.Since(p.Current).Seconds(), peer)
		}
	}
}
