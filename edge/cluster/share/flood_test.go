package share_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// Strangers from some addresses who open connections again and again do not shut
// out peers.
func TestFlood(t *testing.T) {
	s := asker(t, keys(1), &shelf{manifest: []byte("secret")})
	to := s.Address().String()
	ctx, cancel := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	defer flood.Wait()
	defer cancel()
	for i := range 200 {
		dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%4))}}
		flood.Go(func() {
			for ctx.Err() == nil {
				if c, err := dialer.DialContext(ctx, "tcp", to); err == nil {
					stop := context.AfterFunc(ctx, func() { _ = c.Close() })
					_, _ = c.Read(make([]byte, 1)) // says nothing, until it is closed there
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
	for began := time.Now(); s.Counters().Busy == 0; <-time.After(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("no stranger had to go")
		}
	}
	for range 20 {
		client := raw(t, identity(t, keys(1)()[0]))
		response, err := client.Get("https://" + to + "/v1/manifest")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	if c := s.Counters(); c.Connections != 20 || c.Manifests != 20 || c.Refused != 0 {
		t.Errorf("counted %+v", c)
	}
}
