package cluster

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/distance"
	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/geo"
)

// TestRoundTrips: only good votes count, of edges whose place is known.
func TestRoundTrips(t *testing.T) {
	c := newCouncil("a", 2, 0.5)
	say := func(observer, host string, s vote.Sights) {
		m := &vote.Message{Reports: []vote.Report{{Observer: observer, Host: host, Version: vote.Version{Incarnation: 1, Counter: uint64(len(host))}, Sights: s}}}
		c.hear(m, time.Time{})
	}
	say("b", "h1", vote.Sights{
		{State: vote.Good, RoundTrip: 12}, {State: vote.Failing, RoundTrip: 9}, {State: vote.Good}, {State: vote.Good, RoundTrip: 80},
	})
	say("c", "h1", vote.Sights{{State: vote.Good, RoundTrip: 1}})
	say("d", "h22", vote.Sights{{State: vote.Doubtful, RoundTrip: 1}})
	here := geo.Point{Lat: 52, Lon: 5}
	got := c.roundTrips(map[string]geo.Point{"b": here, "d": here, "e": here})
	want := []distance.Time{
		{Edge: here, Host: "h1", Family: index.V4, Time: 12 * time.Millisecond},
		{Edge: here, Host: "h1", Family: index.V6, Time: 80 * time.Millisecond},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPlace(t *testing.T) {
	lat, lon := 52.37, 4.9
	for _, tt := range []struct {
		name string
		meta Meta
		near *geo.Point // within 50 km; nil: unknown
	}{
		{"its own", Meta{Country: "US", Cell: (&Location{&lat, &lon}).cell()}, &geo.Point{Lat: 52.37, Lon: 4.9}},
		{"of its country", Meta{Country: "AT"}, &geo.Point{Lat: 47.59, Lon: 14.13}},
		{"none", Meta{}, nil},
		{"a country without a middle", Meta{Country: "ZZ"}, nil},
		{"beyond the grid", Meta{Cell: 1 << 31}, nil},
	} {
		at, ok := tt.meta.place()
		if ok != (tt.near != nil) || ok && geo.Distance(at, *tt.near) > 50 {
			t.Errorf("%s: %v, %v, want %v", tt.name, at, ok, tt.near)
		}
	}
}
