package cluster

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/waypost/waypost/edge/cluster/vote"
	"github.com/waypost/waypost/edge/distance"
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/geo"
)

// RoundTrips returns the round-trip times of all good votes, of edges whose
// place is known, in one order as long as they are the same: for policies that
// say order: nearest.
func (c *Cluster) RoundTrips() []distance.Time {
	times := c.council.roundTrips(c.places())
	slices.SortFunc(times, compareTimes)
	return times
}

func compareTimes(a, b distance.Time) int {
	return cmp.Or(
		strings.Compare(a.Host, b.Host), cmp.Compare(a.Family, b.Family), cmp.Compare(a.Edge.Lat, b.Edge.Lat),
		cmp.Compare(a.Edge.Lon, b.Edge.Lon), cmp.Compare(a.Time, b.Time),
	)
}

// places returns where the members that are alive stand.
func (c *Cluster) places() map[string]geo.Point {
	c.mu.Lock()
	defer c.mu.Unlock()
	places := map[string]geo.Point{}
	for name, m := range c.members {
		if at, ok := m.meta.place(); ok && m.alive {
			places[name] = at
		}
	}
	return places
}

// place returns where the edge stands: what it says itself, or else the middle
// of its country.
func (m *Meta) place() (geo.Point, bool) {
	if at, ok := geo.CellCenter(m.Cell); ok {
		return at, true
	}
	country, err := geo.ParseCountry(m.Country)
	if err != nil {
		return geo.Point{}, false
	}
	return geo.Centroid(country)
}

// roundTrips returns the times of observers that stand at known places.
func (c *council) roundTrips(places map[string]geo.Point) (times []distance.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for observer, at := range places {
		for r := range c.book.Of(observer) {
			for k, sight := range r.Sights {
				if sight.State == vote.Good && sight.RoundTrip > 0 {
					times = append(times, distance.Time{
						Edge: at, Host: r.Host, Family: health.Kind(k).Family(),
						Time: time.Duration(sight.RoundTrip) * time.Millisecond,
					})
				}
			}
		}
	}
	return times
}
