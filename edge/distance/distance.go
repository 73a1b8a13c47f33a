// Package distance is how far hosts are from clients, for policies that say
// order: nearest. It knows two measures: coordinates, and the round-trip times
// of edges.
//
//	table := distance.New(ix, times)            // slow path
//	from := table.From(ix.Vec(&place), family)  // once for each query
//	ring := from.Ring(h, ix.Host(h).Vec)        // for each host
//
// A round-trip time is a distance along cables, with the detours that
// coordinates know nothing of. But it was measured by an edge, not by the
// client: it says little of a host beside the client if the edge is far away.
// So the distance of a host is taken to be the way from the client to the edge
// nearest to it, and from there as far as was measured, if this edge lies about
// on the way: by coordinates, the way over it is at most twice as long as the
// straight one. All others go by coordinates.
//
// The sum of two ways is the upper bound of the triangulated heuristic: Hotz,
// Routing Information Organization to Support Scalable Interdomain Routing with
// Heterogeneous Path Requirements, 1994, chapter 4.
package distance

import (
	"math"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/geo"
)

// kmPerMillisecond turns a round-trip time into a distance. Data travel most
// ways at no more than 4/9 of the speed of light: Katz-Bassett et al., Towards
// IP Geolocation Using Delay and Topology Measurements, IMC 2006. They go there
// and back.
const kmPerMillisecond = 299.792458 * 4 / 9 / 2

// A Table has how far hosts are from edges. A nil Table knows of no edge. It is
// immutable, and belongs to the index it was made for.
type Table struct {
	edges []geo.Vec
	km    [index.V6 + 1][][]uint16 // by family, edge and host; 0: nobody knows
}

// From returns the distances for a client at a place over a family. It looks at
// each edge once, some 2 ns, and allocates nothing.
func (t *Table) From(client geo.Vec, f index.Family) From {
	if t == nil || f == 0 || !client.Known() {
		return From{client: client}
	}
	nearest, least := 0, float32(math.MaxFloat32)
	for i := range t.edges {
		if chord2 := client.Chord2(t.edges[i]); chord2 < least {
			nearest, least = i, chord2
		}
	}
	edge := t.edges[nearest]
	return From{client, edge, chord(client, edge), geo.Km(least), t.km[f][nearest]}
}

// A From is a place that hosts are more or less far from. The zero From is
// unknown.
type From struct {
	client geo.Vec
	edge   geo.Vec  // nearest to it
	chord  float32  // to that edge
	away   float32  // km to it
	km     []uint16 // from there, by host; nil: there is no edge
}

// Known reports whether the place is known.
func (f *From) Known() bool { return f.client.Known() }

// Ring returns how far host h is, whose own place may be unknown, in rings of
// [geo.Vec.Ring], and whether that is by round-trip times. It allocates nothing
// and takes some 10 ns.
func (f *From) Ring(h uint32, host geo.Vec) (ring uint8, measured bool) {
	ring = f.client.Ring(host)
	if f.km == nil || f.km[h] == 0 || !leads(f.chord, chord(f.edge, host), chord(f.client, host)) {
		return ring, false
	}
	return geo.RingOfKm(f.away + float32(f.km[h])), true
}

// leads reports whether an edge lies about on the way from a place to a host, or
// stands in that place, by the chords from one to the next and the straight one.
func leads(toEdge, edgeToHost, toHost float32) bool {
	return toEdge <= beside || toEdge+edgeToHost <= 2*toHost
}

// beside is the chord over 100 km: places of clients are not known better.
const beside = 0.0156959

// chord returns the chord between two places, through a sphere of radius 1. What
// is at no known place is away from all others, and its distances alike.
func chord(v, w geo.Vec) float32 {
	if !v.Known() || !w.Known() {
		return math.MaxFloat32 / 4
	}
	return float32(math.Sqrt(float64(v.Chord2(w))))
}
