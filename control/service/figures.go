package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/waypost/waypost/control/registry"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/edge/handover"
)

// AdminConfig is the configuration of the listener for operators.
type AdminConfig struct {
	// Listen is where /metrics and /healthz are. Never make it public.
	Listen netip.AddrPort `yaml:"listen"`
}

// askWithin is how long a scrape waits for the database.
const askWithin = 5 * time.Second

// figures gives a scrape what the database knows. All processes of a database
// give the same.
type figures struct{ s *Service }

// Describe sends nothing: what is there depends on the registry.
func (f *figures) Describe(chan<- *prometheus.Desc) {}

// Collect asks the database.
func (f *figures) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), askWithin)
	defer cancel()
	gauge := func(name, help string, value float64, labels ...string) {
		var names, values []string
		for i := 0; i < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc(prefix+name, help, names, nil), prometheus.GaugeValue, value, values...)
	}
	err := errors.Join(f.database(ctx, gauge), f.world(ctx, gauge))
	f.s.trouble(err)
	up := 1.0
	if err != nil {
		up = 0
	}
	f.disk(gauge)
	gauge("database_up", "1 if the database answered this scrape", up)
}

type gauge func(name, help string, value float64, labels ...string)

// database sends what the tables say.
func (f *figures) database(ctx context.Context, send gauge) error {
	is, err := f.s.store.Figures(ctx)
	if err != nil {
		return err
	}
	for _, kind := range f.s.kinds() {
		for _, state := range []store.JobState{store.Queued, store.Running, store.Failed} { // 0 is a figure, too
			is.Jobs[store.JobOf{Kind: kind, State: state}] += 0
		}
	}
	for of, n := range is.Jobs {
		send("jobs", "jobs in the database by kind and state; those that are over are kept for some time", float64(n), "kind", of.Kind, "state", string(of.State))
	}
	if is.Version == 0 {
		return nil
	}
	send("snapshot_version", "version of the snapshot that was published last", float64(is.Version))
	send("snapshot_age_seconds", "age of that snapshot", time.Since(is.Created).Seconds())
	send("snapshot_bytes", "size of its sections", float64(is.Bytes))
	send("snapshot_sections", "number of its sections", float64(is.Sections))
	return nil
}

// world sends what the registry says, and when masters were scanned.
func (f *figures) world(ctx context.Context, send gauge) error {
	world, change, err := f.s.store.World(ctx)
	if err != nil {
		return err
	}
	type standing struct {
		state  registry.State
		active bool
	}
	hosts := map[standing]int{}
	for _, h := range registry.All[*registry.Host](world) {
		hosts[standing{h.State, h.On()}]++
	}
	for is, n := range hosts {
		send("hosts", "hosts by the state of their approval, and whether they are switched on", float64(n),
			"state", string(is.state), "active", fmt.Sprint(is.active))
	}
	send("registry_change", "number of the registry's last change", float64(change))
	scans, err := f.s.store.Scans(ctx)
	for category, at := range scans {
		send("scan_age_seconds", "time since the master of a category was scanned", time.Since(at).Seconds(), "category", category)
	}
	return err
}

// AdminAddr returns where the pages for operators are, nil if there are none.
func (s *Service) AdminAddr() net.Addr {
	if s.admin == nil {
		return nil
	}
	return s.admin.Addr()
}

// serveAdmin serves the pages for operators until ctx ends.
func (s *Service) serveAdmin(ctx context.Context) error {
	if s.admin == nil {
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry(), promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return handover.Serve(ctx, server, s.admin, grace)
}
