package node_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
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
	if got := page(t, client, admin+"/cluster"); !strings.Contains(got, `"closed": "listening for the cluster on `+ports["gossip"].Addr().String()) {
		t.Errorf("/cluster says %q", got)
	}
	for _, what := range []string{"share", "gossip"} {
		wait(what, 0)
		_ = ports[what].Close()
		wait(what, 1)
	}
}

// An edge that takes the place of another, and cannot open its port for other edges,
// decides by its own probes.
func TestHeirDecidesAlone(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() //nolint:errcheck // only a test
	gone, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close() // nobody is there
	dir := t.TempDir()
	write(t, filepath.Join(dir, "catalog.yaml"), fmt.Sprintf(`categories: [{name: os, path: pub/os}]
hosts: [{name: a, country: DE, urls: {os: ["http://%s/os"]}}]
`, gone.Addr()))
	n, p, leave := heir(t, dir, fmt.Sprintf(`edge:
  name: edge1
  source: {catalog: catalog.yaml}
  http: {listen: ["127.0.0.1:0"]}
  admin: {listen: "127.0.0.1:0"}
  health: {interval: 1s, timeout: 500ms, max_down: 1}
  cluster: {listen: %q}
`, taken.Addr()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	defer func() {
		cancel()
		if bad := <-done; bad != nil {
			t.Error(bad)
		}
	}()
	select {
	case <-n.Listened():
	case err = <-done:
		done <- nil
		t.Fatal(err)
	}
	p.Ready()
	leave()
	client, admin := newClient(t), n.Addresses()["admin"][0].String()
	const line = "waypost_cluster_targets_down 1\n"
	for deadline := time.Now().Add(time.Minute); !strings.Contains(page(t, client, admin+"/metrics"), line); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", line)
		}
	}
	if got := page(t, client, admin+"/cluster"); !strings.Contains(got, `"a http over ipv4"`) {
		t.Errorf("/cluster says %s", got)
	}
}

// An edge whose port for other edges cannot be opened does not take the place of
// another, unless that one holds the port.
func TestHeirTriesPorts(t *testing.T) {
	const config = `edge:
  source: {catalog: catalog.yaml}
  http: {listen: ["127.0.0.1:0"]}
  cluster: {listen: %q, key_files: [gossip.key]}
`
	var tcp net.Listener
	var udp net.PacketConn
	for try := 0; udp == nil; try++ { // no connection of other tests goes out by such ports
		var err error
		at := fmt.Sprintf("127.0.0.1:%d", 30000+rand.IntN(2700))
		if tcp == nil {
			tcp, err = net.Listen("tcp4", at)
		} else {
			udp, err = net.ListenPacket("udp4", at)
		}
		if err != nil && try > 100 {
			t.Fatal(err)
		}
	}
	defer tcp.Close() //nolint:errcheck // only a test
	defer udp.Close() //nolint:errcheck // only a test
	for _, x := range []struct{ listen, told, want string }{
		{"192.0.2.7:7946", `{}`, "edge.cluster.listen: listen tcp4 192.0.2.7:7946: bind: cannot assign requested address"},
		{"192.0.2.7:7946", `{"ports":["0.0.0.0:7946"]}`, "cannot assign requested address"},
		{tcp.Addr().String(), `{"ports":[]}`, "address already in use"},
		{tcp.Addr().String(), `{"ports":["127.0.0.2:1"]}`, "address already in use"},
		{udp.LocalAddr().String(), `{"ports":[]}`, "listen udp4 " + udp.LocalAddr().String() + ": bind: address already in use"},
		{tcp.Addr().String(), fmt.Sprintf(`{"ports":[%q]}`, tcp.Addr()), ""}, // it may be its own
		{udp.LocalAddr().String(), `{"ports":["0.0.0.0:` + strings.TrimPrefix(udp.LocalAddr().String(), "127.0.0.1:") + `"]}`, ""},
		{tcp.Addr().String(), `{}`, ""}, // it does not say
		{"127.0.0.1:0", `{"ports":[]}`, ""},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "catalog.yaml"), "categories: [{name: os, path: pub/os}]\nhosts: [{name: a, country: DE, urls: {os: [\"http://a.test/os\"]}}]\n")
		write(t, filepath.Join(dir, "gossip.key"), cluster.GenerateKey()+"\n")
		n, _, _, err := heirOf(t, dir, fmt.Sprintf(config, x.listen), x.told)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- n.Run(ctx) }()
		select {
		case <-n.Listened():
			cancel()
			err = <-done
		case err = <-done:
		}
		cancel()
		if (err == nil) != (x.want == "") || !strings.Contains(fmt.Sprint(err), x.want) {
			t.Errorf("%+v: %v", x, err)
		}
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
