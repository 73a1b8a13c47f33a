package node_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/cluster"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// tagged is a control plane with ETags, as the real one has them, that counts
// what it sends.
type tagged struct {
	*control

	manifests, sections atomic.Int64
}

func (c *tagged) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, "/sections/") {
		c.sections.Add(1)
		c.control.ServeHTTP(w, r)
		return
	}
	c.mu.Lock()
	tag := fmt.Sprintf("%q", wire.HashOf(c.manifest))
	c.mu.Unlock()
	w.Header().Set("ETag", tag)
	switch {
	case r.Header.Get("If-None-Match") == tag:
		w.WriteHeader(http.StatusNotModified)
	case r.Method == http.MethodHead:
	default:
		c.manifests.Add(1)
		c.control.ServeHTTP(w, r)
	}
}

// metric returns the sum of the series that a regular expression matches.
func metric(t *testing.T, client *http.Client, admin, series string) (sum float64) {
	t.Helper()
	response, err := client.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, _ := io.ReadAll(response.Body)
	for _, m := range regexp.MustCompile(`(?m)^`+series+` (\S+)$`).FindAllStringSubmatch(string(text), -1) {
		v, _ := strconv.ParseFloat(m[len(m)-1], 64)
		sum += v
	}
	return sum
}

// Four edges of a cluster follow a control plane: what is new comes to two of
// them from there, and to the others from these; they know of one another by
// gossip.
func TestSharing(t *testing.T) {
	dir := t.TempDir()
	c, _, _ := controlled(t, dir)
	front := &tagged{control: c}
	server := httptest.NewServer(front)
	t.Cleanup(server.Close)
	c.publish(t, time.Time{}, "one.test")
	client := newClient(t)
	write(t, filepath.Join(dir, "gossip.key"), cluster.GenerateKey()+"\n")
	var web, admin []string
	join := ""
	for i := range 4 {
		at := start(t, dir, fmt.Sprintf(`edge:
  name: edge%d
  data_dir: data%[1]d
  source: {control: {url: %[2]q, token_file: token, public_keys: [%[3]q]}}
  geo: {country: country.mmdb}
  http: {listen: ["127.0.0.1:0"]}
  admin: {listen: "127.0.0.1:0"}
  cluster: {listen: "127.0.0.1:0", key_files: [gossip.key], timings: lan, join: [%[4]s]}
`, i, server.URL, publicKey(c), join))
		join = strconv.Quote(at["cluster"][0].String())
		web, admin = append(web, "http://"+at["http"][0].String()), append(admin, at["admin"][0].String())
	}
	for deadline := time.Now().Add(time.Minute); ; <-time.After(50 * time.Millisecond) {
		known := 0.0
		for _, at := range admin {
			known += metric(t, client, at, `waypost_share_peers`)
		}
		if known == 12 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("edges know %v others that share, want 12", known)
		}
	}
	manifests := front.manifests.Load()
	c.publish(t, time.Time{}, "two.test")
	for _, at := range web {
		until(t, client, at+"/pub/os/44/f", "http://two.test/os/44/f")
	}
	if got := front.manifests.Load() - manifests; got > 2 {
		t.Errorf("control sent %d manifests, want 2", got)
	}
	peers, sent := 0.0, 0.0
	for _, at := range admin {
		peers += metric(t, client, at, `waypost_control_sections_total\{from="peer"\}`)
		sent += metric(t, client, at, `waypost_share_sent_total\{kind="section"\}`)
	}
	page, err := client.Get("http://" + admin[0] + "/cluster/share")
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close() //nolint:errcheck // only read
	if text, _ := io.ReadAll(page.Body); !strings.Contains(string(text), `"name": "edge3"`) {
		t.Errorf("the page says %s", text)
	}
	if peers == 0 || sent < peers {
		t.Errorf("%v sections came from others, who sent %v", peers, sent)
	}
}
