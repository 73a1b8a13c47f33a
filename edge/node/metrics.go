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

// A gauge or counter is described once, here.
var ( //nolint:gochecknoglobals // descriptions never change
	httpRequests = describe("http_requests_total", "HTTP requests by what they asked for", "kind")
	httpAnswers  = describe("http_answers_total", "HTTP answers by class of status", "class")
	httpSpecial  = describe("http_special_total", "HTTP answers of note: not_modified, all_down (every eligible host is down), origin", "what")
	statsLines   = describe("statistics_lines_dropped_total", "lines of the statistics log dropped because the disk was too slow")

	dnsQueries = describe("dns_queries_total", "DNS queries by transport", "transport")
	dnsAnswers = describe("dns_answers_total", "DNS answers by response code", "rcode")
	dnsSpecial = describe("dns_special_total", "DNS queries, answers and connections of note", "what")

	probes          = describe("probes_total", "probes of mirrors by verdict", "verdict")
	probesRunning   = describe("probes_running", "probes that run now")
	probesExpiring  = describe("probe_certificates_expiring", "targets whose certificate has less than a tenth of its life left")
	probeTargets    = describe("probe_targets", "what is probed: a host by one scheme over one family", "scheme", "family")
	probeFailing    = describe("probe_targets_failing", "targets whose last probe failed", "scheme", "family")
	probeDown       = describe("probe_targets_down", "targets that get no clients", "scheme", "family")
	probeCapped     = describe("probe_targets_capped", "targets that fail and are kept up by max_down", "scheme", "family")
	probeAbstaining = describe("probe_abstaining", "1 while this edge trusts none of its probes of the kind", "scheme", "family")

	dataLoads   = describe("data_loads_total", "times the data was read, by result", "result")
	dataGood    = describe("data_current", "1 if the newest files are in use, 0 if they were refused")
	dataVersion = describe("data_version", "version of the data in use")
	dataAge     = describe("data_age_seconds", "age of the data in use")
	indexHosts  = describe("index_hosts", "hosts in the data in use")
	indexDirs   = describe("index_directories", "directories in the data in use")
	indexFiles  = describe("index_files", "files in the data in use")
	indexBytes  = describe("netblock_map_bytes", "size of the compiled map of client addresses")
	indexRanges = describe("netblock_map_ranges", "address ranges in that map")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("waypost_"+name, help, labels, nil)
}

// Describe sends nothing: what is there depends on the configuration.
func (m *metrics) Describe(chan<- *prometheus.Desc) {}

// Collect sends all metrics.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	m.collectData(to)
	if m.n.http != nil {
		m.collectHTTP(to)
	}
	if m.n.dns != nil {
		m.collectDNS(to)
	}
	if m.n.prober != nil {
		m.collectHealth(to)
	}
}

func counter(to chan<- prometheus.Metric, d *prometheus.Desc, value uint64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
}

func gauge(to chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func (m *metrics) collectData(to chan<- prometheus.Metric) {
	counter(to, dataLoads, m.n.loads.good.Load(), "good")
	counter(to, dataLoads, m.n.loads.bad.Load(), "refused")
	current := 0.0
	if m.n.loads.lastWasGood.Load() {
		current = 1
	}
	gauge(to, dataGood, current)
	v := m.n.engine.View()
	if v == nil {
		return
	}
	gauge(to, dataVersion, float64(v.Index.Version()))
	gauge(to, dataAge, age(v, time.Now()))
	gauge(to, indexHosts, float64(v.Index.Hosts()))
	gauge(to, indexDirs, float64(v.Index.Directories()))
	gauge(to, indexFiles, float64(v.Index.Files().Len()))
	stats := v.Index.Map().Stats()
	gauge(to, indexBytes, float64(stats.Bytes))
	gauge(to, indexRanges, float64(stats.RangesV4+stats.RangesV6))
}

func (m *metrics) collectHTTP(to chan<- prometheus.Metric) {
	c := m.n.http.Counters()
	for k, n := range c.Kinds {
		counter(to, httpRequests, n, edgehttp.Kind(k).String())
	}
	for class := 1; class < edgehttp.StatusClasses; class++ {
		counter(to, httpAnswers, c.Status[class], label(class)+"xx")
	}
	counter(to, httpSpecial, c.NotModified, "not_modified")
	counter(to, httpSpecial, c.AllDown, "all_down")
	counter(to, httpSpecial, c.Origin, "origin")
	if m.n.stats != nil {
		counter(to, statsLines, m.n.stats.Dropped())
	}
}

func (m *metrics) collectDNS(to chan<- prometheus.Metric) {
	c := m.n.dns.Counters()
	counter(to, dnsQueries, c.UDP, "udp")
	counter(to, dnsQueries, c.TCP, "tcp")
	for code, n := range c.Rcodes {
		if name := wire.Rcode(code).String(); name != "" {
			counter(to, dnsAnswers, n, name)
		}
	}
	for _, each := range []struct {
		what  string
		value uint64
	}{
		{"tailored", c.Tailored}, {"all_down", c.AllDown}, {"fallback", c.Fallback}, {"no_host", c.NoHost},
		{"ecs", c.ECS}, {"cookie_good", c.CookiesOK}, {"cookie_bad", c.CookiesBad},
		{"truncated", c.Truncated}, {"malformed", c.Malformed}, {"dropped", c.Dropped},
		{"read_error", c.ReadErrors}, {"write_error", c.WriteErrors},
		{"connection", c.Connections}, {"connection_refused", c.Refused}, {"connection_slow", c.Slow},
	} {
		counter(to, dnsSpecial, each.value, each.what)
	}
}

func (m *metrics) collectHealth(to chan<- prometheus.Metric) {
	c := m.n.prober.Counters()
	for verdict, n := range c.Results {
		counter(to, probes, n, probe.Verdict(verdict).String())
	}
	gauge(to, probesRunning, float64(c.Running))
	gauge(to, probesExpiring, float64(c.Expiring))
	for _, k := range c.Kinds {
		scheme, family := k.Scheme.String(), k.Family.String()
		gauge(to, probeTargets, float64(k.Targets), scheme, family)
		gauge(to, probeFailing, float64(k.Failing), scheme, family)
		gauge(to, probeDown, float64(k.Down), scheme, family)
		gauge(to, probeCapped, float64(k.Capped), scheme, family)
		abstaining := 0.0
		if k.Abstaining {
			abstaining = 1
		}
		gauge(to, probeAbstaining, abstaining, scheme, family)
	}
}
