package cluster

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// TestFlood: strangers who keep the port full, and send as much as they can, get
// no more read than a greeting, and do not keep others from joining.
func TestFlood(t *testing.T) {
	key := keyFile(t, GenerateKey())
	a := start(t, "a", Config{KeyFiles: []string{key}})
	to := a.Address().String()
	ctx, cancel := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	defer flood.Wait()
	defer cancel()
	ours := newGreeting("waypost")
	const large = "\xf4\x07waypost\x0a\x01\x3f\xff\xff" // begins a message of the library with 20 MiB
	says := [][]byte{nil, ours[:], append([]byte(large), make([]byte, 20<<20)...)}
	for i := range 2 * maxStrangers {
		dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%4))}}
		flood.Go(func() {
			for ctx.Err() == nil {
				if c, err := dialer.DialContext(ctx, "tcp", to); err == nil {
					stop := context.AfterFunc(ctx, func() { _ = c.Close() })
					if text := says[i%len(says)]; len(text) > 0 {
						if _, err := c.Write(text); err == nil && len(text) > greetingSize {
							t.Errorf("it took %d bytes", len(text))
						}
					}
					_, _ = c.Read(make([]byte, 1024)) // until it is closed there
					stop()
					_ = c.Close()
				}
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond): // there are two processors for both sides
				}
			}
		})
	}
	eventually(t, "strangers have to go", func() bool { return a.Counters().Busy > 0 })
	b := start(t, "b", Config{KeyFiles: []string{key}}, a)
	eventually(t, "b is a member", func() bool { return a.sees(2) && b.sees(2) })
	eventually(t, "what strangers say is counted", func() bool { return a.Counters().Malformed > 0 })
	if n := a.Counters().WrongKey; n > 0 {
		t.Errorf("%d have another key", n)
	}
}

// TestShutdown: strangers have to go, and nobody waits for them.
func TestShutdown(t *testing.T) {
	a := start(t, "a", Config{})
	stranger, err := net.Dial("tcp", a.Address().String())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close() //nolint:errcheck // it is closed at the other side
	began := time.Now()
	a.Silence()
	a.end()
	if _, err = stranger.Read(make([]byte, 1)); err == nil {
		t.Error("it speaks to a stranger")
	}
	if took := time.Since(began); took > showWithin {
		t.Errorf("it took %v", took)
	}
}

// TestShutdownUnused: packets that nobody takes, since the library did not start,
// do not hold up the end.
func TestShutdownUnused(t *testing.T) {
	keys, err := newKeyring(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{log: slog.New(slog.DiscardHandler), refusals: new(refusals)}
	tr, err := newTransport(&Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")}, keys, s)
	if err != nil {
		t.Fatal(err)
	}
	to := net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: tr.GetAutoBindPort()}
	from, err := net.DialUDP("udp", nil, &to)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close() //nolint:errcheck // nothing is written
	for range 100 {
		if _, err = from.Write([]byte("packet")); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		<-tr.PacketCh() // the next one waits then
	}
	ended := make(chan error, 1)
	go func() { ended <- tr.Shutdown() }()
	select {
	case err = <-ended:
	case <-time.After(time.Minute):
		t.Fatal("it waits for a packet to be taken")
	}
	if err != nil {
		t.Error(err)
	}
	if err = tr.Shutdown(); err != nil {
		t.Errorf("again: %v", err)
	}
}
