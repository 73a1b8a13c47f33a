package pace_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waypost/waypost/control/crawl/pace"
)

// take acquires and releases at once, n times, and returns how long that took.
func take(t *testing.T, s *pace.Server, n int) time.Duration {
	t.Helper()
	start := time.Now()
	for range n {
		release, err := s.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		release()
	}
	return time.Since(start)
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pace.New(pace.Limits{})
		s := l.Server("a", pace.Rate{Connections: 1, Requests: 10})
		defer s.Close()
		if d := take(t, s, 110); d < 9*time.Second || d > 11*time.Second {
			t.Errorf("110 requests took %s at 10 a second and 10 at once", d)
		}
		// a second user of the server shares its rate, a third server does not
		again := l.Server("a", pace.Rate{Connections: 99, Requests: 1000})
		defer again.Close()
		if d := take(t, again, 10); d < 900*time.Millisecond {
			t.Errorf("10 more took %s", d)
		}
		other := l.Server("b", pace.Rate{Connections: 1})
		defer other.Close()
		if d := take(t, other, 1000); d > 0 {
			t.Errorf("another server had to wait %s", d)
		}
	})
}

// A user that comes for one request finds the server as the one before left it,
// as clients do that close it after each request.
func TestRateOfSingleRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pace.New(pace.Limits{})
		once := func() time.Duration {
			s := l.Server("a", pace.Rate{Connections: 4, Requests: 10})
			defer s.Close()
			return take(t, s, 1)
		}
		var took time.Duration
		for range 110 {
			took += once()
		}
		if took < 9*time.Second || took > 11*time.Second {
			t.Errorf("110 requests took %s at 10 a second and 10 at once", took)
		}
		s := l.Server("a", pace.Rate{Connections: 4, Requests: 10})
		s.Pause(10 * time.Minute)
		s.Close()
		time.Sleep(5 * time.Minute) // on the clock of the bubble
		if took = once(); took != 5*time.Minute {
			t.Errorf("a pause of 10m lasted 5m and %s", took)
		}
		time.Sleep(2 * time.Minute)
		l.Server("b", pace.Rate{Connections: 1}).Close() // forgets a
		took = 0
		for range 10 { // at full speed again
			took += once()
		}
		if took != 0 {
			t.Errorf("10 requests took %s after minutes of silence", took)
		}
	})
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pace.New(pace.Limits{})
		s := l.Server("a", pace.Rate{Connections: 2, Requests: 10})
		defer s.Close()
		s.Pause(time.Minute)
		if d := take(t, s, 1); d != time.Minute {
			t.Errorf("waited %s", d)
		}
		if d := take(t, s, 110); d < 19*time.Second { // half the rate from now on
			t.Errorf("110 requests took %s", d)
		}
		s.Pause(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pace.New(pace.Limits{Hosts: 1, Requests: 5})
		a, b := l.Server("a", pace.Rate{}), l.Server("b", pace.Rate{})
		defer a.Close()
		defer b.Close()
		if d := take(t, a, 30) + take(t, b, 30); d < 10*time.Second {
			t.Errorf("60 requests took %s at 5 a second together", d)
		}
		leave, err := l.Enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err = l.Enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error("two hosts at once:", err)
		}
		leave()
		if leave, err = l.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		leave()
	})
}

// TestConnections: of all servers together no more requests are under way than
// may be, and what is given up gives its place back.
func TestConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pace.New(pace.Limits{Connections: 1})
		a, b := l.Server("a", pace.Rate{Connections: 2}), l.Server("b", pace.Rate{Connections: 2})
		defer a.Close()
		defer b.Close()
		release, err := a.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err = b.Acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error("two at once:", err)
			}
			cancel()
		}
		release()
		if release, err = b.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		release()
	})
}
