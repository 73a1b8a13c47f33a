package node_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
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
	n, err := node.New(c, slog.New(slog.NewTextHandler(t.Output(), nil)))
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
		case <-time.After(5 * time.Second):
			t.Error("the edge runs 5 s after it was told to end")
		}
	})
	return n.Addresses()
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
		Transport: transport, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
