//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// An edge is a running `waypost run`, with the files that it reads.
type edge struct {
	dir     string // has edge.yaml and catalog.yaml
	http    string // address and port
	dns     string
	admin   string
	process *process
}

// startEdge runs an edge with a catalogue until the test ends. more is added
// to its configuration; DNS stands there for the address of the DNS listener.
func startEdge(t *testing.T, catalog, more string) *edge {
	t.Helper()
	e := &edge{dir: t.TempDir(), http: freeAddr(t), dns: freeAddr(t), admin: freeAddr(t)}
	config := fmt.Sprintf(`edge:
  name: e2e
  source: {catalog: catalog.yaml}
  http: {listen: [%q], trusted_proxies: ["127.0.0.0/8"]}
  admin: {listen: %q}
%s`, e.http, e.admin, strings.ReplaceAll(more, "DNS", e.dns))
	write(t, filepath.Join(e.dir, "edge.yaml"), config)
	e.setCatalog(t, catalog)
	e.process = startWaypost(t, "run", "-c", filepath.Join(e.dir, "edge.yaml"))
	eventually(t, "the edge is ready", func() bool { return e.ready() || e.process.exited() })
	if e.process.exited() {
		t.Fatalf("waypost run ended:\n%s", e.process.log.String())
	}
	return e
}

// setCatalog replaces the catalogue, all at once.
func (e *edge) setCatalog(t *testing.T, catalog string) {
	t.Helper()
	fresh := filepath.Join(e.dir, "catalog.new")
	write(t, fresh, catalog)
	if err := os.Rename(fresh, filepath.Join(e.dir, "catalog.yaml")); err != nil {
		t.Fatal(err)
	}
}

func (e *edge) ready() bool {
	response, err := http.Get("http://" + e.admin + "/readyz")
	if err != nil {
		return false
	}
	defer response.Body.Close() //nolint:errcheck // only read
	return response.StatusCode == http.StatusOK
}

// metric returns the value of a metric as it is written, "" if there is none.
func (e *edge) metric(t *testing.T, name string) string {
	t.Helper()
	for line := range strings.Lines(get(t, "http://"+e.admin+"/metrics")) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			return value
		}
	}
	return ""
}

// location returns where a path, with its query, is redirected to.
func (e *edge) location(t *testing.T, path string) string {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Get("http://" + e.http + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode != http.StatusFound {
		t.Fatalf("GET %s: status %d, want 302", path, response.StatusCode)
	}
	return response.Header.Get("Location")
}

// get returns the body of a page that must be there.
func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: status %d, %v\n%s", url, response.StatusCode, err, body)
	}
	return string(body)
}

// A process is a running program whose output is kept.
type process struct {
	cmd *exec.Cmd
	log *output
	end chan struct{} // closed when it has ended
	err error         // of its end
}

// startWaypost starts the built binary. When the test ends, SIGTERM must end it
// well within five seconds.
func startWaypost(t *testing.T, args ...string) *process {
	t.Helper()
	p := startProcess(t, built(t), args...)
	t.Cleanup(func() {
		if !p.exited() {
			p.terminate(t)
		}
	})
	return p
}

// startProcess starts a program. If it still runs when the test ends, it is killed.
func startProcess(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(name, args...), log: &output{}, end: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.Env = environment()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.end)
	}()
	t.Cleanup(func() {
		if !p.exited() {
			_ = p.cmd.Process.Kill()
			<-p.end
		}
		if t.Failed() {
			t.Logf("%s %s:\n%s", filepath.Base(name), strings.Join(args, " "), p.log.String())
		}
	})
	return p
}

// terminate sends SIGTERM and wants an end with exit code 0 within five seconds.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.end:
		if p.err != nil {
			t.Errorf("after SIGTERM: %v, want exit code 0", p.err)
		}
	case <-time.After(5 * time.Second):
		t.Errorf("still running 5 s after SIGTERM")
	}
}

func (p *process) exited() bool {
	select {
	case <-p.end:
		return true
	default:
		return false
	}
}

// An output is a buffer that a process writes and a test reads.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends b.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

// String returns what was written so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// built returns the path of the built waypost.
func built(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../../bin/waypost")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = os.Stat(path); err != nil {
		t.Fatalf("%v: run these tests by make e2e, which builds it", err)
	}
	return path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until what is so. How long that may take says the test where
// it matters; here a minute is for a slow machine.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited a minute in vain: %s", what)
		case <-tick.C:
		}
	}
}
