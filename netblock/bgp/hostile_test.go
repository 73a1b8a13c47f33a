package bgp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A scarce listener fails now and then, as where there are no file descriptors.
type scarce struct {
	conns  chan net.Conn
	closed chan struct{}
	fails  int
}

func (l *scarce) Accept() (net.Conn, error) {
	if l.fails > 0 {
		l.fails--
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *scarce) Close() error { close(l.closed); return nil }
func (*scarce) Addr() net.Addr { return &net.TCPAddr{} }
func (l *scarce) connect() (far net.Conn) {
	here, far := net.Pipe()
	l.conns <- here
	return far
}

// TestNoFileDescriptors has accepts that fail: the listener goes on, and the
// log has one line.
func TestNoFileDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := &scarce{make(chan net.Conn), make(chan struct{}), 30}
		ctx, stop := context.WithCancel(t.Context())
		took, done := make(chan net.Conn, 1), make(chan struct{})
		go func() {
			acceptAll(ctx, l, slog.New(slog.NewTextHandler(&log, nil)), func(c net.Conn) { took <- c })
			close(done)
		}()
		_ = l.connect()
		_ = (<-took).Close()
		stop()
		<-done
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("%d lines:\n%s", n, log.String())
		}
	})
}

// TestStrangers has connections of nobody who is known: they are closed, and
// cannot fill the log.
func TestStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := New(&Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
		l := &scarce{make(chan net.Conn), make(chan struct{}), 0}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { f.accept(ctx, l); close(done) }()
		for range 1000 {
			if _, err := l.connect().Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
		}
		time.Sleep(strangersEvery)
		_ = l.connect()
		synctest.Wait()
		stop()
		<-done
		if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), "others_before=999") {
			t.Errorf("%d lines:\n%s", n, log.String())
		}
	})
}

// A from is a connection from an address.
type from struct {
	net.Conn
	ip string
}

func (c from) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(c.ip), 1))
}

// TestManyStations has routers that connect too often, and connections that say
// nothing.
func TestManyStations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newMonitor(t)
		l := &scarce{make(chan net.Conn), make(chan struct{}), 0}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { m.accept(ctx, l); close(done) }()
		open := 0
		for i := range 200 {
			here, far := net.Pipe()
			ip := "192.0.2.1"
			if i >= 100 {
				ip = netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}).String()
			}
			l.conns <- from{here, ip}
			_ = far.SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				open++
			}
			if i == 99 && open != maxOfARouter {
				t.Errorf("one router has %d connections, want %d", open, maxOfARouter)
			}
		}
		if open != maxStations {
			t.Errorf("%d connections, want %d", open, maxStations)
		}
		time.Sleep(firstWithin)
		synctest.Wait()
		if len(m.open) != 0 {
			t.Errorf("%v are there though they said nothing", m.open)
		}
		stop()
		<-done
	})
}

// TestWithdrawals withdraws far more prefixes than there are, before and after
// the first table: that costs no memory.
func TestWithdrawals(t *testing.T) {
	r := newRIB(100)
	withdrawAll := func() {
		for i := range uint64(3 * foldAt) {
			r.withdraw(familyV6, key(0x2a<<56|i<<16|48))
		}
	}
	r.announce(familyV6, key(0x2a<<56|5<<16|48), 7)
	r.fold()
	withdrawAll()
	if n := len(r.waiting[familyV6]); n != 1 || r.size != 0 {
		t.Errorf("%d wait, size %d", n, r.size)
	}
	r.withdraw(familyV6, key(0x2a<<56|5<<16|48))
	if r.fold(); r.table.Len() != 0 || r.size != 0 {
		t.Errorf("%d rows, size %d", r.table.Len(), r.size)
	}
}

// TestFullIsExact has a table that is as large as it may be: what changes in it
// is neither too much nor makes it fold each time.
func TestFullIsExact(t *testing.T) {
	r := newRIB(3)
	keys := []key{5<<56 | 8, 6<<56 | 8, 7<<56 | 8, 8<<56 | 8}
	for _, k := range keys[:3] {
		r.announce(familyV4, k, 1)
	}
	r.fold()
	table := r.table
	for i := range 1000 {
		r.announce(familyV4, keys[i%3], uint32(i))
		if r.full() || r.table != table {
			t.Fatal("it is full, or was folded")
		}
	}
	r.withdraw(familyV4, keys[0])
	r.announce(familyV4, keys[3], 1)
	if r.full() {
		t.Error("full with 3 of 3")
	}
	r.announce(familyV4, keys[0], 1)
	if !r.full() {
		t.Error("not full with 4 of 3")
	}
	r.fold()
	if got := len(maps.Collect(r.table.All())); got != r.size {
		t.Errorf("%d rows, size %d", got, r.size)
	}
}

// TestWideOpen has an OPEN with lengths of two bytes (RFC 9072), whatever the
// short length says.
func TestWideOpen(t *testing.T) {
	o := hello()
	narrow := o.body()
	for _, short := range []byte{255, 1} {
		params := narrow[10:]
		b := append(append([]byte{}, narrow[:9]...), short, 255)
		b = binary.BigEndian.AppendUint16(b, uint16(len(params)+1))
		b = append(b, params[0], 0)
		b = append(b, params[1:]...)
		got, err := parseOpen(b)
		if err != nil || *got != o {
			t.Errorf("%d: %+v, %v; want %+v", short, got, err, o)
		}
	}
}

// TestFlapsInFirstTable has a peer whose sessions always end in the middle of
// the first table: attempts become rare.
func TestFlapsInFirstTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		defer l.stop()
		began := time.Now()
		for range 6 {
			s := speak(t, <-l.conns).up(hello())
			s.announce(680, []string{"5.1.0.0/16"})
			_ = s.conn.Close()
		}
		if d := time.Since(began); d < time.Minute {
			t.Errorf("6 sessions within %s", d)
		}
		l.want(nil)
	})
}
