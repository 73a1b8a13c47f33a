package probe

import (
	"testing"
	"time"
)

func TestTrips(t *testing.T) {
	var of trips
	if of.millis() != 0 {
		t.Error("a time before the first")
	}
	add := func(ms ...float64) {
		for _, m := range ms {
			of.add(time.Duration(m * float64(time.Millisecond)))
		}
	}
	for _, step := range []struct {
		name string
		add  []float64
		want uint16
	}{
		{"the first", []float64{100}, 100},
		{"queues do not count", []float64{180, 250, 120}, 100},
		{"nor does a little less", []float64{80}, 100},
		{"a shorter way counts at once", []float64{60}, 60},
		{"a longer way does not yet", []float64{90, 90, 90, 90, 90, 90, 90, 90, 90}, 60},
		{"but when all of the last say so", []float64{90}, 90},
		{"beside the edge", []float64{0.2}, 1},
		{"a little further", []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 1},
		{"more than fits", []float64{65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536}, 65535},
		{"an hour", []float64{3.6e6, 3.6e6, 3.6e6, 3.6e6, 3.6e6, 3.6e6, 3.6e6, 3.6e6, 3.6e6, 3.6e6}, 65535},
	} {
		if add(step.add...); of.millis() != step.want {
			t.Errorf("%s: %d ms, want %d", step.name, of.millis(), step.want)
		}
	}
}
