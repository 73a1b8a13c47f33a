package service

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/waypost/waypost/control/checkin"
	"github.com/waypost/waypost/control/crawl"
	"github.com/waypost/waypost/control/notify"
	"github.com/waypost/waypost/control/publish"
	"github.com/waypost/waypost/control/store"
	"github.com/waypost/waypost/control/web"
)

// prefix begins the name of each metric of the control half.
const prefix = "waypost_control_"

// metrics are what this process counts, for Prometheus. What the database knows
// is asked for at each scrape (figures.go). No label names a client or a host.
type metrics struct {
	jobs      *prometheus.CounterVec   // kind, result
	jobTime   *prometheus.HistogramVec // kind
	crawls    *prometheus.CounterVec   // outcome
	messages  *prometheus.CounterVec   // kind, result
	published *prometheus.CounterVec   // result
	publish   prometheus.Histogram
	checkins  *prometheus.CounterVec // protocol, result
	requests  *prometheus.CounterVec // route, code
	troubles  prometheus.Counter
}

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
	}
	seconds := prometheus.ExponentialBuckets(0.05, 3, 11) // to 50 minutes
	m := &metrics{
		jobs:     counter("jobs_total", "attempts at jobs that this process made, by kind and result: done, failed or given_back", "kind", "result"),
		crawls:   counter("crawls_total", "crawls by outcome: not_believed is one that waits for a person, error one that could not be made or kept", "outcome"),
		messages: counter("messages_total", "attempts to send messages, by kind (mail, webhook) and result: sent, refused (for good) or failed (and tried again)", "kind", "result"),
		published: counter("publications_total",
			"attempts to publish a snapshot by result: done (also if nothing had changed), busy (another process does), held (a roll-back is in force) or failed", "result"),
		checkins: counter("checkins_total", "check-ins of mirrors by protocol (api, xmlrpc) and result: accepted or refused", "protocol", "result"),
		requests: counter("http_requests_total", "requests to the API and pages, by route and status code", "route", "code"),
		jobTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: prefix + "job_seconds", Help: "how long attempts at jobs took, by kind: crawl, scan, publish, …", Buckets: seconds,
		}, []string{"kind"}),
		publish: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: prefix + "publish_seconds", Help: "how long publications took that were made, or found nothing new: without waiting for another process", Buckets: seconds,
		}),
		troubles: prometheus.NewCounter(prometheus.CounterOpts{
			Name: prefix + "database_errors_total", Help: "errors of the database outside of requests, such as that it is away",
		}),
	}
	m.begin()
	return m
}

// begin makes the series that alerts look at: one that appears with its first
// event has no rate of it.
func (m *metrics) begin() {
	for _, kind := range []string{web.JobScan, web.JobCrawl, web.JobPublish, jobMail, jobWebhook} {
		for _, result := range []string{"done", "failed", "given_back"} {
			m.jobs.WithLabelValues(kind, result)
		}
	}
	for _, kind := range []string{jobMail, jobWebhook} {
		for _, result := range []string{"sent", "refused", "failed"} {
			m.messages.WithLabelValues(kind, result)
		}
	}
	for o := range crawl.Interrupted { // which is an error
		m.crawls.WithLabelValues(outcomeLabel(o))
	}
	m.crawls.WithLabelValues(notBelieved)
	m.crawls.WithLabelValues("error")
	for _, result := range []string{"done", "busy", "held", "failed"} {
		m.published.WithLabelValues(result)
	}
	for _, protocol := range []string{"api", "xmlrpc"} {
		m.checkins.WithLabelValues(protocol, "accepted")
		m.checkins.WithLabelValues(protocol, "refused")
	}
}

// registry returns all metrics for a scrape.
func (s *Service) registry() *prometheus.Registry {
	m, r := s.metrics, prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewBuildInfoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.jobs, m.jobTime, m.crawls, m.messages, m.published, m.publish, m.checkins, m.requests, m.troubles, &figures{s})
	return r
}

// job counts an attempt at a job.
func (m *metrics) job(ctx context.Context, j store.Job, do job) (result string, err error) {
	began := time.Now()
	result, err = do(ctx, j)
	m.jobTime.WithLabelValues(j.Kind).Observe(time.Since(began).Seconds())
	what := "done"
	switch {
	case err != nil && ctx.Err() != nil:
		what = "given_back"
	case err != nil:
		what = "failed"
	}
	m.jobs.WithLabelValues(j.Kind, what).Inc()
	if j.Kind == web.JobCrawl && what == "failed" {
		m.crawls.WithLabelValues("error").Inc()
	}
	return result, err
}

// notBelieved is the label of crawls that wait for a person, whatever else came
// of them.
const notBelieved = "not_believed"

// crawl counts a crawl that was kept.
func (m *metrics) crawl(r *crawl.Report) {
	label := outcomeLabel(r.Outcome)
	if r.Held != "" {
		label = notBelieved
	}
	m.crawls.WithLabelValues(label).Inc()
}

// message counts an attempt to send a message, but for one that ended with ctx.
func (m *metrics) message(ctx context.Context, kind string, err error) {
	result := "sent"
	switch {
	case errors.Is(err, notify.ErrRefused):
		result = "refused"
	case err != nil && ctx.Err() != nil:
		return
	case err != nil:
		result = "failed"
	}
	m.messages.WithLabelValues(kind, result).Inc()
}

// outcomeLabel returns an outcome as a label: a word.
func outcomeLabel(o crawl.Outcome) string { return strings.ReplaceAll(o.String(), " ", "_") }

// snapshot counts an attempt at a publication.
func (m *metrics) snapshot(publishNow func() (uint64, error)) (version uint64, err error) {
	began := time.Now()
	version, err = publishNow()
	result := "done"
	switch {
	case errors.Is(err, publish.ErrBusy):
		result = "busy"
	case errors.Is(err, publish.ErrHeld):
		result = "held"
	case err != nil:
		result = "failed"
	default:
		m.publish.Observe(time.Since(began).Seconds())
	}
	m.published.WithLabelValues(result).Inc()
	return version, err
}

// answers counts the requests that h answers.
func (m *metrics) answers(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &witness{ResponseWriter: w}
		h.ServeHTTP(seen, r)
		route := r.Pattern // the mux has set it
		if route == "" {
			route = "none"
		}
		m.requests.WithLabelValues(route, strconv.Itoa(seen.code())).Inc()
	})
}

// A witness sees the status of an answer go by.
type witness struct {
	http.ResponseWriter

	status int
}

// Unwrap is for [http.ResponseController].
func (w *witness) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (w *witness) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// code is the status; who writes without one says 200.
func (w *witness) code() int { return cmp.Or(w.status, http.StatusOK) }

// A counter counts check-ins by what became of them.
type counter struct {
	web.Checkins

	of *prometheus.CounterVec
}

// ServeAPI implements [web.Checkins].
func (c counter) ServeAPI(w http.ResponseWriter, r *http.Request) {
	c.count("api", w, r, c.Checkins.ServeAPI)
}

// ServeXMLRPC implements [web.Checkins].
func (c counter) ServeXMLRPC(w http.ResponseWriter, r *http.Request) {
	c.count("xmlrpc", w, r, c.Checkins.ServeXMLRPC)
}

// kept is the key of a context's *bool that says that a check-in was kept.
type kept struct{}

func (c counter) count(protocol string, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	accepted := false
	serve(w, r.WithContext(context.WithValue(r.Context(), kept{}, &accepted)))
	result := "refused"
	if accepted {
		result = "accepted"
	}
	c.of.WithLabelValues(protocol, result).Inc()
}

// keeper notes which check-ins were kept.
type keeper struct{ checkin.Holdings }

// Keep implements [checkin.Holdings].
func (k keeper) Keep(ctx context.Context, r checkin.Receipt) error {
	err := k.Holdings.Keep(ctx, r)
	if accepted, ok := ctx.Value(kept{}).(*bool); ok && err == nil {
		*accepted = true
	}
	return err //nolint:wrapcheck // it only passes by
}
