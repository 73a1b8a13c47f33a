package node

import "net/http"

// bmpPage lists the tables that routers show by BMP.
func (n *Node) bmpPage(w http.ResponseWriter, _ *http.Request) {
	if n.feeds.monitor == nil {
		http.Error(w, "this edge takes no BMP: the configuration has no edge.asn.bmp", http.StatusNotFound)
		return
	}
	writePage(w, n.feeds.monitor.Status())
}

// bmp sends what routers show.
func (m *metrics) bmp(s scrape) {
	status := m.n.feeds.monitor.Status()
	s.count("bmp_connections_total", "connections of routers that send BMP", status.Connections)
	s.count("bmp_updates_total", "messages with routes that came by BMP", status.Updates)
	s.count("bmp_malformed_total", "messages with routes that could not be read", status.Malformed)
	s.count("bmp_applied_total", "times a new table was put in use", status.Applied)
	s.gauge("bmp_prefixes", "prefixes in the table in use", status.Prefixes)
	for _, t := range status.Tables {
		labels := []string{"router", t.Router.String(), "view", t.View, "peer", ""}
		if t.Peer.IsValid() {
			labels[5] = t.Peer.String()
		}
		s.gauge("bmp_table_prefixes", "prefixes in a table that a router shows", t.Prefixes, labels...)
		s.flag("bmp_table_stale", "1 if a table is of a connection that was lost", t.Stale, labels...)
	}
}
