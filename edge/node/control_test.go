package node_test

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/node"
	"github.com/waypost/waypost/edge/snapshot"
	"github.com/waypost/waypost/edge/snapshot/wire"
)

// A control is a control plane that waits for no news.
type control struct {
	mu       sync.Mutex
	key      ed25519.PrivateKey
	manifest []byte
	sections map[string][]byte
}

func (c *control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	hash, ok := strings.CutPrefix(r.URL.Path, "/v1/snapshot/sections/")
	switch {
	case c.manifest == nil || r.Header.Get("Authorization") != "Bearer t0ken":
		w.WriteHeader(http.StatusForbidden)
	case ok:
		_, _ = w.Write(c.sections[hash])
	default:
		_, _ = w.Write(c.manifest)
	}
}

// publish publishes hosts that all hold pub/os and pub/os/44, the latter under
// embargo until lift.
func (c *control) publish(t *testing.T, lift time.Time, hosts ...string) {
	t.Helper()
	s := &snapshot.Snapshot{
		Version: wire.NextVersion(0, time.Now()), Created: time.Now(),
		Categories: []snapshot.Category{{Name: "os", Path: "pub/os", Policy: snapshot.Policy{Minimum: 5, Bands: snapshot.AllBands}}},
		Directories: []snapshot.Directory{
			{Path: "pub/os", Number: 1, Complete: true}, {Path: "pub/os/44", Number: 2},
		},
		Embargoes: []snapshot.Embargo{{Path: "pub/os/44", LiftAt: lift}},
	}
	for _, name := range hosts {
		s.Hosts = append(s.Hosts, snapshot.Host{
			Name: name, Has: snapshot.Bitmap{3}, Mounts: []snapshot.Mount{{URLs: []string{"http://" + name + "/os"}}},
		})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sections = map[string][]byte{}
	m, err := wire.Encode(s, func(h wire.Hash, b []byte) error { c.sections[h.String()] = b; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if c.manifest, err = m.Sign(c.key); err != nil {
		t.Fatal(err)
	}
}

// controlled starts a control plane and writes the files of an edge that follows it into dir.
func controlled(t *testing.T, dir string) (c *control, url, config string) {
	t.Helper()
	c = &control{key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	write(t, filepath.Join(dir, "token"), "t0ken\n")
	writeCountries(t, dir)
	return c, server.URL, fmt.Sprintf(`edge:
  data_dir: data
  source: {control: {url: %q, token_file: token, public_keys: [%q]}}
  geo: {country: country.mmdb}
  http: {listen: ["127.0.0.1:0"]}
  admin: {listen: "127.0.0.1:0"}
`, server.URL, publicKey(c))
}

func publicKey(c *control) string { return wire.FormatPublicKey(c.key.Public().(ed25519.PublicKey)) }

// location returns where a path is redirected to, or the status.
func location(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if to := response.Header.Get("Location"); to != "" {
		return to
	}
	return response.Status
}

// until asks until the answer is want.
func until(t *testing.T, client *http.Client, url, want string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for got := ""; got != want; {
		if time.Now().After(deadline) {
			t.Fatalf("%s: still %q, want %q", url, got, want)
		}
		got = location(t, client, url)
		<-time.After(20 * time.Millisecond)
	}
}

// An edge takes what is published, lifts an embargo, and starts again from its
// disk while the control plane says no.
func TestControl(t *testing.T) {
	dir := t.TempDir()
	c, url, config := controlled(t, dir)
	lift := time.Now().Add(4 * time.Second)
	c.publish(t, lift, "one.test")
	client := newClient(t)
	t.Run("follow", func(t *testing.T) {
		at := start(t, dir, config)
		web := "http://" + at["http"][0].String()
		if got := location(t, client, web+"/pub/os/44/f"); got != "404 Not Found" && time.Now().Before(lift) {
			t.Errorf("under embargo: %s", got)
		}
		until(t, client, web+"/pub/os/44/f", "http://one.test/os/44/f")
		c.publish(t, time.Time{}, "two.test")
		until(t, client, web+"/pub/os/44/f", "http://two.test/os/44/f")
		response, err := client.Get("http://" + at["admin"][0].String() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close() //nolint:errcheck // only read
		text, _ := io.ReadAll(response.Body)
		for _, want := range []string{`waypost_control_polls_total{result="changed"} 2`, "waypost_control_current 1", `waypost_control_sections_total{from="control"}`} {
			if !strings.Contains(string(text), want) {
				t.Errorf("no %s among the metrics", want)
			}
		}
	})

	t.Run("inspect", func(t *testing.T) { inspectControl(t, url, dir) })
	c.mu.Lock()
	c.manifest = nil
	c.mu.Unlock()
	t.Run("from disk", func(t *testing.T) {
		at := start(t, dir, config)
		if got := location(t, client, "http://"+at["http"][0].String()+"/pub/os/44/f"); got != "http://two.test/os/44/f" {
			t.Errorf("from disk: %s", got)
		}
	})
	t.Run("check", func(t *testing.T) {
		var out strings.Builder
		if err := (&node.CheckCommand{Config: filepath.Join(dir, "edge.yaml")}).Run(&out); err != nil || !strings.Contains(out.String(), "2  directories") {
			t.Errorf("%v\n%s", err, out.String())
		}
	})
}

func TestControlConfigProblems(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "edge.yaml")
	write(t, filepath.Join(dir, "token"), "two words")
	write(t, path, `edge:
  source: {control: {url: "ftp://control.test", token_file: token, public_keys: [abc]}}
  http: {listen: ["127.0.0.1:0"]}
`)
	_, err := node.ReadConfig(path)
	wantProblems(t, err,
		"edge.yaml:2: edge.source.control.url: want a URL", "edge.source.control.token_file: reading the token", "want one word",
		"edge.source.control.public_keys[0]: want a public key", "edge.data_dir: want the path of a folder")
	write(t, path, "edge:\n  source: {catalog: a, control: {}}\n  http: {listen: [\"127.0.0.1:0\"]}\n")
	_, err = node.ReadConfig(path)
	wantProblems(t, err, "want exactly one of catalog, mirrormanager, control", "control.public_keys: want at least one", "control.token_file: want the path")
}
