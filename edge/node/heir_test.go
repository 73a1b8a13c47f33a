package node_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waypost/waypost/edge/handover"
	"github.com/waypost/waypost/edge/node"
	"github.com/waypost/waypost/edge/source"
)

// heir returns a node that takes the place of a process, and what has that process
// leave all to it.
func heir(t *testing.T, dir, config string) (n *node.Node, p *handover.Process, leave func()) {
	t.Helper()
	n, p, leave, err := heirOf(t, dir, config, "{}")
	if err != nil {
		t.Fatal(err)
	}
	return n, p, leave
}

// heirOf is heir of a process that told something of itself.
func heirOf(t *testing.T, dir, config, told string) (n *node.Node, p *handover.Process, leave func(), err error) {
	t.Helper()
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(ends[0]) })
	say := func(message string) {
		t.Helper()
		if _, bad := syscall.Write(ends[0], []byte(message)); bad != nil {
			t.Fatal(bad)
		}
	}
	say("D" + told)
	say("B")
	t.Setenv("WAYPOST_HANDOVER", fmt.Sprint(ends[1]))
	log := logger(t)
	if p, err = handover.Begin("test", log); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "edge.yaml"), config)
	c, err := node.ReadConfig(filepath.Join(dir, "edge.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c.Process = p
	n, err = node.New(c, log)
	return n, p, func() { t.Helper(); say("F") }, err
}

// What is kept in a folder stays there: an upgrade does not move it.
func TestHeirOfAnotherFolder(t *testing.T) {
	const config = "edge:\n  data_dir: %s\n  source: {catalog: catalog.yaml}\n  geo: {country: country.mmdb}\n  http: {listen: [\"127.0.0.1:0\"]}\n"
	dir := t.TempDir()
	for _, x := range []struct{ told, want string }{
		{fmt.Sprintf(`{"data_dir":%q}`, filepath.Join(dir, "data")), ""},
		{fmt.Sprintf(`{"data_dir":%q}`, filepath.Join(dir, "old")), `/data": restart`},
		{`{}`, ""},
	} {
		_, _, _, err := heirOf(t, dir, fmt.Sprintf(config, "data"), x.told)
		if (err == nil) != (x.want == "") || !strings.Contains(fmt.Sprint(err), x.want) {
			t.Errorf("%+v: %v", x, err)
		}
	}
}

// An edge that takes the place of another begins with what that one kept, leaves
// the folder to it while it is there, and then takes what it kept last, though the
// control plane be away.
func TestHeirTakesWhatIsKeptLast(t *testing.T) {
	dir := t.TempDir()
	c, url, config := controlled(t, dir)
	old, err := source.NewRemote(source.RemoteConfig{
		URL: url, TokenFile: filepath.Join(dir, "token"), Keys: []ed25519.PublicKey{c.key.Public().(ed25519.PublicKey)},
		Dir: filepath.Join(dir, "data", "snapshots"),
	})
	if err != nil {
		t.Fatal(err)
	}
	keep := func(host string) {
		t.Helper()
		c.publish(t, time.Time{}, host)
		if err := old.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	keep("one.test")
	n, p, leave := heir(t, dir, config)
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
	keep("two.test")
	c.mu.Lock()
	c.manifest = nil
	c.mu.Unlock()
	client, page := newClient(t), "http://"+n.Addresses()["http"][0].String()+"/pub/os/44/f"
	if got := location(t, client, page); got != "http://one.test/os/44/f" {
		t.Errorf("%s, before the folder was left to it", got)
	}
	leave()
	until(t, client, page, "http://two.test/os/44/f")
}

// An edge that takes the place of another and finds no snapshot does not start: it
// could only fetch one by writing where the other one does.
func TestHeirWithoutSnapshot(t *testing.T) {
	dir := t.TempDir()
	c, _, config := controlled(t, dir)
	c.publish(t, time.Time{}, "one.test")
	n, _, _ := heir(t, dir, config)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := n.Run(ctx); err == nil || !strings.Contains(err.Error(), "no snapshot on disk") {
		t.Errorf("got %v", err)
	}
	if got, _ := filepath.Glob(filepath.Join(dir, "data", "snapshots", "sections", "*")); len(got) > 0 {
		t.Errorf("it wrote %v", got)
	}
}
