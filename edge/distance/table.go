package distance

import (
	"math"
	"time"

	"github.com/waypost/waypost/edge/index"
	"github.com/waypost/waypost/geo"
)

// A Time is the round-trip time from an edge to a host.
type Time struct {
	Edge   geo.Point // where the edge stands
	Host   string
	Family index.Family
	Time   time.Duration
}

// New returns the table of an index for what edges measured. Hosts that it does
// not have are passed over. Of several times from one place the shortest counts.
//
// Few edges of many measure a host. For one that did not, the way leads over
// one that did, as for clients. It takes some 0.2 s for 1,000 edges and 1,000
// hosts that five of them measured each.
func New(ix *index.Index, times []Time) *Table {
	t := &Table{}
	var readings [index.V6 + 1][][]reading // by family and host
	for f := range readings {
		readings[f] = make([][]reading, ix.Hosts())
	}
	numbers, edges := ix.Numbers(), map[geo.Point]int{}
	for _, at := range times {
		h, ok := numbers[at.Host]
		if !ok {
			continue
		}
		if _, ok = edges[at.Edge]; !ok {
			edges[at.Edge] = len(t.edges)
			t.edges = append(t.edges, at.Edge.Vec())
		}
		of, e := &readings[at.Family][h], edges[at.Edge]
		*of = append(*of, reading{e, float32(at.Time.Seconds() * 1000 * kmPerMillisecond), chord(t.edges[e], ix.Host(h).Vec)})
	}
	if len(t.edges) == 0 {
		return nil
	}
	for _, f := range []index.Family{index.V4, index.V6} {
		t.km[f] = make([][]uint16, len(t.edges))
	}
	for e := range t.edges {
		t.measure(e, ix, &readings)
	}
	return t
}

// A reading is how far an edge found a host to be.
type reading struct {
	edge  int
	km    float32
	chord float32
}

// measure fills in how far hosts are from one edge.
func (t *Table) measure(e int, ix *index.Index, readings *[index.V6 + 1][][]reading) {
	here := t.edges[e]
	chords, away := make([]float32, len(t.edges)), make([]float32, len(t.edges))
	for i := range t.edges {
		chords[i], away[i] = chord(here, t.edges[i]), geo.Km(here.Chord2(t.edges[i]))
	}
	for _, f := range []index.Family{index.V4, index.V6} {
		t.km[f][e] = make([]uint16, ix.Hosts())
		for h, of := range readings[f] {
			least, straight := float32(math.MaxFloat32), chord(here, ix.Host(uint32(h)).Vec)
			for _, r := range of {
				if leads(chords[r.edge], r.chord, straight) {
					least = min(least, away[r.edge]+r.km)
				}
			}
			if least < math.MaxFloat32 {
				t.km[f][e][h] = uint16(max(1, min(least, math.MaxUint16)))
			}
		}
	}
}
