//go:build e2e && linux

package e2e

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// helperArgs returns the arguments of a helper; a test that is none is skipped.
func helperArgs(t *testing.T) (args []string) {
	t.Helper()
	if err := json.Unmarshal([]byte(os.Getenv("WAYPOST_HELPER")), &args); err != nil {
		t.Skip("a part of TestFeedFullTable, which starts it")
	}
	return args
}

// TestHelperInject is a BGP speaker that announces a file of messages to bird.
// The command "table" sends it; "RATE SECONDS" sends changes.
func TestHelperInject(t *testing.T) {
	args := helperArgs(t)
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 3)}}
	var conn net.Conn
	var err error
	for range 100 {
		if conn, err = d.DialContext(t.Context(), "tcp", "127.0.0.1:179"); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	caps := []byte{1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 65, 4, 0, 0, 0xfb, 0xf5}
	open := append([]byte{4, 0xfb, 0xf5, 0, 240, 127, 0, 0, 3, byte(len(caps) + 2), 2, byte(len(caps))}, caps...)
	var mu sync.Mutex
	send := func(b []byte) {
		mu.Lock()
		defer mu.Unlock()
		if _, err := conn.Write(b); err != nil {
			t.Error(err)
		}
	}
	keepalive := appendBGP(nil, 4, nil)
	send(append(appendBGP(nil, 1, open), keepalive...))
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	go func() {
		for range time.Tick(30 * time.Second) {
			send(keepalive)
		}
	}()
	changes := []byte(readFile(t, args[1]))
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var rate, seconds int
		if n, _ := fmt.Sscan(in.Text(), &rate, &seconds); n != 2 {
			send([]byte(readFile(t, args[0])))
		}
		for began, sent := time.Now(), 0; sent < rate*seconds; {
			var batch []byte
			for ; sent < rate*seconds && float64(sent) < time.Since(began).Seconds()*float64(rate)+1; sent++ {
				n := binary.BigEndian.Uint16(changes[16:])
				batch, changes = append(batch, changes[:n]...), append(changes[n:], changes[:n]...)
				if rate >= 100_000 {
					began = began.Add(-time.Hour)
				}
			}
			send(batch)
			time.Sleep(time.Millisecond)
		}
		fmt.Println("> ok")
	}
}

// TestHelperAsk asks the edge over DNS and HTTP at a fixed rate, for so many
// seconds as it is told, and says how long answers took.
func TestHelperAsk(t *testing.T) {
	helperArgs(t)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var seconds int
		_, _ = fmt.Sscan(in.Text(), &seconds)
		d := time.Duration(seconds) * time.Second
		var dns, web timings
		var wg sync.WaitGroup
		wg.Go(func() { dns = timeDNS(t, d) })
		wg.Go(func() { web = timeHTTP(t, d) })
		wg.Wait()
		fmt.Printf("> DNS %s; HTTP %s\n", dns, web)
	}
}

type timings struct {
	took []time.Duration
	lost int
}

// String gives the middle, the 99th percentile and the worst.
func (x timings) String() string {
	if len(x.took) == 0 {
		return fmt.Sprintf("no answers, %d lost", x.lost)
	}
	slices.Sort(x.took)
	at := func(q float64) time.Duration { return x.took[int(q*float64(len(x.took)-1))].Round(time.Microsecond) }
	return fmt.Sprintf("%d answers, p50 %s, p99 %s, p99.9 %s, max %s, %d lost", len(x.took), at(.5), at(.99), at(.999), at(1), x.lost)
}

func randomClient() [4]byte {
	return [4]byte{byte(1 + rand.IntN(222)), byte(rand.IntN(256)), byte(rand.IntN(256)), byte(rand.IntN(256))}
}

// timeDNS sends 1,000 queries a second, with a client subnet each.
func timeDNS(t *testing.T, d time.Duration) (x timings) {
	t.Helper()
	conn, err := net.Dial("udp", "127.0.0.1:5300")
	if err != nil {
		t.Error(err)
		return x
	}
	defer conn.Close() //nolint:errcheck // nothing is left to say
	var sent [1 << 16]atomic.Int64
	var got atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		var buf [2048]byte
		for {
			n, err := conn.Read(buf[:])
			if err != nil {
				return
			}
			if at := sent[binary.BigEndian.Uint16(buf[:])].Swap(0); n > 12 && at != 0 {
				x.took = append(x.took, time.Duration(time.Now().UnixNano()-at))
				got.Add(1)
			}
		}
	}()
	n := 0
	for began := time.Now(); time.Since(began) < d; n++ {
		if wait := time.Until(began.Add(time.Duration(n) * time.Millisecond)); wait > 0 {
			time.Sleep(wait)
		}
		c := randomClient()
		q := []byte{byte(n >> 8), byte(n), 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 'm', 4, 't', 'e', 's', 't', 0, 0, 1, 0, 1}
		q = append(q, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 11, 0, 8, 0, 7, 0, 1, 24, 0, c[0], c[1], c[2])
		sent[uint16(n)].Store(time.Now().UnixNano())
		if _, err := conn.Write(q); err != nil {
			t.Error(err)
		}
	}
	time.Sleep(time.Second)
	_ = conn.Close()
	<-done
	x.lost = n - int(got.Load())
	return x
}

// timeHTTP sends 200 requests a second over connections that stay.
func timeHTTP(t *testing.T, d time.Duration) (x timings) {
	t.Helper()
	client := http.Client{
		Timeout:       5 * time.Second,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	n := 0
	for began := time.Now(); time.Since(began) < d; n++ {
		if wait := time.Until(began.Add(time.Duration(n) * 5 * time.Millisecond)); wait > 0 {
			time.Sleep(wait)
		}
		wg.Go(func() {
			c := randomClient()
			request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:8080/pub/os/x", http.NoBody)
			request.Header.Set("X-Forwarded-For", net.IP(c[:]).String())
			at := time.Now()
			response, err := client.Do(request)
			took := time.Since(at)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || response.StatusCode != http.StatusFound {
				x.lost++
				return
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			x.took = append(x.took, took)
		})
	}
	wg.Wait()
	return x
}
