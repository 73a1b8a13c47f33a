package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/waypost/waypost/edge/handover"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server on a loopback port and returns its address.
func serve(t *testing.T, address string, change func(*Config)) (*Server, string) {
	t.Helper()
	s := testServer(t, change)
	ss, err := Listen(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	at := ss.TCP[0].Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ss) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, at
}

func exchange(t *testing.T, network, at, name string) *dns.Msg {
	t.Helper()
	m := &dns.Msg{}
	m.SetQuestion(name, dns.TypeTXT)
	m.SetEdns0(1232, false)
	c := dns.Client{Net: network, Timeout: 5 * time.Second}
	got, _, err := c.Exchange(m, at)
	if err != nil {
		t.Fatalf("%s %s: %v", network, name, err)
	}
	return got
}

func TestServe(t *testing.T) {
	s, at := serve(t, "127.0.0.1:0", nil)
	for range 20 {
		if m := exchange(t, "udp", at, "txt.m.test."); len(m.Answer) != 1 {
			t.Fatalf("got %v", m)
		}
	}
	if m := exchange(t, "udp", at, "big.m.test."); !m.Truncated {
		t.Errorf("got %v", m)
	}
	if m := exchange(t, "tcp", at, "big.m.test."); len(m.Answer) != 40 {
		t.Errorf("got %v", m)
	}
	if c := s.Counters(); c.UDP != 21 || c.TCP != 1 || c.Connections != 1 || c.Rcodes[0] != 22 || c.Truncated != 1 {
		t.Errorf("got %+v", c)
	}
}

// TestWildcardSocket: the answer comes from the address that was asked, or a
// connected socket would not take it. All of 127.0.0.0/8 is ours.
func TestWildcardSocket(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0"} {
		t.Run(address, func(t *testing.T) {
			_, at := serve(t, address, nil)
			_, port, err := net.SplitHostPort(at)
			if err != nil {
				t.Fatal(err)
			}
			asked := []string{"127.0.0.1", "127.0.0.77", "127.9.9.9"}
			if address == "[::]:0" {
				asked = []string{"::1"}
			}
			for _, host := range asked {
				if m := exchange(t, "udp", net.JoinHostPort(host, port), "txt.m.test."); len(m.Answer) != 1 {
					t.Errorf("%s: got %v", host, m)
				}
			}
		})
	}
}

func TestListenErrors(t *testing.T) {
	for _, address := range []string{"127.0.0.1:x", "nowhere.invalid:53", "192.0.2.1:0"} {
		if ss, err := Listen(t.Context(), "127.0.0.1:0", address); err == nil || !strings.Contains(err.Error(), address) {
			ss.Close()
			t.Errorf("%s: got %v", address, err)
		}
	}
	if err := testServer(t, nil).Serve(t.Context(), Sockets{}); err == nil {
		t.Error("no error without sockets")
	}
}

// framed returns a packet with its length before it.
func framed(packet []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
}

func dial(t *testing.T, at string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c
}

func readFramed(t *testing.T, c io.Reader) *dns.Msg {
	t.Helper()
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	m := &dns.Msg{}
	if err := m.Unpack(b); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestPipelining: many queries at once, in pieces that cut through them, with
// an answer among them that gets none.
func TestPipelining(t *testing.T) {
	_, at := serve(t, "127.0.0.1:0", nil)
	c := dial(t, at)
	var stream []byte
	const n = 200
	for i := range n {
		stream = append(stream, framed(query(t, "many.m.test", dns.TypeA, func(m *dns.Msg) { m.Id = uint16(i) }))...)
		if i == 7 {
			stream = append(stream, framed(query(t, "txt.m.test", dns.TypeA, func(m *dns.Msg) { m.Response = true }))...)
		}
	}
	go func() {
		for chunk := range slices.Chunk(stream, 977) {
			if _, err := c.Write(chunk); err != nil {
				return
			}
		}
	}()
	for i := range n {
		if m := readFramed(t, c); int(m.Id) != i || len(m.Answer) != 40 {
			t.Fatalf("answer %d: got ID %d and %d records", i, m.Id, len(m.Answer))
		}
	}
}

// closed waits until the server ends the connection.
func closed(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still open")
	}
}

func TestTCPLimits(t *testing.T) {
	s, at := serve(t, "127.0.0.1:0", func(c *Config) {
		c.TCP = TCPLimits{PerClient: 3, Connections: 4, Idle: time.Second, Message: time.Second} // what a stalled test does not exceed
	})
	whole := framed(query(t, "txt.m.test", dns.TypeTXT))

	idle := dial(t, at)
	closed(t, idle)

	slow := dial(t, at)
	if _, err := slow.Write(whole[:5]); err != nil {
		t.Fatal(err)
	}
	closed(t, slow)

	long := dial(t, at)
	if _, err := long.Write(append(bytes16(maxQuery+1), make([]byte, 100)...)); err != nil {
		t.Fatal(err)
	}
	closed(t, long)

	empty := dial(t, at)
	if _, err := empty.Write(append([]byte{0, 0}, whole...)); err != nil {
		t.Fatal(err)
	}
	if m := readFramed(t, empty); len(m.Answer) != 1 {
		t.Errorf("after an empty message: got %v", m)
	}
	closed(t, empty)
	if c := s.Counters(); c.Connections != 4 || c.Slow != 2 || c.Refused != 0 || c.Dropped != 1 {
		t.Errorf("got %+v", c)
	}
}

func bytes16(n int) []byte { return []byte{byte(n >> 8), byte(n)} }

func TestTCPConnections(t *testing.T) {
	s, at := serve(t, "127.0.0.1:0", func(c *Config) { c.TCP = TCPLimits{PerClient: 2, Connections: 3} })
	_, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	whole := framed(query(t, "txt.m.test", dns.TypeTXT))
	works := func(c net.Conn) bool {
		if _, werr := c.Write(whole); werr != nil {
			return false
		}
		_, rerr := io.ReadFull(c, make([]byte, 2))
		return rerr == nil
	}
	first, second, third := dial(t, at), dial(t, at), dial(t, at)
	if !works(first) || !works(second) || works(third) {
		t.Error("want two connections to work, and no third")
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	another := func(last byte) net.Conn {
		c, derr := net.DialTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, last)}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: number})
		if derr != nil {
			t.Fatal(derr)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	if !works(another(2)) {
		t.Error("another client is kept out")
	}
	if c := s.Counters(); c.Refused != 1 || c.Connections != 3 {
		t.Errorf("got %+v", c)
	}
	for last := byte(3); last < 30; last++ { // others hold all there may be
		if !works(another(last)) {
			t.Fatal("a new client is locked out")
		}
	}
	if c := s.Counters(); c.Refused != 28 || c.Connections != 30 {
		t.Errorf("got %+v", c)
	}
}

func TestClientPrefix(t *testing.T) {
	for in, want := range map[string]string{"192.0.2.1": "192.0.2.1/32", "2001:db8::1:2:3:4": "2001:db8::/64"} {
		if got := clientPrefix(netip.MustParseAddr(in)); got.String() != want {
			t.Errorf("%s: got %v, want %s", in, got, want)
		}
	}
}

// TestStop: Serve returns while clients hold connections and ask on.
func TestStop(t *testing.T) {
	s := testServer(t, nil)
	ss, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ss) }()
	c := dial(t, ss.TCP[0].Addr().String())
	if _, err := c.Write(framed(query(t, "txt.m.test", dns.TypeTXT))); err != nil {
		t.Fatal(err)
	}
	readFramed(t, c)
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Serve goes on")
	}
	closed(t, c)
}

// TestTakenOver: a client that always leaves the next query unfinished keeps
// neither Serve nor the next process waiting.
func TestTakenOver(t *testing.T) {
	s := testServer(t, func(c *Config) {
		c.Passage = (&handover.Process{}).Passage("dns")
		c.TCP = TCPLimits{Move: 100 * time.Millisecond}
	})
	ss, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ss) }()
	c := dial(t, ss.TCP[0].Addr().String())
	whole := framed(query(t, "txt.m.test", dns.TypeTXT))
	if _, err = c.Write(slices.Concat(whole, whole[:1])); err != nil {
		t.Fatal(err)
	}
	readFramed(t, c)
	asks := make(chan struct{})
	go func() { // on and on, until the connection is closed
		defer close(asks)
		rest, in := slices.Concat(whole[1:], whole[:1]), make([]byte, 4096)
		for {
			if _, err := c.Write(rest); err != nil {
				return
			}
			if _, err := c.Read(in); err != nil {
				return
			}
		}
	}()
	cancel(handover.ErrTakenOver)
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute): // dial ends the client later
		t.Fatal("Serve goes on")
	}
	<-asks
}
