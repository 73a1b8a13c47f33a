//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/control/web"
)

// A plane is a control plane with a master, below pub/os for clients. It may be
// killed and started again.
type plane struct {
	dir     string // its configuration, database and keys
	master  string // the tree of the category os
	address string
	token   string // file with the administrator's
	process *daemon
}

// newPlane starts a control plane of its own database. more is added to its
// configuration.
func newPlane(t *testing.T, master, more string) *plane {
	t.Helper()
	p := &plane{dir: t.TempDir(), master: master, address: port(t)}
	p.token = filepath.Join(p.dir, "data", "admin.token")
	p.configure(t, more)
	p.start(t)
	return p
}

// discPlane starts a control plane that has scanned a master with a disc.
func discPlane(t *testing.T) *plane {
	t.Helper()
	master := t.TempDir()
	file(t, "a disc", master, "43/iso/disc.iso")
	p := newPlane(t, master, "")
	p.world(t)
	p.scan(t)
	return p
}

// configure writes the configuration: nothing but the first scan comes by
// itself, and files have their hash at once, though they were just written.
func (p *plane) configure(t *testing.T, more string) {
	t.Helper()
	file(t, fmt.Sprintf(`control:
  data_dir: data
  listen: %q
  crawl_private: true
  scan_every: 1h
  masters:
    - category: os
      type: directory
      path: %q
      settle: -1s
      compute: {match: ['\.iso$']}
      mapping: {rules: [{regex: '^pub/os/(?P<v>\d+)$', prefix: 'os-${v}', arch: x86_64}]}
%s`, p.address, p.master, more), p.dir, "control.yaml")
}

// start starts the process and waits until it answers.
func (p *plane) start(t *testing.T) {
	t.Helper()
	p.process = start(t, waypost, "run", "-c", filepath.Join(p.dir, "control.yaml"))
	until(t, soon, "the control plane answers", func() bool {
		if !p.process.running() {
			t.Fatalf("the control plane ended:\n%s", p.process.text())
		}
		return status("http://"+p.address+"/readyz") == http.StatusOK
	})
}

// ctl runs waypost ctl, which must succeed, and returns what it printed.
func (p *plane) ctl(t *testing.T, args ...string) string {
	t.Helper()
	all := []string{"ctl", "--url", "http://" + p.address, "--token-file", p.token}
	return output(t, waypost, append(all, args...)...)
}

// world registers the category os and the site s.
func (p *plane) world(t *testing.T) {
	t.Helper()
	p.ctl(t, "category", "set", "--new", "os", "path=pub/os")
	p.ctl(t, "site", "set", "--new", "s")
}

// host registers a host of site s that carries the category at URLs; fields are
// as ctl takes them.
func (p *plane) host(t *testing.T, name string, urls []string, fields ...string) {
	t.Helper()
	p.ctl(t, append([]string{"host", "set", "--new", "s/" + name}, fields...)...)
	p.ctl(t, append([]string{"url", "add", "s/" + name, "os"}, urls...)...)
}

// scan and crawl do so, and wait until it is done.
func (p *plane) scan(t *testing.T) { t.Helper(); p.ctl(t, "scan", "os", "--wait", "2m") }

func (p *plane) crawl(t *testing.T, hosts ...string) {
	t.Helper()
	for _, host := range hosts {
		p.ctl(t, "crawl", "s/"+host, "--wait", "2m")
	}
}

// version returns the version that was published last, 0 for none.
func (p *plane) version(t *testing.T) uint64 {
	t.Helper()
	var all web.Snapshots
	decode(t, p.ctl(t, "--json", "snapshots"), &all)
	if len(all.Snapshots) == 0 {
		return 0
	}
	return all.Snapshots[0].Version
}

// settled waits until nothing more is published by itself, and returns the
// version: publishing looks for changes every two seconds.
func (p *plane) settled(t *testing.T) (version uint64) {
	t.Helper()
	since := time.Now()
	until(t, soon, "publishing settles", func() bool {
		if v := p.version(t); v != version {
			version, since = v, time.Now()
		}
		return version != 0 && time.Since(since) > 5*time.Second
	})
	return version
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
}

// An edge follows a plane.
type edge struct {
	address string
	dir     string // its configuration, token and data
	process *daemon
}

// said is how a plane says its public key.
var said = regexp.MustCompile(`public_key="?([^" \n]+)`)

// key returns the plane's public key.
func (p *plane) key(t *testing.T) string {
	t.Helper()
	key := said.FindStringSubmatch(p.process.text())
	if key == nil {
		t.Fatalf("want a public key in:\n%s", p.process.text())
	}
	return key[1]
}

// edge makes a token and starts an edge with it.
func (p *plane) edge(t *testing.T) *edge { t.Helper(); return p.edgeWith(t, "") }

// edgeWith does the same, and adds more to the edge's configuration.
func (p *plane) edgeWith(t *testing.T, more string) *edge {
	t.Helper()
	e := &edge{address: port(t), dir: t.TempDir()}
	p.ctl(t, "token", "make", "edge1", "--edge", "edge1", "--to", filepath.Join(e.dir, "edge.token"))
	file(t, fmt.Sprintf(`edge:
  name: edge1
  data_dir: data
  source:
    control: {url: "http://%s", token_file: edge.token, public_keys: [%q]}
  http: {listen: [%q], trusted_proxies: ["127.0.0.0/8"]}
%s`, p.address, p.key(t), e.address, more), e.dir, "edge.yaml")
	e.start(t)
	return e
}

// start starts the process and waits until it answers.
func (e *edge) start(t *testing.T) {
	t.Helper()
	e.process = start(t, waypost, "run", "-c", filepath.Join(e.dir, "edge.yaml"))
	until(t, soon, "the edge answers", func() bool {
		if !e.process.running() {
			t.Fatalf("the edge ended:\n%s", e.process.text())
		}
		return answers(e.address)
	})
}

// outside is a client in nobody's netblock.
const outside = "203.0.113.9"

// ask asks the edge for a path as some client, and follows no redirect.
func (e *edge) ask(path, client string) (status int, location, body string, err error) {
	request, err := http.NewRequest(http.MethodGet, "http://"+e.address+path, nil)
	if err != nil {
		return 0, "", "", err
	}
	request.Header.Set("X-Forwarded-For", client)
	direct := http.Client{
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := direct.Do(request)
	if err != nil {
		return 0, "", "", err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header.Get("Location"), string(text), err
}

// status returns the status of an answer, 0 for none.
func (e *edge) status(path, client string) int {
	code, _, _, _ := e.ask(path, client) //nolint:dogsled // no answer is status 0
	return code
}

// body returns the body of an answer with status 200, else nothing.
func (e *edge) body(path, client string) string {
	if code, _, text, err := e.ask(path, client); err == nil && code == http.StatusOK {
		return text
	}
	return ""
}

// sends reports whether clients of a path are sent to exactly these URLs, in
// 40 draws.
func (e *edge) sends(path, client string, urls ...string) bool {
	seen := map[string]bool{}
	for range 40 {
		code, location, _, err := e.ask(path, client)
		if err != nil || code != http.StatusFound {
			return false
		}
		seen[strings.TrimSuffix(location, strings.TrimPrefix(path, "/pub/os"))] = true
	}
	for _, url := range urls {
		if !seen[url] {
			return false
		}
	}
	return len(seen) == len(urls)
}

// lists reports whether the lists of a repository have all of one set of URLs
// and none of another. Both kinds of lists have to agree.
func (e *edge) lists(repository, client string, all, none []string) bool {
	query := "?repo=" + repository + "&arch=x86_64"
	for _, list := range []string{e.body("/metalink"+query, client), e.body("/mirrorlist"+query, client)} {
		if list == "" && len(all) > 0 {
			return false
		}
		for _, url := range all {
			if !strings.Contains(list, url) {
				return false
			}
		}
		for _, url := range none {
			if strings.Contains(list, url) {
				return false
			}
		}
	}
	return true
}

// status returns the status of an answer to GET, 0 for none.
func status(url string) int {
	client := http.Client{Timeout: 20 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return 0
	}
	_ = response.Body.Close() // only read
	return response.StatusCode
}

// word returns the one word in a file.
func word(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}
