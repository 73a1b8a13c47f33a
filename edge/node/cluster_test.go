package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/cluster"
)

// clusterConfig is an edge that is a cluster of its own, with three mirrors of
// which nobody answers.
const clusterConfig = `edge:
  name: alone
  source: {catalog: catalog.yaml}
  http: {listen: ["127.0.0.1:0"]}
  admin: {listen: "127.0.0.1:0"}
  health: {interval: 1s, timeout: 500ms, max_down: 1}
  cluster: {listen: "127.0.0.1:0", region: here, timings: lan}
`

const clusterCatalog = `categories: [{name: os, path: pub/os}]
hosts:
  - {name: a, country: DE, urls: {os: ["http://127.0.0.1:1/os"]}}
  - {name: b, country: DE, urls: {os: ["http://127.0.0.1:1/os"]}}
  - {name: x/rs, country: DE, urls: {os: ["rsync://127.0.0.1:1/os"]}}
`

// startClustered runs an edge until the test ends, and returns its admin address.
func startClustered(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"edge.yaml": config, "catalog.yaml": clusterCatalog} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := ReadConfig(filepath.Join(dir, "edge.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if bad := <-done; bad != nil {
			t.Error(bad)
		}
	})
	select {
	case <-n.Listened():
	case err = <-done:
		done <- nil
		t.Fatal(err)
	}
	return n.Addresses()["admin"][0].String()
}

// askAdmin asks for an admin page; method POST with parameters gives an order.
func askAdmin(t *testing.T, method, admin, path string, q url.Values) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+admin+path+"?"+q.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(b)
}

// within waits until what is so, at most a minute.
func within(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for !so() {
		select {
		case <-limit:
			t.Fatalf("waited a minute in vain: %s", what)
		case <-tick.C:
		}
	}
}

// TestClusterOfOne: an edge that is alone decides by its own probes, and takes
// orders.
func TestClusterOfOne(t *testing.T) {
	admin := startClustered(t, clusterConfig)
	status := func() (s cluster.Status) {
		if _, text := askAdmin(t, http.MethodGet, admin, "/cluster", nil); json.Unmarshal([]byte(text), &s) != nil {
			t.Fatal(text)
		}
		return s
	}
	within(t, "both mirrors are down", func() bool { return len(status().Down) == 2 })
	s := status()
	if len(s.Members) != 1 || !s.Members[0].Self || s.Members[0].Region != "here" || s.Hosts != 2 || s.Members[0].Snapshot == 0 {
		t.Errorf("%+v", s)
	}
	within(t, "metrics say so", func() bool {
		_, text := askAdmin(t, http.MethodGet, admin, "/metrics", nil)
		return strings.Contains(text, "waypost_cluster_targets_down 2\n") &&
			strings.Contains(text, `waypost_cluster_members{state="alive"} 1`) &&
			strings.Contains(text, `waypost_probe_targets_down{family="v4",scheme="http"} 2`)
	})
	for _, x := range []struct {
		method, path string
		q            url.Values
		status       int
		want         string
	}{
		{"GET", "/cluster/votes", url.Values{"host": {"a"}}, 200, `"state": "failing"`},
		{"GET", "/cluster/votes", url.Values{"host": {"x"}}, 404, "host: there is no host"},
		{"GET", "/cluster/keys", nil, 200, "[]"},
		{"POST", "/cluster/drain", url.Values{"host": {"a"}, "for": {"1h"}}, 200, `"left": "1h0m0s"`},
		{"POST", "/cluster/drain", url.Values{"host": {"a"}}, 400, "for: want a time"},
		{"POST", "/cluster/drain", url.Values{"host": {"a"}, "for": {"31d"}}, 400, "up to 30d"},
		{"POST", "/cluster/drain", url.Values{"host": {"a"}, "for": {"0s"}}, 400, "for: want a time"},
		{"POST", "/cluster/drain", url.Values{"host": {"a"}, "for": {"1d12h"}}, 200, `"left": "36h0m0s"`},
		{"GET", "/health", nil, 200, `"drained": true`},
		{"POST", "/cluster/drain", url.Values{"for": {"1h"}}, 400, "want host= or edge="},
		{"POST", "/cluster/drain", url.Values{"host": {"x"}, "for": {"1h"}}, 409, "no host"},
		{"GET", "/explain", url.Values{"ip": {"192.0.2.1"}, "path": {"pub/os/f"}, "json": {"1"}}, 200, `"reason": "drained: taken out by an operator for a while"`},
		{"POST", "/cluster/undrain", url.Values{"host": {"a"}}, 200, "[]"},
		{"POST", "/cluster/undrain", url.Values{"host": {"a"}}, 409, "is not drained"},
		{"GET", "/cluster/votes", url.Values{"host": {"x/rs"}}, 404, "that edges probe"},
		{"POST", "/cluster/drain", url.Values{"host": {"x/rs"}, "for": {"1h"}}, 200, `"name": "x/rs"`},
		{"GET", "/cluster", nil, 200, `"name": "x/rs"`},
		{"GET", "/explain", url.Values{"ip": {"192.0.2.1"}, "path": {"pub/os/f"}, "json": {"1"}}, 200, `"reason": "drained: taken out by an operator for a while"`},
		{"GET", "/metrics", nil, 200, "waypost_cluster_hosts_drained 1\n"},
		{"POST", "/cluster/undrain", url.Values{"host": {"x/rs"}}, 200, "[]"},
		{"POST", "/cluster/keys/use", url.Values{"key": {"xyz"}}, 400, "key: want the ID of a key"},
		{"POST", "/cluster/keys/remove", url.Values{"key": {"00000000"}}, 409, "has no key"},
		{"GET", "/", nil, 200, "GET /cluster/votes?host=NAME\n"},
		{"GET", "/readyz", nil, 200, "ready"},
		{"GET", "/metrics", nil, 200, "waypost_ready 1\n"},
		{"POST", "/cluster/drain", url.Values{"edge": {"alone"}, "for": {"1h"}}, 409, "the last edge that is alive"},
		{"POST", "/cluster/drain", url.Values{"edge": {"alone"}, "for": {"1h"}, "force": {"1"}}, 200, `"edge": true`},
		{"GET", "/readyz", nil, 503, "drained"},
		{"GET", "/metrics", nil, 200, "waypost_ready 0\n"},
		{"GET", "/metrics", nil, 200, "waypost_cluster_edges_drained 1\n"},
		{"GET", "/metrics", nil, 200, "waypost_cluster_keys_failed 0\n"},
	} {
		if code, text := askAdmin(t, x.method, admin, x.path, x.q); code != x.status || !strings.Contains(text, x.want) {
			t.Errorf("%s %s?%s: %d %s, want %d %q", x.method, x.path, x.q.Encode(), code, text, x.status, x.want)
		}
	}
}

func TestClusterConfig(t *testing.T) {
	for _, x := range []struct{ old, replaced, want string }{
		{`listen: "127.0.0.1:0", region`, `listen: "10.0.0.1:7946", region`, "edge.cluster.key_files: want a file with a key"},
		{"region: here", "region: here, port: 1", "port"},
		{"timings: lan", "timings: fast", "edge.cluster.timings: want wan or lan"},
		{"timings: lan", "key_files: [no.key]", "no.key"},
	} {
		path := filepath.Join(t.TempDir(), "edge.yaml")
		if err := os.WriteFile(path, []byte(strings.Replace(clusterConfig, x.old, x.replaced, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadConfig(path); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %q", x.replaced, err, x.want)
		}
	}
}

// TestDrainedOverRestart: an edge that is drained is so after a restart, too.
func TestDrainedOverRestart(t *testing.T) {
	config := strings.Replace(clusterConfig, "name: alone", fmt.Sprintf("name: alone\n  data_dir: %q", filepath.Join(t.TempDir(), "data")), 1)
	t.Run("before", func(t *testing.T) {
		admin := startClustered(t, config)
		if code, text := askAdmin(t, http.MethodPost, admin, "/cluster/drain", url.Values{"edge": {"alone"}, "for": {"1h"}, "force": {"1"}}); code != 200 {
			t.Error(text)
		}
	})
	t.Run("after", func(t *testing.T) {
		if code, text := askAdmin(t, http.MethodGet, startClustered(t, config), "/readyz", nil); code != 503 || !strings.Contains(text, "drained") {
			t.Errorf("%d %s", code, text)
		}
	})
}

// TestDrainedOverUpgrade: until when an edge is drained is known to the next
// process before it is in the cluster, and to the one after that.
func TestDrainedOverUpgrade(t *testing.T) {
	now := time.Now().UTC().Round(time.Second)
	for _, until := range []time.Time{{}, now.Add(-time.Second), now.Add(time.Hour)} {
		n := &Node{config: &Config{}, before: legacy{DrainedUntil: until}}
		text, err := n.bequeath()
		var next legacy
		if bad := json.Unmarshal(text, &next); bad != nil || err != nil || n.isDrained() != until.After(now) || !next.DrainedUntil.Equal(until) {
			t.Errorf("until %v: %v, %v: %s", until, err, bad, text)
		}
	}
}

// TestBequeathDrain: the next process is told when the order to drain this edge ends.
func TestBequeathDrain(t *testing.T) {
	n := &Node{config: &Config{Name: "edge1"}, log: slog.New(slog.DiscardHandler)}
	c, err := cluster.New(cluster.Options{Name: "edge1", Config: cluster.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // only a test
	n.peers.at.Store(c)
	if until := n.drainedUntil(); !until.IsZero() {
		t.Errorf("drained until %v", until)
	}
	if err = c.Drain("edge1", true, time.Hour, true); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(n.drainedUntil()); left < 59*time.Minute || left > 61*time.Minute {
		t.Errorf("drained for %v, want an hour", left)
	}
}
