//go:build e2e && linux

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestUpgradeSlowClient upgrades an edge while a client has sent half of a request.
// That keeps the old process for seconds, and the cluster must not miss the edge as
// long: the new one is in it before. The client gets its answer nevertheless.
func TestUpgradeSlowClient(t *testing.T) {
	l := newLineage(t, fmt.Sprintf("  cluster: {listen: %q}\n", freeAddr(t)))
	l.start()
	c, err := net.Dial("tcp", l.http[0])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // of the test
	in := bufio.NewReader(c)
	ask := func(text string) {
		t.Helper()
		if _, err = io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
	}
	answer := func() {
		t.Helper()
		if line, bad := in.ReadString('\n'); bad != nil || !strings.Contains(line, " 302 ") {
			t.Errorf("%q, %v", line, bad)
		}
	}
	const request = "GET /pub/os/f.iso HTTP/1.1\r\nHost: a\r\n\r\n"
	ask(request + request[:20])
	answer() // the rest of it waits: the half has been read with the whole
	before, after, err := l.upgrade()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new process is in the cluster", func() bool {
		r, bad := http.Get("http://" + l.admin + "/cluster")
		if bad != nil {
			return false
		}
		defer r.Body.Close() //nolint:errcheck // not read
		return r.StatusCode == http.StatusOK
	})
	if all := l.processes(); !slices.Contains(all, before) || !slices.Contains(all, after) {
		t.Errorf("processes %v, want %d, which waits for a client, and %d, which is in the cluster", all, before, after)
	}
	ask(request[20:])
	for line := ""; line != "\r\n"; {
		if line, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	answer()
	eventually(t, "the old process ends", func() bool { return !slices.Contains(l.processes(), before) })
}
