package vote

import (
	"github.com/waypost/waypost/edge/health"
	"github.com/waypost/waypost/geo"
)

// capLeast is how many hosts a country or continent has from which on it has a cap.
const capLeast = 4

// A Cap is how many targets of a country and of a continent may be down at once,
// each kind by itself. The hosts whose country or continent is unknown are one
// of these too. Make it with [NewCap], add all targets, then take some.
type Cap struct {
	share float64
	areas map[area]*[health.Kinds]count
}

type area struct {
	continent bool // else a country
	code      [2]byte
}

// A count is of targets.
type count struct{ all, taken int }

// A Place is a country and a continent, under a cap.
type Place [2]*[health.Kinds]count

// NewCap returns a cap of a share of all targets, from 0 to 1.
func NewCap(share float64) *Cap { return &Cap{share, map[area]*[health.Kinds]count{}} }

// At returns a place.
func (c *Cap) At(country geo.Country, continent geo.Continent) (p Place) {
	for i, at := range [2]area{{false, country}, {true, continent}} {
		if p[i] = c.areas[at]; p[i] == nil {
			p[i] = &[health.Kinds]count{}
			c.areas[at] = p[i]
		}
	}
	return p
}

// Add counts a target that is there.
func (p Place) Add(k health.Kind) {
	for _, counts := range p {
		counts[k].all++
	}
}

// Take reports whether one more target there may be down, and counts it if so.
func (c *Cap) Take(p Place, k health.Kind) bool {
	for _, counts := range p {
		if n := counts[k]; n.all >= capLeast && float64(n.taken+1) > c.share*float64(n.all) {
			return false
		}
	}
	for _, counts := range p {
		counts[k].taken++
	}
	return true
}
