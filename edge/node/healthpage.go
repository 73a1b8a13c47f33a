package node

import (
	"net/http"
	"time"

	"github.com/waypost/waypost/edge/health/probe"
)

// A probed is what this edge probes: a host by one scheme over one family.
type probed struct {
	Host string `json:"host"`
	Kind string `json:"kind"` // such as "https over ipv6"
	URL  string `json:"url"`  // that is asked for

	Down    bool      `json:"down"`              // gets no clients; by votes of the cluster where there is one, or by order
	Kept    bool      `json:"kept,omitempty"`    // is to be down, and max_down keeps it up
	Drained bool      `json:"drained,omitempty"` // is out by order of an operator, whatever probes say
	Failing bool      `json:"failing"`           // enough probes of this edge have failed
	Since   time.Time `json:"since,omitzero"`    // when down last changed; not known where a cluster decides

	Verdict   string    `json:"verdict"`                 // of the last probe
	Detail    string    `json:"detail,omitempty"`        // why it failed
	Took      int64     `json:"took_ms"`                 // the whole probe
	RoundTrip float64   `json:"round_trip_ms"`           // until there was a connection; 0: there was none
	Expires   time.Time `json:"certificate_to,omitzero"` // when the certificate ends
	Expiring  bool      `json:"expiring,omitempty"`      // with less than a tenth of its life left
}

// healthPage lists what is probed and how it is.
func (n *Node) healthPage(w http.ResponseWriter, _ *http.Request) {
	if n.prober == nil {
		http.Error(w, "this edge does not probe: the configuration has no edge.health", http.StatusNotFound)
		return
	}
	writePage(w, n.probed())
}

// probed returns what is probed and how it is, by host and kind.
func (n *Node) probed() []probed {
	all := []probed{}
	for _, s := range n.prober.Statuses() {
		const milli = float64(time.Millisecond)
		n.overrule(&s)
		all = append(all, probed{
			Host: s.Target.Host, Kind: s.Target.Kind().String(), URL: s.URL, Down: s.Down, Kept: s.Kept, Failing: s.Failing, Since: s.Since,
			Drained: n.decision().IsDrained(s.Target.Host),
			Verdict: s.Result.Verdict.String(), Detail: s.Result.Detail, Took: s.Result.Latency.Milliseconds(),
			RoundTrip: float64(s.Result.RoundTrip.Round(time.Microsecond)) / milli, Expires: s.Result.Expires, Expiring: s.Result.Expiring,
		})
	}
	return all
}

// overrule has a status say what the cluster decided, where there is one.
func (n *Node) overrule(s *probe.Status) {
	if n.config.Cluster == nil {
		return
	}
	d := n.decision()
	s.Down, s.Kept, s.Since = d.IsDown(s.Target) || d.IsDrained(s.Target.Host), d.IsKept(s.Target), time.Time{}
}

// countDown sets how much of each kind that this edge probes is down, where a
// cluster decides.
func (n *Node) countDown(kinds []probe.KindCounters) {
	if n.config.Cluster == nil {
		return
	}
	d := n.decision()
	for _, s := range n.prober.Statuses() {
		if d.IsDown(s.Target) {
			kinds[s.Target.Kind()].Down++
		}
	}
}
