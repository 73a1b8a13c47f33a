package needs

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Ports are below those that the kernel gives to outgoing connections, from 32768
// on: such a connection could take one before its program listens. The tests of
// edge/node/e2e, which may run at the same time, have 10000 to 19999.
const (
	firstPort = 20_000
	ports     = 10_000
)

// handedOut are the ports that tests of this process have got.
//
//nolint:gochecknoglobals // one list for all tests of a package
var handedOut sync.Map

// Port returns a port of 127.0.0.1 for a program that cannot be told to choose one
// itself. It is free over TCP and UDP, and no other test of this process gets it.
func Port(tb testing.TB) int {
	tb.Helper()
	for range 1000 {
		port := firstPort + rand.IntN(ports) //nolint:gosec // any will do
		if _, again := handedOut.LoadOrStore(port, true); again {
			continue
		}
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		c, err := net.ListenPacket("udp", address)
		_ = l.Close() // nobody has spoken to it
		if err == nil {
			_ = c.Close()
			return port
		}
	}
	tb.Fatal("no port is free over both TCP and UDP")
	return 0
}
