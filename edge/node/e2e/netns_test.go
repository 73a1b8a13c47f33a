//go:build e2e && linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A namespace is a network of its own, with a loopback.
type namespace string

// newNamespace makes a network namespace that is deleted when the test ends.
func newNamespace(t *testing.T, name string) namespace {
	t.Helper()
	need(t, "ip", "iproute2")
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("wants to run as root, to make network namespaces")
		}
		t.Skip("wants to run as root, to make network namespaces")
	}
	n := namespace(fmt.Sprintf("waypost-%s-%d-%d", name, os.Getpid(), time.Now().UnixMilli()))
	run(t, "ip", "netns", "add", string(n))
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "delete", string(n)).CombinedOutput(); err != nil {
			t.Errorf("deleting %s: %v: %s", n, err, out)
		}
	})
	n.run(t, "ip", "link", "set", "lo", "up")
	return n
}

// join connects two namespaces by a link, with addresses at each end, written
// with their prefix length.
func join(t *testing.T, a, b namespace, ofA, ofB []string) {
	t.Helper()
	nameA, nameB := "to-"+last(b), "to-"+last(a)
	run(t, "ip", "link", "add", nameA, "netns", string(a), "type", "veth", "peer", "name", nameB, "netns", string(b))
	for _, end := range []struct {
		n         namespace
		name      string
		addresses []string
	}{{a, nameA, ofA}, {b, nameB, ofB}} {
		for _, address := range end.addresses {
			end.n.address(t, end.name, address)
		}
		end.n.run(t, "ip", "link", "set", end.name, "up")
	}
}

// last returns a short name of a namespace.
func last(n namespace) string { return strings.Split(string(n), "-")[1] }

// address gives an interface an address, which may be used at once.
func (n namespace) address(t *testing.T, device, address string) {
	t.Helper()
	args := []string{"ip", "address", "add", address, "dev", device}
	if strings.Contains(address, ":") {
		args = append(args, "nodad")
	}
	n.run(t, args...)
}

// command returns the arguments that run a program inside.
func (n namespace) command(args ...string) []string {
	return append([]string{"netns", "exec", string(n)}, args...)
}

// run runs a program inside and returns what it prints; it must succeed.
func (n namespace) run(t *testing.T, args ...string) string {
	t.Helper()
	return run(t, "ip", n.command(args...)...)
}

// try runs a program inside, which may fail.
func (n namespace) try(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return try(t, "ip", n.command(args...)...)
}

// start starts a program inside, until the test ends.
func (n namespace) start(t *testing.T, args ...string) *process {
	t.Helper()
	return startProcess(t, "ip", n.command(args...)...)
}
