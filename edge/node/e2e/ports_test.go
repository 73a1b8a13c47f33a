//go:build e2e

package e2e

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Ports for programs are below those that the kernel gives to outgoing
// connections, from 32768 on: such a connection could take one before its program
// listens. The tests of control/e2e, which run at the same time, have others.
const (
	firstPort = 10_000
	portCount = 10_000
)

// handedOut are the ports that tests have got; no other test gets them.
var handedOut sync.Map

// freeAddr returns an address of loopback whose port is free over TCP and UDP.
func freeAddr(t *testing.T) string { t.Helper(); return freeAddrOf(t, "127.0.0.1") }

func freeAddrOf(t *testing.T, host string) string {
	t.Helper()
	for range 1000 {
		port := firstPort + rand.IntN(portCount)
		if _, again := handedOut.LoadOrStore(port, true); again {
			continue
		}
		addr := net.JoinHostPort(host, strconv.Itoa(port))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		c, err := net.ListenPacket("udp", addr)
		_ = l.Close()
		if err == nil {
			_ = c.Close()
			return addr
		}
	}
	t.Fatalf("no port of %s is free over both TCP and UDP", host)
	return ""
}
