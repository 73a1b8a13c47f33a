//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/control/internal/needs"
)

// a query is one of Prometheus', and where it stands.
type query struct{ where, expr string }

// deployedQueries returns those of all dashboards, guides and rules, with
// Grafana's variables replaced.
func deployedQueries(t *testing.T) (all []query) {
	t.Helper()
	grafana := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*")
	boards, err := filepath.Glob(filepath.Join(deploy, "grafana", "*.json"))
	if err != nil || len(boards) == 0 {
		t.Fatalf("%v, %v", boards, err)
	}
	for _, path := range boards {
		var board struct {
			UID    string
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		decode(t, deployed(t, "grafana", filepath.Base(path)), &board)
		for _, p := range board.Panels {
			for _, target := range p.Targets {
				all = append(all, query{board.UID + ", " + p.Title, grafana.Replace(target.Expr)})
			}
		}
	}
	for _, guide := range []string{"runbook.md", "../docs/edges.md"} {
		for _, found := range named.FindAllStringSubmatch(deployed(t, guide), -1) {
			all = append(all, query{guide, found[1]})
		}
	}
	for _, r := range deployedRules(t) {
		all = append(all, query{"rule " + r.Alert + r.Record, r.Expr})
	}
	return all
}

var (
	selector = regexp.MustCompile(`\b(up|(?:instance:)?(?:waypost|process|go)_[a-z0-9_]+(?::[a-z0-9]+)?)(\{[^}]*\})?`)
	named    = regexp.MustCompile("`((?:waypost|process)_[a-z0-9_]+(?:\\{[^}]*\\})?)`")
	grouping = regexp.MustCompile(`\b(?:by|on|without) \(([^)]*)\)`)
)

// selectors returns what a query looks at: each metric with its conditions.
// Status codes are counted once they occur, and no test makes this fail.
func (q query) selectors() []string {
	return selector.FindAllString(strings.ReplaceAll(q.expr, `code=~"5.."`, `code=~"..."`), -1)
}

// with returns the selectors of a query with the condition that there is a label.
func (q query) with(label string) (all []string) {
	for _, s := range q.selectors() {
		name, conditions, some := strings.Cut(strings.TrimSuffix(s, "}"), "{")
		if some {
			conditions += ", "
		}
		all = append(all, name+"{"+conditions+label+`!=""}`)
	}
	return all
}

// labels returns the names by which a query groups.
func (q query) labels() (names []string) {
	for _, list := range grouping.FindAllStringSubmatch(q.expr, -1) {
		names = append(names, strings.FieldsFunc(list[1], func(r rune) bool { return r == ',' || r == ' ' })...)
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "le" })
}

// TestDeployQueries starts an edge that has every part, a control plane and a
// router, and a Prometheus with the deployed rules that scrapes them. Whatever a
// dashboard or a rule looks at must be there; dashboards must show something.
func TestDeployQueries(t *testing.T) {
	t.Parallel()
	needs.Program(t, "prometheus", "prometheus")
	needs.Program(t, "gobgpd", "gobgpd")
	master := t.TempDir()
	file(t, "a disc", master, "43/iso/disc.iso")
	controlAdmin, edgeAdmin := port(t), port(t)
	p := newPlane(t, master, fmt.Sprintf("  admin: {listen: %q}\n", controlAdmin))
	p.world(t)
	p.scan(t)
	m := serve(t, copyTree(t, master), nil)
	p.host(t, "m", []string{m.url}, "state=approved")
	p.crawl(t, "m")
	p.wholeEdge(t, edgeAdmin)
	b := startPrometheus(t, edgeAdmin, controlAdmin)

	queries := deployedQueries(t)
	waiting := map[string]string{} // expression that has to give something, and who wants it
	for _, q := range queries {
		for _, s := range q.selectors() {
			waiting["count("+s+")"] = q.where
		}
		for _, label := range q.labels() {
			waiting["count("+strings.Join(q.with(label), " or ")+")"] = q.where
		}
		if !strings.HasPrefix(q.where, "rule ") {
			waiting[q.expr] = q.where
		}
	}
	t.Cleanup(func() {
		for expr, where := range waiting {
			t.Errorf("%s: nothing is %s", where, expr)
		}
	})
	t.Logf("%d queries, %d expressions that have to give something", len(queries), len(waiting))
	until(t, 3*time.Minute, "everything that is looked at is there", func() bool {
		maps.DeleteFunc(waiting, func(expr, where string) bool { return len(b.ask(t, where, expr)) > 0 })
		return len(waiting) == 0
	})
	wantConventions(t, edgeAdmin)
	wantConventions(t, controlAdmin)
	for _, q := range queries {
		b.ask(t, q.where, q.expr) // rules give nothing while all is well, but can be asked
	}
}

// wantConventions has promtool look at the names and units of all metrics, and
// wants help for each.
func wantConventions(t *testing.T, admin string) {
	t.Helper()
	response, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(t, "promtool", "check", "metrics")
	cmd.Stdin = bytes.NewReader(text)
	if out, bad := cmd.CombinedOutput(); bad != nil {
		t.Errorf("the metrics of %s: %v\n%s", admin, bad, out)
	}
}

// wholeEdge starts an edge with all that has metrics, and a router that it
// learns from. The neighbour it announces to is not there.
func (p *plane) wholeEdge(t *testing.T, admin string) {
	t.Helper()
	dir := t.TempDir()
	_, bgp, _ := strings.Cut(port(t), ":")
	bmp := port(t)
	_, bmpPort, _ := strings.Cut(bmp, ":")
	p.ctl(t, "token", "make", "edge1", "--edge", "edge1", "--to", filepath.Join(dir, "edge.token"))
	file(t, output(t, waypost, "cluster", "keys", "generate"), dir, "gossip.key")
	config := file(t, strings.NewReplacer("CONTROL", p.address, "KEY", p.key(t), "HTTP", port(t),
		"DNS", port(t), "ADMIN", admin, "GOSSIP", port(t), "SHARE", port(t), "BGP", bgp, "BMP", bmp).Replace(`edge:
  name: edge1
  data_dir: data
  source:
    control: {url: "http://CONTROL", token_file: edge.token, public_keys: ["KEY"]}
  asn:
    bgp:
      local_asn: 64512
      router_id: 192.0.2.1
      end_of_rib_wait: 1s
      apply_every: 100ms
      peers: [{address: 127.0.0.1, port: BGP, asn: 64500, multihop: 2}]
    bmp: {listen: "BMP", end_of_rib_wait: 1s, apply_every: 100ms}
  http: {listen: ["HTTP"], statistics_log: log}
  dns:
    listen: ["DNS"]
    zones: [{name: m.test, ns: {ns1.m.test: [127.0.0.1]}, mirrors: [{name: "@", path: pub/os}]}]
  health: {}
  cluster: {listen: "GOSSIP", share: "SHARE", key_files: [gossip.key]}
  anycast:
    local_asn: 64512
    router_id: 192.0.2.1
    prefixes: [127.0.0.0/24]
    peers: [{address: 127.0.0.3, asn: 64501}]
  admin: {listen: "ADMIN"}
`), dir, "edge.yaml")
	start(t, waypost, "run", "-c", config)
	until(t, soon, "the edge is ready", func() bool { return status("http://"+admin+"/readyz") == http.StatusOK })
	router := file(t, strings.NewReplacer("BGP", bgp, "BMP", bmpPort).Replace(`
[global.config]
  as = 64500
  router-id = "192.0.2.2"
  port = BGP
  local-address-list = ["127.0.0.1"]
[[neighbors]]
  [neighbors.config]
    neighbor-address = "127.0.0.1"
    peer-as = 64512
  [neighbors.transport.config]
    passive-mode = true
  [neighbors.ebgp-multihop.config]
    enabled = true
    multihop-ttl = 2
[[bmp-servers]]
  [bmp-servers.config]
    address = "127.0.0.1"
    port = BMP
    route-monitoring-policy = "local-rib"
`), dir, "gobgpd.toml")
	api := port(t)
	start(t, "gobgpd", "-f", router, "--api-hosts", api, "--pprof-disable")
	_, apiPort, _ := strings.Cut(api, ":")
	until(t, soon, "the router takes a route", func() bool {
		return command(t, "gobgp", "-p", apiPort, "global", "rib", "add", "-a", "ipv4", "53.0.0.0/8", "aspath", "64500 3320").Run() == nil
	})
}

// A prometheus is a server with the deployed rules.
type prometheus struct{ address string }

// startPrometheus scrapes an edge and a control plane each second.
func startPrometheus(t *testing.T, edge, control string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	b := &prometheus{port(t)}
	config := strings.NewReplacer("15s", "1s", "edge1.internal.example.org:9090", edge, "control.internal.example.org:9091", control).
		Replace(deployed(t, "prometheus", "prometheus.yml"))
	file(t, deployed(t, "prometheus", "waypost.rules.yml"), dir, "waypost.rules.yml")
	start(t, "prometheus", "--config.file="+file(t, config, dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+b.address, "--log.level=warn")
	until(t, soon, "Prometheus is ready", func() bool { return status("http://"+b.address+"/-/ready") == http.StatusOK })
	return b
}

// ask asks a query that must be one, and returns what it gives.
func (b *prometheus) ask(t *testing.T, where, expr string) []json.RawMessage {
	t.Helper()
	response, err := http.Get("http://" + b.address + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	var answer struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	if err != nil || answer.Status != "success" {
		t.Fatalf("%s: %s: %v %s", where, expr, err, answer.Error)
	}
	return answer.Data.Result
}
