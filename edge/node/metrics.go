package node

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waypost/waypost/edge/dns/wire"
	"github.com/waypost/waypost/edge/health/probe"
	edgehttp "github.com/waypost/waypost/edge/http"
)

// metrics gives the counters of all parts to a scrape. The parts count in
// shards of their own; here they are summed. No label names a client, a host
// or a path.
type metrics struct{ n *Node }

// Describe sends nothing: what is there depends on the configuration.
func (m *metrics) Describe(chan<- *prometheus.Desc) {}

// Collect sends all metrics.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	s := scrape{to}
	s.flag("ready", "1 while /readyz says so: there is data, and the edge neither leaves nor is drained", m.n.unready() == "")
	m.data(s)
	if m.n.config.DataDir != "" {
		m.disk(s)
	}
	if m.n.remote != nil {
		m.remote(s)
	}
	if m.n.tally != nil {
		m.statistics(s)
	}
	if m.n.http != nil {
		m.http(s)
	}
	if m.n.dns != nil {
		m.dns(s)
	}
	if m.n.prober != nil {
		m.health(s)
	}
	if m.n.feeds.monitor != nil {
		m.bmp(s)
	}
	if m.n.feeds.feed != nil {
		m.bgp(s)
	}
	if m.n.sharing.Share != nil {
		m.sharing(s)
	}
	if m.n.config.Cluster != nil {
		m.listening(s)
	}
	if m.n.peers.cluster() != nil {
		m.cluster(s)
	}
	if m.n.keeper != nil {
		m.anycast(s)
	}
}

// A scrape is one collection of all metrics. Labels are given as name, value,
// name, value.
type scrape struct{ to chan<- prometheus.Metric }

func (s scrape) send(kind prometheus.ValueType, name, help string, value float64, labels []string) {
	var names, values []string
	for i := 1; i < len(labels); i += 2 {
		names, values = append(names, labels[i-1]), append(values, labels[i])
	}
	s.to <- prometheus.MustNewConstMetric(prometheus.NewDesc("waypost_"+name, help, names, nil), kind, value, values...)
}

func (s scrape) count(name, help string, value uint64, labels ...string) {
	s.send(prometheus.CounterValue, name, help, float64(value), labels)
}

func (s scrape) gauge(name, help string, value int, labels ...string) {
	s.send(prometheus.GaugeValue, name, help, float64(value), labels)
}

func (s scrape) flag(name, help string, on bool, labels ...string) {
	value := 0
	if on {
		value = 1
	}
	s.gauge(name, help, value, labels...)
}

func (m *metrics) data(s scrape) {
	s.count("data_loads_total", "times the data was read, by result", m.n.loads.good.Load(), "result", "good")
	s.count("data_loads_total", "times the data was read, by result", m.n.loads.bad.Load(), "result", "refused")
	s.flag("data_current", "1 if the newest files are in use, 0 if they were refused", m.n.loads.lastWasGood.Load())
	s.gauge("data_loaded_timestamp_seconds", "Unix time of the last good load", int(m.n.loads.lastGood.Load()))
	v := m.n.engine.View()
	if v == nil {
		return
	}
	s.send(prometheus.GaugeValue, "data_version", "version of the data in use", float64(v.Index.Version()), nil)
	s.send(prometheus.GaugeValue, "data_age_seconds", "age of the data in use", time.Since(v.Index.Created()).Seconds(), nil)
	s.gauge("index_hosts", "hosts in the data in use", v.Index.Hosts())
	s.gauge("index_directories", "directories in the data in use", v.Index.Directories())
	s.gauge("index_files", "files in the data in use", v.Index.Files().Len())
	stats := v.Index.Map().Stats()
	s.gauge("netblock_map_bytes", "size of the compiled map of client addresses", stats.Bytes)
	s.gauge("netblock_map_ranges", "address ranges in that map", stats.RangesV4+stats.RangesV6)
}

func (m *metrics) http(s scrape) {
	c := m.n.http.Counters()
	for k, n := range c.Kinds {
		s.count("http_requests_total", "HTTP requests by what they asked for", n, "kind", edgehttp.Kind(k).String())
	}
	for class := 1; class < edgehttp.StatusClasses; class++ {
		s.count("http_answers_total", "HTTP answers by class of status", c.Status[class], "class", label(class)+"xx")
	}
	s.count("http_not_modified_total", "HTTP answers 304", c.NotModified)
	s.count("http_all_down_total", "HTTP answers for which every eligible host was down", c.AllDown)
	s.count("http_origin_total", "HTTP redirects to an origin", c.Origin)
	s.gauge("http_connections", "HTTP connections that are open", c.Open)
	s.count("http_connections_lost_total", "HTTP connections that were not taken, by reason", c.Refused, "reason", "too_many")
	s.count("http_connections_lost_total", "HTTP connections that were not taken, by reason", c.Failed, "reason", "not_accepted")
	if m.n.stats != nil {
		s.count("statistics_lines_dropped_total", "lines of the statistics log dropped because the disk was too slow", m.n.stats.Dropped())
		s.count("statistics_write_errors_total", "times lines of the statistics log could not be written, such as to a full disk", m.n.stats.Failed())
	}
}

func (m *metrics) dns(s scrape) {
	c := m.n.dns.Counters()
	s.count("dns_queries_total", "DNS queries by transport", c.UDP, "transport", "udp")
	s.count("dns_queries_total", "DNS queries by transport", c.TCP, "transport", "tcp")
	for code, n := range c.Rcodes {
		if name := wire.Rcode(code).String(); name != "" {
			s.count("dns_answers_total", "DNS answers by response code", n, "rcode", name)
		}
	}
	s.count("dns_tailored_total", "tailored DNS answers with at least one host", c.Tailored)
	s.count("dns_all_down_total", "tailored DNS answers with hosts that are all down", c.AllDown)
	s.count("dns_fallback_total", "DNS answers with fallback addresses", c.Fallback)
	s.count("dns_no_host_total", "DNS answers SERVFAIL because no host may serve the client", c.NoHost)
	s.count("dns_ecs_total", "DNS queries with a client subnet", c.ECS)
	s.count("dns_cookies_total", "DNS queries with a server cookie", c.CookiesOK, "cookie", "good")
	s.count("dns_cookies_total", "DNS queries with a server cookie", c.CookiesBad, "cookie", "bad")
	s.count("dns_truncated_total", "DNS answers that did not fit", c.Truncated)
	s.count("dns_malformed_total", "DNS queries with a format error", c.Malformed)
	s.count("dns_dropped_total", "packets that get no answer: answers, and less than a header", c.Dropped)
	s.count("dns_socket_errors_total", "errors of DNS sockets", c.ReadErrors, "call", "read")
	s.count("dns_socket_errors_total", "errors of DNS sockets", c.WriteErrors, "call", "write")
	s.count("dns_connections_total", "TCP connections for DNS", c.Connections, "fate", "taken")
	s.count("dns_connections_total", "TCP connections for DNS", c.Refused, "fate", "refused")
	s.count("dns_connections_total", "TCP connections for DNS", c.Slow, "fate", "closed_slow")
}

func (m *metrics) health(s scrape) {
	c := m.n.prober.Counters()
	m.n.countDown(c.Kinds)
	for verdict, n := range c.Results {
		s.count("probes_total", "probes of mirrors by verdict", n, "verdict", probe.Verdict(verdict).String())
	}
	s.gauge("probes_running", "probes that run now", c.Running)
	s.gauge("probe_certificates_expiring", "targets whose certificate has less than a tenth of its life left", c.Expiring)
	for _, k := range c.Kinds {
		kind := []string{"scheme", k.Scheme.String(), "family", k.Family.String()}
		s.gauge("probe_targets", "what is probed: a host by one scheme over one family", k.Targets, kind...)
		s.gauge("probe_targets_failing", "targets whose last probe failed", k.Failing, kind...)
		s.gauge("probe_targets_down", "targets that get no clients, by decision of this edge or of its cluster", k.Down, kind...)
		s.send(prometheus.GaugeValue, "probe_late_seconds", "for how long the target has been due that waits longest for room to be probed", k.Late.Seconds(), kind)
		s.gauge("probe_targets_capped", "targets that fail and are kept up by max_down", k.Capped, kind...)
		s.flag("probe_abstaining", "1 while this edge trusts none of its probes of the kind", k.Abstaining, kind...)
	}
}
