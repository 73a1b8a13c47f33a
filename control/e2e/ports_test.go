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
// listens. The tests of edge/node/e2e, which run at the same time, have others.
const (
	firstPort = 20_000
	portCount = 10_000
)

// handedOut are the ports that tests have got; no other test gets them.
var handedOut sync.Map

// port returns an address of loopback whose port is free over TCP and UDP.
func port(t *testing.T) string {
	t.Helper()
	for range 1000 {
		number := firstPort + rand.IntN(portCount)
		if _, again := handedOut.LoadOrStore(number, true); again {
			continue
		}
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(number))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		c, err := net.ListenPacket("udp", address)
		_ = l.Close() // nobody has spoken to it
		if err == nil {
			_ = c.Close()
			return address
		}
	}
	t.Fatal("no port is free over both TCP and UDP")
	return ""
}
