package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/waypost/waypost/edge/answer"
	"github.com/waypost/waypost/edge/handover"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/geo"
)

// adminPages returns the pages for operators.
func (n *Node) adminPages() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewBuildInfoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &metrics{n})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", n.readyz)
	mux.HandleFunc("GET /explain", n.explain)
	mux.HandleFunc("GET /health", n.healthPage)
	mux.HandleFunc("GET /bgp", n.bgpPage)
	mux.HandleFunc("GET /bmp", n.bmpPage)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	n.anycastPages(mux)
	n.upgradePages(mux)
	n.clusterPages(mux)
	mux.HandleFunc("GET /{$}", n.startPage)
	return n.guard(mux)
}

// startPage lists the pages that this edge has.
func (n *Node) startPage(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "waypost", Version())
	list := func(there bool, pages ...string) {
		for _, page := range pages {
			if there {
				fmt.Fprintln(w, page)
			}
		}
	}
	list(true, "GET /metrics", "GET /healthz", "GET /readyz", "GET /explain?ip=ADDRESS&path=PATH[&json]")
	list(n.prober != nil, "GET /health")
	list(n.feeds.feed != nil, "GET /bgp")
	list(n.feeds.monitor != nil, "GET /bmp")
	list(n.keeper != nil, "GET /anycast", "POST /anycast/drain [prefix=PREFIX…] [force=1]", "POST /anycast/resume [prefix=PREFIX…]")
	list(n.config.Cluster != nil, "GET /cluster", "GET /cluster/votes?host=NAME", "GET /cluster/keys",
		"POST /cluster/drain host=NAME|edge=NAME for=TIME [force=1]", "POST /cluster/undrain host=NAME|edge=NAME",
		"POST /cluster/keys/use key=ID [force=1]", "POST /cluster/keys/remove key=ID [force=1]")
	list(n.sharing.Share != nil, "GET /cluster/share")
	list(true, "POST /upgrade [within=TIME] [force=1]", "GET /debug/pprof/")
}

// writePage writes a page as JSON, for people too.
func writePage(w http.ResponseWriter, page any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(page) // who asked has gone
}

// serveAdmin serves the pages for operators until ctx ends.
func (n *Node) serveAdmin(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: n.adminPages(), ReadHeaderTimeout: 10 * time.Second}
	return handover.Serve(ctx, server, l, adminWithin) // whoever asked for an upgrade is yet to hear of it
}

// adminWithin is how long answers of the admin pages may take once the edge was
// told to stop, or the next process has taken over.
const adminWithin = 2 * time.Second

func (n *Node) readyz(w http.ResponseWriter, _ *http.Request) {
	if why := n.unready(); why != "" {
		http.Error(w, why, http.StatusServiceUnavailable)
		return
	}
	v := n.engine.View()
	fmt.Fprintf(w, "ready: version %d of %s\n", v.Index.Version(), v.Index.Created().UTC().Format(time.RFC3339))
}

// unready returns why clients should rather go elsewhere; "" if they need not.
func (n *Node) unready() string {
	switch {
	case n.engine.View() == nil:
		return "no data is loaded"
	case n.leaving.Load():
		return "leaving: told to stop"
	case n.isDrained():
		return "drained: by order of an operator"
	}
	return ""
}

// explain answers why a client gets what it gets.
func (n *Node) explain(w http.ResponseWriter, r *http.Request) {
	v := n.engine.View()
	q, err := ExplainQuery(v, r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	x := v.Explain(q)
	n.explainASN(x)
	if r.URL.Query().Has("json") || strings.Contains(r.Header.Get("Accept"), "application/json") {
		writePage(w, x)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	WriteExplanation(w, x, time.Now())
}

// ExplainQuery makes a query of the parameters ip, path, country (a list, with
// global), avoid_country and family (4 or 6: a DNS query for A or AAAA). The
// error says which parameter is wrong.
func ExplainQuery(v *answer.View, p url.Values) (*answer.Query, error) {
	q := &answer.Query{Schemes: index.Web}
	var err error
	if q.Client, err = netip.ParseAddr(p.Get("ip")); err != nil {
		return nil, fmt.Errorf("ip: want an IP address, got %q", p.Get("ip"))
	}
	if !p.Has("path") {
		return nil, errors.New("path: want what the client asks for, such as pub/os/f.iso")
	}
	path := strings.Trim(p.Get("path"), "/")
	var ok bool
	if q.Target, ok = v.Index.Find([]byte(path)); !ok {
		return nil, fmt.Errorf("path: nothing of the name %q can exist here", path)
	}
	switch p.Get("family") {
	case "":
	case "4":
		q.Record, q.Sticky, q.Schemes = index.V4, true, 0
	case "6":
		q.Record, q.Sticky, q.Schemes = index.V6, true, 0
	default:
		return nil, fmt.Errorf("family: want 4 or 6, got %q", p.Get("family"))
	}
	if q.Record == 0 {
		q.Reach = index.FamilyOf(q.Client.Unmap())
	}
	return q, explainCountries(q, p)
}

func explainCountries(q *answer.Query, p url.Values) error {
	for _, key := range []string{"country", "avoid_country"} {
		for _, code := range strings.FieldsFunc(p.Get(key), func(r rune) bool { return r == ',' }) {
			if key == "country" && strings.EqualFold(code, "global") {
				q.Global = true
				continue
			}
			c, err := geo.ParseCountry(code)
			if err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			if key == "country" {
				q.Countries = append(q.Countries, c)
			} else {
				q.Avoid = append(q.Avoid, c)
			}
		}
	}
	return nil
}

// label returns a number as a metric label.
func label(n int) string { return strconv.Itoa(n) }
