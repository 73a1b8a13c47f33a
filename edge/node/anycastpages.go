package node

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/waypost/waypost/edge/anycast"
)

// anycastPages are the pages of an edge that announces prefixes.
func (n *Node) anycastPages(mux *http.ServeMux) {
	if n.keeper == nil {
		return
	}
	mux.HandleFunc("GET /anycast", func(w http.ResponseWriter, _ *http.Request) { n.anycastStatus(w) })
	order := func(do func(force bool, prefixes []netip.Prefix) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			err := obey(r, func(p url.Values) error {
				prefixes, err := prefixesOf(p)
				if err != nil {
					return err
				}
				return do(p.Has("force"), prefixes)
			})
			if err != nil {
				refuse(w, err)
				return
			}
			n.anycastStatus(w)
		}
	}
	mux.Handle("POST /anycast/drain", order(func(force bool, prefixes []netip.Prefix) error {
		return n.keeper.Drain(force, prefixes...)
	}))
	mux.Handle("POST /anycast/resume", order(func(_ bool, prefixes []netip.Prefix) error {
		return n.keeper.Resume(prefixes...)
	}))
}

// prefixesOf returns the prefixes that parameters name.
func prefixesOf(p url.Values) (prefixes []netip.Prefix, err error) {
	for _, text := range p["prefix"] {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, misput{fmt.Errorf("prefix: want a prefix such as 198.18.0.0/24, got %.60q", text)}
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, nil
}

func (n *Node) anycastStatus(w http.ResponseWriter) { writePage(w, n.keeper.Status()) }

// anycast sends what the keeper counted.
func (m *metrics) anycast(s scrape) {
	status := m.n.keeper.Status()
	s.flag("anycast_speaker_up", "1 while the anycast speaker takes orders", status.Speaker != 0 && status.Error == "")
	s.count("anycast_checks_total", "checks of service prefixes by this edge itself, by result", status.GoodChecks, "result", "good")
	s.count("anycast_checks_total", "checks of service prefixes by this edge itself, by result", status.BadChecks, "result", "bad")
	for _, p := range status.Prefixes {
		for state := anycast.Down; state <= anycast.Maintenance; state++ {
			s.flag("anycast_prefix_state", "1 for the state that a service prefix is in", p.State == state.String(),
				"prefix", p.Prefix.String(), "state", state.String())
		}
	}
	for _, peer := range status.Peers {
		neighbour := peer.Address.String()
		s.flag("anycast_session_up", "1 while the BGP session with a neighbour is established", peer.Established, "neighbour", neighbour)
		s.count("anycast_session_flaps_total", "times the BGP session with a neighbour went down", uint64(peer.Flaps), "neighbour", neighbour)
		for _, p := range status.Prefixes {
			told := false
			for _, prefix := range peer.Prefixes {
				told = told || prefix == p.Prefix
			}
			s.flag("anycast_announced", "1 while a neighbour is told of a service prefix", told, "prefix", p.Prefix.String(), "neighbour", neighbour)
		}
	}
}
