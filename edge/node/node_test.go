package node_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waypost/waypost/edge/node"
)

// fasthttp keeps two goroutines that go on for a while, or for ever.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).triggerFunc")) // its last probe waits for an answer
}

// start runs an edge in this process until the test ends, with a configuration
// whose file is dir/edge.yaml. It returns where it listens, by name.
func start(t *testing.T, dir, config string) map[string][]netip.AddrPort {
	t.Helper()
	write(t, filepath.Join(dir, "edge.yaml"), config)
	c, err := node.ReadConfig(filepath.Join(dir, "edge.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.New(c, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	select {
	case err := <-done:
		cancel()
		t.Fatal(err)
	case <-n.Listened():
	}
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the edge ended: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the edge runs 20 s after it was told to end")
		}
	})
	return n.Addresses()
}

// logger returns a log that is the test's until the test ends. What memberlist has
// begun to wait for is said after that, and would end all tests.
func logger(t *testing.T) *slog.Logger {
	t.Helper()
	o := &output{to: t.Output()}
	t.Cleanup(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.to = io.Discard
	})
	return slog.New(slog.NewTextHandler(o, nil))
}

type output struct {
	mu sync.Mutex
	to io.Writer // guarded by mu
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.to.Write(b)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	fresh := path + ".new"
	if err := os.WriteFile(fresh, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, path); err != nil {
		t.Fatal(err)
	}
}

// newClient returns a client that follows no redirects.
func newClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
