//go:build e2e && linux

package e2e

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// A load is clients of an edge that count each question and each answer. No
// client asks again: what is lost is counted.
type load struct {
	t      *testing.T
	ctx    context.Context
	stop   context.CancelFunc
	all    sync.WaitGroup
	kinds  []*clients
	closed atomic.Int64 // connections that the edge closed between two requests
}

// clients are those of one kind.
type clients struct {
	name            string
	asked, answered atomic.Int64
	slowest         atomic.Int64 // answer, in nanoseconds
}

func newLoad(t *testing.T) *load {
	t.Helper()
	l := &load{t: t}
	l.ctx, l.stop = context.WithCancel(t.Context())
	t.Cleanup(l.stop)
	return l
}

// start starts n clients of a kind, each of which asks again and again after a
// pause of about that length.
func (l *load) start(name string, n int, pause time.Duration, client func(k *clients, wait func() bool)) {
	k := &clients{name: name}
	l.kinds = append(l.kinds, k)
	for range n {
		l.all.Go(func() {
			timer := time.NewTimer(0)
			defer timer.Stop()
			first := true
			client(k, func() bool {
				if !first {
					timer.Reset(pause/2 + rand.N(pause))
				}
				first = false
				select {
				case <-l.ctx.Done():
					return false
				case <-timer.C:
					return true
				}
			})
		})
	}
}

// once counts one question and its answer.
func (l *load) once(k *clients, ask func() error) bool {
	k.asked.Add(1)
	began := time.Now()
	if err := ask(); err != nil {
		l.t.Errorf("%s at %s: %v", k.name, time.Now().Format("15:04:05.000"), err)
		return false
	}
	k.answered.Add(1)
	took := int64(time.Since(began))
	for last := k.slowest.Load(); last < took && !k.slowest.CompareAndSwap(last, took); last = k.slowest.Load() {
	}
	return true
}

// end stops all clients and reports what was lost.
func (l *load) end() {
	l.t.Helper()
	l.stop()
	l.all.Wait()
	for _, k := range l.kinds {
		l.t.Logf("%-28s %7d asked, %7d answered, %d lost, the slowest after %s", k.name, k.asked.Load(), k.answered.Load(),
			k.asked.Load()-k.answered.Load(), time.Duration(k.slowest.Load()).Round(time.Millisecond))
		if k.asked.Load() == 0 {
			l.t.Errorf("%s asked nothing", k.name)
		}
	}
	if n := l.closed.Load(); n > 0 {
		l.t.Errorf("%d connections were closed between two requests", n)
	}
}

// patience is how long a client waits for an answer: what is lost never comes,
// since nobody asks again, and what is late is told by the slowest.
const patience = 20 * time.Second

// clientsOf starts clients of all kinds of an edge's addresses.
func (l *load) clientsOf(httpAddr, dnsAddr, family string) {
	l.start("HTTP keep-alive, "+family, 6, 4*time.Millisecond, func(k *clients, wait func() bool) { l.keepAlive(k, httpAddr, wait) })
	l.start("HTTP rarely, "+family, 30, 3*time.Second, func(k *clients, wait func() bool) { l.keepAlive(k, httpAddr, wait) })
	l.start("HTTP new connections, "+family, 3, 5*time.Millisecond, func(k *clients, wait func() bool) {
		for wait() {
			l.once(k, func() error { return visitOnce(httpAddr) })
		}
	})
	l.start("DNS over UDP, "+family, 6, 3*time.Millisecond, func(k *clients, wait func() bool) { l.overUDP(k, dnsAddr, wait) })
	l.start("DNS over TCP, "+family, 4, 5*time.Millisecond, func(k *clients, wait func() bool) { l.overTCP(k, dnsAddr, 3, wait) })
	l.start("DNS over TCP, rarely, "+family, 8, 2*time.Second, func(k *clients, wait func() bool) { l.overTCP(k, dnsAddr, 1, wait) })
	l.start("DNS over TCP, new, "+family, 2, 8*time.Millisecond, func(k *clients, wait func() bool) {
		for wait() {
			l.once(k, func() error { return askTCPOnce(dnsAddr) })
		}
	})
}

// keepAlive asks over one connection for as long as the edge keeps it.
func (l *load) keepAlive(k *clients, addr string, wait func() bool) {
	for l.ctx.Err() == nil {
		c, err := dial("tcp", addr)
		if err != nil {
			l.t.Errorf("%s: %v", k.name, err)
			return
		}
		in := bufio.NewReader(c)
		for ok := true; ok && wait(); {
			ok = l.once(k, func() error { return visit(c, in) })
			if !ok {
				l.closed.Add(1)
			}
		}
		_ = c.Close()
	}
}

func dial(network, addr string) (net.Conn, error) {
	return net.DialTimeout(network, addr, patience)
}

func visitOnce(addr string) error {
	c, err := dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // only read
	return visit(c, bufio.NewReader(c))
}

// visit asks once over a connection, which must stay open.
func visit(c net.Conn, in *bufio.Reader) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, "GET /pub/os/file HTTP/1.1\r\nHost: edge.test\r\n\r\n"); err != nil {
		return err
	}
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	if err == nil && r.StatusCode != http.StatusFound {
		err = errors.New(r.Status)
	}
	if err == nil && r.Close {
		err = errCloses
	}
	return err
}

var errCloses = errors.New("the edge closes the connection")

// overUDP asks over one socket, each time with another ID.
func (l *load) overUDP(k *clients, addr string, wait func() bool) {
	c, err := dial("udp", addr)
	if err != nil {
		l.t.Error(err)
		return
	}
	defer c.Close() //nolint:errcheck // only read
	id := uint16(0)
	for wait() {
		id++
		l.once(k, func() error {
			query, err := dnsQuestion(id)
			if err != nil {
				return err
			}
			if _, err = c.Write(query); err != nil {
				return err
			}
			return awaitUDP(c, id)
		})
	}
}

func awaitUDP(c net.Conn, id uint16) error {
	buf := make([]byte, 2048)
	for {
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		n, err := c.Read(buf)
		if err != nil {
			return err
		}
		if got := binary.BigEndian.Uint16(buf); got == id {
			return hasAddress(buf[:n])
		}
	}
}

// overTCP asks over one connection, some queries at once.
func (l *load) overTCP(k *clients, addr string, together int, wait func() bool) {
	c, err := dial("tcp", addr)
	if err != nil {
		l.t.Error(err)
		return
	}
	defer c.Close() //nolint:errcheck // only read
	in := bufio.NewReader(c)
	for wait() {
		var asks []byte
		for i := range together {
			query, bad := dnsQuestion(uint16(i))
			if bad != nil {
				l.t.Error(bad)
				return
			}
			asks = append(binary.BigEndian.AppendUint16(asks, uint16(len(query))), query...)
		}
		bad := c.SetDeadline(time.Now().Add(patience))
		if _, err = c.Write(asks); err != nil {
			bad = err
		}
		for range together {
			if !l.once(k, func() error { return errors.Join(bad, readTCP(in)) }) {
				l.closed.Add(1)
				return
			}
		}
	}
}

func askTCPOnce(addr string) error {
	c, err := dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // only read
	query, err := dnsQuestion(1)
	if err != nil {
		return err
	}
	if _, err = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)); err != nil {
		return err
	}
	if err = c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	return readTCP(bufio.NewReader(c))
}

func readTCP(in *bufio.Reader) error {
	var size [2]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
		return err
	}
	reply := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(in, reply); err != nil {
		return err
	}
	return hasAddress(reply)
}

// dnsQuestion returns a query for the address of the edge's zone.
func dnsQuestion(id uint16) ([]byte, error) {
	name, err := dnsmessage.NewName("m.test.")
	if err != nil {
		return nil, err
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id},
		Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	return m.Pack()
}

// hasAddress is nil if a reply has an address.
func hasAddress(reply []byte) error {
	var m dnsmessage.Message
	if err := m.Unpack(reply); err != nil {
		return err
	}
	if m.RCode != dnsmessage.RCodeSuccess || len(m.Answers) != 1 {
		return fmt.Errorf("%s with %d records", m.RCode, len(m.Answers))
	}
	return nil
}
