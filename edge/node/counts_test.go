package node_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/node"
	"github.com/waypost/waypost/edge/statistics/outbox"
)

// A takes is a control plane that takes statistics.
type takes struct {
	*control

	mu     sync.Mutex
	counts map[string]int64 // guarded by mu: by dimension and name
}

func (c *takes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/v1/statistics" {
		c.control.ServeHTTP(w, r)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var b outbox.Batch
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil || r.Header.Get("Authorization") != "Bearer t0ken" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	for _, n := range b.Counts {
		c.counts[n.Dimension+" "+n.Name] += n.Count
	}
	w.WriteHeader(http.StatusNoContent)
}

// An edge that stops sends what it has counted until then, unless it is not to
// count.
func TestCountsAtTheEnd(t *testing.T) {
	for _, disabled := range []bool{false, true} {
		dir := t.TempDir()
		plain, _, config := controlled(t, dir)
		plain.publish(t, time.Time{}, "one.test")
		c := &takes{control: plain, counts: map[string]int64{}}
		server := httptest.NewServer(c)
		t.Cleanup(server.Close)
		lines := strings.Split(config, "\n")
		for i := range lines {
			if strings.Contains(lines[i], "control: {url: ") {
				_, rest, _ := strings.Cut(lines[i], ", token_file")
				lines[i] = `  source: {control: {url: "` + server.URL + `", token_file` + rest
			}
		}
		config = strings.Join(lines, "\n")
		if disabled {
			config += "  statistics: {disabled: true}\n"
		}
		client := newClient(t)
		t.Run("", func(t *testing.T) {
			at := start(t, dir, config)
			for range 3 {
				if got := location(t, client, "http://"+at["http"][0].String()+"/pub/os/44/f"); got != "http://one.test/os/44/f" {
					t.Fatal(got)
				}
			}
			has := func() bool {
				return strings.Contains(page(t, client, at["admin"][0].String()+"/metrics"), `waypost_statistics_batches_total{result="sent"} `)
			}
			for deadline := time.Now().Add(20 * time.Second); has() == disabled; <-time.After(10 * time.Millisecond) { // it opens a folder first
				if time.Now().After(deadline) {
					t.Fatalf("disabled %v: metrics of statistics: %v", disabled, !disabled)
				}
			}
		})
		c.mu.Lock()
		if n := c.counts["host one.test"]; disabled && n != 0 || !disabled && n != 3 {
			t.Errorf("disabled %v: counted %v", disabled, c.counts)
		}
		c.mu.Unlock()
	}
}

func TestStatisticsConfigProblems(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.yaml")
	write(t, path, "edge:\n  source: {catalog: a}\n  http: {listen: [\"127.0.0.1:0\"]}\n  statistics: {every: 10ms}\n")
	_, err := node.ReadConfig(path)
	wantProblems(t, err, "edge.yaml:4: edge.statistics.every: want a time from 1s to 1h, got 10ms")
}
