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

// NewCap returns a cap of a share of all targets, from 0 to 1.
func NewCap(share float64) *Cap { return &Cap{share, map[area]*[health.Kinds]count{}} }

// of returns the counts of a country and a continent.
func (c *Cap) of(country geo.Country, continent geo.Continent) (counts [2]*[health.Kinds]count) {
	for i, at := range [2]area{{false, country}, {true, continent}} {
		if counts[i] = c.areas[at]; counts[i] == nil {
			counts[i] = &[health.Kinds]count{}
			c.areas[at] = counts[i]
		}
	}
	return counts
}

// Add counts a target that is there.
func (c *Cap) Add(country geo.Country, continent geo.Continent, k health.Kind) {
	for _, counts := range c.of(country, continent) {
		counts[k].all++
	}
}

// Take reports whether one more target may be down, and counts it if so.
func (c *Cap) Take(country geo.Country, continent geo.Continent, k health.Kind) bool {
	at := c.of(country, continent)
	for _, counts := range at {
		if n := counts[k]; n.all >= capLeast && float64(n.taken+1) > c.share*float64(n.all) {
			return false
		}
	}
	for _, counts := range at {
		counts[k].taken++
	}
	return true
}
