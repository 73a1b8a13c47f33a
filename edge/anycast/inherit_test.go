package anycast

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/handover"
)

// handOver ends a keeper as an upgrade does, and returns what it leaves, as the
// next process reads it.
func (b *bench) handOver() (left []Inheritance) {
	b.Helper()
	text, err := json.Marshal(b.Leave())
	if err == nil {
		err = json.Unmarshal(text, &left)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.take()
	b.end()
	return left
}

func TestNextKeeperGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setUp(t, nil)
		b.set("2001:db8:5::1", errors.New("no answer"))
		b.after(both, v4.String())
		left := b.handOver()
		if got := b.speaker.announced(); !cmp.Equal(got, []string{v4.String()}) {
			t.Errorf("the old one's last order announces %q: it has drained", got)
		}
		next := setUp(t, func(o *Options) { o.Before = left })
		next.after(0, v4.String()) // at once, and nothing more
		next.after(time.Second, v4.String())
		next.after(both, v4.String(), v6.String())
		next.set("198.18.0.1", errors.New("no answer"))
		next.after(4*time.Second, v6.String())
		last := setUp(t, func(o *Options) { o.Before = next.handOver() })
		last.after(10*time.Second, v6.String()) // still held down
		last.after(time.Minute, v4.String(), v6.String())
		last.stop()
		last.end()
	})
}

func TestUnknownStateIsDown(t *testing.T) {
	var got []State
	if err := json.Unmarshal([]byte(`["up", "maintenance", "sideways"]`), &got); err != nil || !cmp.Equal(got, []State{Up, Maintenance, Down}) {
		t.Errorf("%v, %v", got, err)
	}
}

// take has the next process take over.
func (b *bench) take() { b.cancel(handover.ErrTakenOver) }
