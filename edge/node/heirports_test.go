package node_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/cluster"
)

// An edge that takes the place of another, and finds its ports for other edges in
// use, goes on without, says so, and takes them once they are free.
func TestHeirWithoutPorts(t *testing.T) {
	dir := t.TempDir()
	c, _, config := controlled(t, dir)
	c.publish(t, time.Time{}, "one.test")
	start(t, dir, config) // so that there is a snapshot on disk
	write(t, filepath.Join(dir, "gossip.key"), cluster.GenerateKey()+"\n")
	ports := map[string]net.Listener{}
	for _, what := range []string{"gossip", "share"} {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() //nolint:errcheck // it may be
		ports[what] = l
	}
	n, p, leave := heir(t, dir, strings.Replace(config, "edge:\n", "edge:\n  name: edge1\n", 1)+fmt.Sprintf(
		"  cluster: {listen: %q, share: %q, key_files: [gossip.key]}\n", ports["gossip"].Addr(), ports["share"].Addr()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-n.Listened():
	case err := <-done:
		done <- nil
		t.Fatal(err)
	}
	p.Ready()
	leave()
	<-p.Alone()
	client, admin := newClient(t), n.Addresses()["admin"][0].String()
	wait := func(what string, open int) {
		t.Helper()
		line := fmt.Sprintf("waypost_cluster_listening{what=%q} %d\n", what, open)
		for deadline := time.Now().Add(20 * time.Second); !strings.Contains(page(t, client, admin+"/metrics"), line); <-time.After(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain for %s", line)
			}
		}
	}
	wait("gossip", 0)
	if got := page(t, client, admin+"/cluster"); !strings.Contains(got, "the port of cluster.listen is not open yet") {
		t.Errorf("/cluster says %q", got)
	}
	for _, what := range []string{"share", "gossip"} {
		wait(what, 0)
		_ = ports[what].Close()
		wait(what, 1)
	}
}

// page returns a page of an edge.
func page(t *testing.T, client *http.Client, at string) string {
	t.Helper()
	response, err := client.Get("http://" + at)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
